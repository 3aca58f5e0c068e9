#include "steps/step_memory.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

constexpr std::uint64_t mebibyte = 1ULL << 20;
// Of a worker that has no database: a window, a page, an encoder, what the allocator holds back.
constexpr std::uint64_t worker_buffer_bytes = 8 * mebibyte;

std::uint64_t work_bytes_of(std::uint64_t memory_bytes_max) {
  return memory_bytes_max - std::min(memory_bytes_max, process_memory_bytes);
}

// The part of a batch that would fit, in the unit that the job divides by; empty: none would.
std::string smaller_batch(const BatchPlan& batch, const Division& division, double fitting_share) {
  const auto share_of = [&](std::uint64_t whole) {
    return static_cast<std::uint64_t>(static_cast<double>(whole) * fitting_share);
  };
  if (division.bytes == 0) {
    const std::uint64_t records = share_of(batch.records());
    const std::uint64_t round = records >= 1000 ? records / 1000 * 1000 : records;
    return round == 0 ? "" : fmt::format("{{ rows: {} }}", round);
  }
  const std::uint64_t bytes = share_of(batch.bytes());
  return bytes < mebibyte ? "" : fmt::format("{{ bytes: {}MiB }}", bytes / mebibyte);
}

}  // namespace

std::uint64_t database_memory_for(std::uint64_t memory_bytes_max) {
  const std::uint64_t work = work_bytes_of(memory_bytes_max);
  return std::max({32 * mebibyte, std::min(work / 5, 128 * mebibyte), work / 16});
}

// DuckDB holds some more than its limit.
std::uint64_t query_memory_for(std::uint64_t memory_bytes_max) {
  return work_bytes_of(memory_bytes_max) / 3 * 2;
}

// A quarter of what the run may hold, for two readers; enough for a few batches of the usual size.
std::uint64_t decoded_text_for(std::uint64_t memory_bytes_max) {
  return std::min(work_bytes_of(memory_bytes_max) / 4, 160 * mebibyte);
}

std::uint64_t unread_text_for(std::uint64_t memory_bytes_max) {
  return decoded_text_for(memory_bytes_max) / 2 - 2 * mebibyte;
}

StepMemory::StepMemory(std::uint64_t memory_bytes_max, std::uint64_t database_bytes,
                       std::size_t transforms_of_batches, std::uint64_t source_bytes,
                       std::uint64_t encoder_bytes, std::uint64_t process_bytes)
    : memory_bytes_max_(memory_bytes_max),
      source_bytes_(source_bytes),
      work_bytes_(work_bytes_of(memory_bytes_max) -
                  std::min(work_bytes_of(memory_bytes_max), source_bytes)),
      database_bytes_(database_bytes),
      buffer_bytes_(worker_buffer_bytes + encoder_bytes + process_bytes),
      worker_bytes_(buffer_bytes_ + database_bytes),
      whole_batches_(transforms_of_batches > 0),
      // Of a chunk what was read, as much that is encoded, and what the planner has read of the
      // next one: one record may be all of it. Of a batch half as much for each transform, and what
      // is encoded, whose buffer doubles, or which a process copies into shared memory.
      bytes_per_record_byte_(transforms_of_batches == 0
                                 ? 3.0
                                 : 1.25 + 0.5 * static_cast<double>(transforms_of_batches)) {}

std::uint64_t StepMemory::task_bytes(const BatchPlan& batch) const {
  std::uint64_t bytes = 0;
  if (whole_batches_) {
    bytes = batch.memory_bytes();
  } else {
    for (const Slice& chunk : batch.chunks) bytes = std::max(bytes, chunk.memory_bytes);
  }
  return static_cast<std::uint64_t>(static_cast<double>(bytes) * bytes_per_record_byte_);
}

unsigned StepMemory::workers(unsigned asked, std::uint64_t task_bytes) const {
  const std::uint64_t carried = work_bytes_ / (worker_bytes_ + task_bytes);
  return static_cast<unsigned>(std::clamp<std::uint64_t>(carried, 1, std::max(asked, 1U)));
}

// What it keeps, and an equal share of all tasks; twice that, since it holds one task while another
// one's results wait, and an estimate that is too low must not end an innocent.
std::uint64_t StepMemory::process_bytes(unsigned workers) const {
  return 2 * (worker_bytes_ + bytes_left(workers) / std::max(workers, 1U));
}

Result<unsigned> StepMemory::processes(unsigned asked, std::uint64_t process_bytes,
                                       std::uint64_t task_bytes) const {
  const std::uint64_t needed = worker_bytes_ + task_bytes;
  const auto in_mebibytes = [](std::uint64_t bytes) { return (bytes + mebibyte - 1) / mebibyte; };
  if (process_bytes < needed) {
    return make_error(
        ErrorKind::config,
        fmt::format("A worker process needs about {} for a task of this step, and `workers:` gives "
                    "it {}. Set `memory: {}MiB` there, or make the batches smaller.",
                    format_size(needed), format_size(process_bytes), in_mebibytes(needed)));
  }
  const std::uint64_t carried = work_bytes_ / process_bytes;
  if (carried == 0) {
    return make_error(
        ErrorKind::config,
        fmt::format("A worker process may take {}, but the job's budget of {} leaves {} for all of "
                    "them. Set `memory: {}MiB` in the job, or give the workers less.",
                    format_size(process_bytes), format_size(memory_bytes_max_),
                    format_size(work_bytes_),
                    in_mebibytes(process_bytes + memory_bytes_max_ - work_bytes_)));
  }
  return static_cast<unsigned>(std::clamp<std::uint64_t>(carried, 1, std::max(asked, 1U)));
}

std::uint64_t StepMemory::bytes_left(unsigned workers, unsigned lanes) const {
  return work_bytes_ - std::min(work_bytes_, workers * worker_bytes_ + lanes * lane_memory_bytes);
}

unsigned StepMemory::lanes(unsigned asked, unsigned workers) const {
  return static_cast<unsigned>(
      std::min<std::uint64_t>(asked, bytes_left(workers) / 8 / lane_memory_bytes));
}

// A larger budget gives more to the database too, so the least one is searched.
std::uint64_t StepMemory::enough_for(std::uint64_t task_bytes) const {
  constexpr std::uint64_t pace = 16 * mebibyte;
  std::uint64_t enough = memory_bytes_max_ / pace * pace;
  std::uint64_t needed = 0;
  do {
    enough += pace;
    needed = buffer_bytes_ + task_bytes + source_bytes_;
    if (database_bytes_ > 0) needed += std::max(database_bytes_, database_memory_for(enough));
  } while (work_bytes_of(enough) < needed);
  return enough;
}

Result<void> StepMemory::check(const BatchPlan& batch, const Division& division) const {
  const std::uint64_t needed = task_bytes(batch);
  const std::uint64_t left = bytes_left(1);
  if (needed <= left) return {};
  const std::string smaller =
      smaller_batch(batch, division, static_cast<double>(left) / static_cast<double>(needed));
  return make_error(
      ErrorKind::config,
      fmt::format(
          "Batch {} ({} of input, {} record{}) takes about {} while it is in work, and a "
          "budget of {} leaves {} for it. Set `memory: {}MiB`{}.",
          batch.number, format_size(batch.bytes()), batch.records(),
          batch.records() == 1 ? "" : "s", format_size(needed), format_size(memory_bytes_max_),
          format_size(left), enough_for(needed) / mebibyte,
          smaller.empty() ? "" : ", or make the batches smaller: `batch: " + smaller + "`"));
}

}  // namespace tranche
