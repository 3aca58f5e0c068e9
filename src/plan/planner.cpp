#include "plan/planner.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace tranche {
namespace {

bool reached(std::uint64_t value, std::uint64_t limit) { return limit != 0 && value >= limit; }

// Whether a group of `bytes` takes no more batches.
bool is_full(std::uint64_t bytes, const Division& division) {
  return division.group_bytes == 0 || bytes >= division.group_bytes;
}

Error bad_slice(const Slice& slice, const CutLimits& limits) {
  return make_error(
      ErrorKind::bug,
      fmt::format("The source cut a slice of {} records where 1 to {} were asked for; "
                  "nothing of it was planned.",
                  slice.records, limits.records_max));
}

}  // namespace

PlanPosition position_behind(std::span<const BatchPlan> planned, const Division& division,
                             std::optional<std::uint64_t> committed_group) {
  PlanPosition position;
  if (planned.empty()) return position;
  const BatchPlan& last = planned.back();
  position.batch = last.number + 1;
  position.group = last.group;
  if (!last.chunks.empty())
    position.record = last.chunks.back().first_record + last.chunks.back().records;
  for (auto batch = planned.rbegin(); batch != planned.rend() && batch->group == last.group;
       ++batch)
    position.group_bytes += batch->bytes();
  const bool is_committed = committed_group && last.group <= *committed_group;
  if (is_committed || is_full(position.group_bytes, division)) {
    ++position.group;
    position.group_bytes = 0;
  }
  return position;
}

Division choose_division(const Division& asked, const Division& source_default,
                         std::uint64_t sink_group_bytes) {
  Division division = asked;
  if (asked.rows == 0 && asked.bytes == 0 && !asked.window) {
    division.rows = source_default.rows;
    division.bytes = source_default.bytes;
  }
  if (asked.chunk_bytes == 0) division.chunk_bytes = source_default.chunk_bytes;
  if (asked.group_bytes == 0) division.group_bytes = sink_group_bytes;
  return division;
}

CutLimits Planner::limits_of_next_slice(std::uint64_t rows, std::uint64_t bytes) const {
  CutLimits limits;
  if (division_.rows != 0) limits.records_max = division_.rows - rows;
  if (division_.bytes != 0) limits.bytes_max = division_.bytes - bytes;
  if (division_.chunk_bytes != 0)
    limits.bytes_max = std::min(limits.bytes_max, division_.chunk_bytes);
  return limits;
}

Result<std::optional<BatchPlan>> Planner::next() {
  if (failure_) return *failure_;
  Result<std::optional<BatchPlan>> batch = cut_batch();
  if (!batch) failure_ = batch.error();
  return batch;
}

Result<std::optional<BatchPlan>> Planner::cut_batch() {
  BatchPlan batch;
  batch.number = position_.batch;
  batch.group = position_.group;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  bool is_ended = false;
  while (!at_end_ && !is_ended && !reached(rows, division_.rows) &&
         !reached(bytes, division_.bytes)) {
    const CutLimits limits = limits_of_next_slice(rows, bytes);
    TRANCHE_ASSIGN(std::optional<Slice> slice, stream_.next(limits));
    if (!slice) {
      at_end_ = true;
      break;
    }
    const bool may_exceed = !slice->range.empty();  // records of one key are not parted
    if (slice->records == 0 || (!may_exceed && slice->records > limits.records_max))
      return bad_slice(*slice, limits);
    slice->first_record = position_.record + rows;
    rows += slice->records;
    bytes += slice->bytes;
    is_ended = slice->ends_batch;
    batch.chunks.push_back(*std::move(slice));
  }
  if (batch.chunks.empty()) return std::optional<BatchPlan>();
  close_batch(batch, bytes);
  return std::optional(std::move(batch));
}

void Planner::close_batch(const BatchPlan& batch, std::uint64_t bytes) {
  ++position_.batch;
  position_.record = batch.chunks.back().first_record + batch.chunks.back().records;
  position_.group_bytes += bytes;
  if (!is_full(position_.group_bytes, division_)) return;
  ++position_.group;
  position_.group_bytes = 0;
}

}  // namespace tranche
