#include <tranche/core/sink.h>

namespace tranche {

Result<std::vector<Segment>> Encoder::merge(std::uint64_t, std::span<const Segment>) {
  return make_error(ErrorKind::bug, "A group was to be merged for a sink that merges nothing.");
}

}  // namespace tranche
