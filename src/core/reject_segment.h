// Rejects on their way from a worker to the commit: encoded in segments that may be spilled like
// any other, and read back a few at a time, so that a group of nothing but rejects takes no more
// memory than one of good records.
//
// Threads: an encoder or a reader belongs to one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/reject.h>
#include <tranche/core/segment.h>

namespace tranche {

// Encodes rejects one by one into segments of a bounded size; `rows` of each says how many it has.
// A reject that alone is larger than the bound has a segment of its own.
class RejectEncoder {
 public:
  void add(const Reject& reject);
  // All segments; the encoder is empty again afterwards.
  std::vector<Segment> finish();

 private:
  void close_segment();
  void put(std::uint64_t number);
  void put_text(const std::string& text, std::string& before);

  std::vector<Segment> segments_;
  std::string bytes_;
  std::uint64_t rows_ = 0;
  Reject before_;  // what is as in the reject before is not written again
};

std::vector<Segment> encode_rejects(std::span<const Reject> rejects);
// Errors: those of Segment::load.
Result<std::vector<Reject>> decode_rejects(const Segment& segment);

// Segments of rejects in record order.
using RejectRun = std::vector<Segment>;

// Reads several runs as one in record order, of equal records those of an earlier run first; of
// each run one segment is in memory.
class RejectReader {
 public:
  explicit RejectReader(std::vector<RejectRun> runs);
  RejectReader(const RejectReader&) = delete;
  RejectReader& operator=(const RejectReader&) = delete;
  // The next reject, valid until the next call; nullptr behind the last one.
  Result<const Reject*> next();

 private:
  struct Place {
    RejectRun run;
    std::size_t next_segment = 0;
    std::vector<Reject> rejects;
    std::size_t at = 0;
  };
  static Result<const Reject*> head(Place& place);

  std::vector<Place> places_;
  Place* given_ = nullptr;
};

// One run of several. Errors: those of Segment::load.
Result<RejectRun> merge_rejects(std::vector<RejectRun> runs);

}  // namespace tranche
