// How the memory budget of a run is divided: what the process needs, what each worker keeps, what
// the tasks in work and the results that wait for their commit may hold together.
//
// A source that decodes keeps its decoders, and text for the workers that come behind the planner.
//
// A worker keeps what it has once used, its embedded database and what the allocator holds back, so
// that is counted for each worker, whether it works or not, and a step gets no more workers than
// the budget carries. What comes out is the same with any number of them.
// The figures are estimates that were compared with the proportional set size of runs
// (tests/memory).
// Threads: pure functions.
#pragma once

#include <cstdint>

#include <tranche/base/result.h>
#include <tranche/core/plan.h>

namespace tranche {

// The memory that a run needs besides what it admits: code, DuckDB's too, ledger, stacks.
inline constexpr std::uint64_t process_memory_bytes = 48ULL << 20;
// That a worker process keeps besides what a thread would: what it has written to of the program's
// memory, and an allocator of its own.
inline constexpr std::uint64_t worker_process_bytes = 12ULL << 20;
// Of a thread that helps workers with calls: what it touches of its stack, a copy of the function.
inline constexpr std::uint64_t lane_memory_bytes = 128ULL << 10;
inline constexpr std::uint64_t memory_bytes_min = 128ULL << 20;

// The memory_limit of an embedded database within a run's budget. A function of the budget alone,
// since it may shape output: two workers fit into the least budgets, fifteen into large ones.
std::uint64_t database_memory_for(std::uint64_t memory_bytes_max);

// The memory_limit of a query that is the only work of a run with this budget.
std::uint64_t query_memory_for(std::uint64_t memory_bytes_max);

// The decoded text that a source may keep within a run's budget.
std::uint64_t decoded_text_for(std::uint64_t memory_bytes_max);
// As much of it as may be planned before a worker reads it: what the planner reads ahead, and
// the other reader, need the rest.
std::uint64_t unread_text_for(std::uint64_t memory_bytes_max);

class StepMemory {
 public:
  // `database_bytes`: of each worker's embedded database; 0: it has none. `transforms`: how many
  // take whole batches; 0: a chunk is a task. `source_bytes`: that the source keeps for all
  // workers. `encoder_bytes`: that the encoder of each worker keeps.
  // `process_bytes`: that a worker keeps for being a process.
  StepMemory(std::uint64_t memory_bytes_max, std::uint64_t database_bytes,
             std::size_t transforms_of_batches, std::uint64_t source_bytes = 0,
             std::uint64_t encoder_bytes = 0, std::uint64_t process_bytes = 0);

  std::uint64_t source_bytes() const { return source_bytes_; }
  // Bytes that a task holds for each byte of its records as Pages.
  double bytes_per_record_byte() const { return bytes_per_record_byte_; }
  // The largest task of the batch.
  std::uint64_t task_bytes(const BatchPlan& batch) const;
  // As many workers of those that were asked for as can have a task like that one in work.
  unsigned workers(unsigned asked, std::uint64_t task_bytes) const;
  // What each of so many worker processes may take, all in all.
  std::uint64_t process_bytes(unsigned workers) const;
  // As many processes of those that were asked for as fit, if each may take `process_bytes`.
  // Errors: config, when none does, or one with a task of `task_bytes` needs more.
  Result<unsigned> processes(unsigned asked, std::uint64_t process_bytes,
                             std::uint64_t task_bytes) const;
  // What is left for tasks and results beside so many workers, and so many lanes that help them.
  std::uint64_t bytes_left(unsigned workers, unsigned lanes = 0) const;
  // As many of the lanes that were asked for as an eighth of what is left beside the workers
  // carries.
  unsigned lanes(unsigned asked, unsigned workers) const;
  // A task of the batch must fit in beside one worker. Errors: config, with the budget that would
  // do, and the batch that would fit. `division` says in what the batch was asked for.
  Result<void> check(const BatchPlan& batch, const Division& division) const;

 private:
  std::uint64_t enough_for(std::uint64_t task_bytes) const;

  std::uint64_t memory_bytes_max_;
  std::uint64_t source_bytes_;
  std::uint64_t work_bytes_;  // of all workers with all they do
  std::uint64_t database_bytes_;
  std::uint64_t buffer_bytes_;  // that a worker keeps besides its database
  std::uint64_t worker_bytes_;  // that a worker keeps
  bool whole_batches_;
  double bytes_per_record_byte_;
};

}  // namespace tranche
