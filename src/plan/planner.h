// Makes batches and groups out of a source's slices.
//
// A batch ends with the record that reaches division.rows or division.bytes, or with the slice that
// ends its window, whichever comes first;
// its chunks are slices of at most division.chunk_bytes, so a batch may span inputs and a chunk
// never does. Batches share a group until their input bytes reach division.group_bytes; with 0 each
// batch is a group of its own.
//
// Pure: the plan depends on the stream and the division alone, never on time, memory or workers,
// and a Planner that starts behind any batch of a plan goes on as that plan did.
// Threads: belongs to one thread. Lifetime: the stream outlives it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <tranche/core/plan.h>
#include <tranche/core/source.h>

namespace tranche {

// Where a plan goes on.
struct PlanPosition {
  std::uint64_t batch = 0;        // number of the next batch
  std::uint64_t group = 0;        // the group that it belongs to
  std::uint64_t record = 0;       // ordinal of its first record in the step
  std::uint64_t group_bytes = 0;  // input bytes that the group holds already
  bool operator==(const PlanPosition&) const = default;
};

// The position behind the last of `planned` (those of its last group will do). A group up to
// `committed_group` takes no more batches, however small it is.
PlanPosition position_behind(std::span<const BatchPlan> planned, const Division& division,
                             std::optional<std::uint64_t> committed_group);

// What the job asks for, completed by what suits source and sink. Rows and bytes of the default
// hold only where the job names neither.
Division choose_division(const Division& asked, const Division& source_default,
                         std::uint64_t sink_group_bytes);

class Planner {
 public:
  // `stream` begins where `position` says: behind the last slice that is planned already.
  Planner(SliceStream& stream, const Division& division, const PlanPosition& position = {})
      : stream_(stream), division_(division), position_(position) {}

  // The next batch; nullopt at the end of the stream. A source without records has no batch.
  // Errors: those of the stream; bug, when it gives a slice that is empty or beyond its limits.
  // After an error every call gives it again: what the stream gave before it would be missing.
  Result<std::optional<BatchPlan>> next();

  // Behind the last batch that was given.
  const PlanPosition& position() const { return position_; }

 private:
  Result<std::optional<BatchPlan>> cut_batch();
  CutLimits limits_of_next_slice(std::uint64_t rows, std::uint64_t bytes) const;
  void close_batch(const BatchPlan& batch, std::uint64_t bytes);

  SliceStream& stream_;
  Division division_;
  PlanPosition position_;
  bool at_end_ = false;
  std::optional<Error> failure_;
};

}  // namespace tranche
