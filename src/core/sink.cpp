#include <tranche/core/sink.h>

namespace tranche {

Result<std::vector<Segment>> Encoder::merge(std::uint64_t, std::span<const Segment>) {
  return make_error(ErrorKind::bug, "A group was to be merged for a sink that merges nothing.");
}

Result<Applied> Committer::carry_over(std::uint64_t) {
  return make_error(ErrorKind::bug,
                    "A group was to be carried over by a sink that rewrites nothing.");
}

Result<void> Sink::rewrite_sealed(EarlierOutput) {
  return make_error(ErrorKind::usage,
                    "only in one CSV or JSON Lines file a record has a place of its own.");
}

}  // namespace tranche
