// The run loop of one step: plans, dispatches, retries, commits in order, seals, recovers.
//
// It stands on the ports of core alone (a plan to pull batches from, an executor, a sink, a ledger,
// a clock), so that it can be run against simulated ones. Threads: run() takes the calling thread
// until the step ends; `stop` may be set from elsewhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/event.h>
#include <tranche/core/ledger.h>
#include <tranche/core/policy.h>
#include <tranche/core/sink.h>
#include <tranche/core/task.h>
#include "base/clock.h"

namespace tranche::engine {

// What a worker had in work when the engine before this one died with it.
struct Suspect {
  std::uint32_t step = 0;  // position in the job
  Death death;
};

// What the engine needs to know of a step.
struct StepWork {
  SinkRun run;
  SchemaPtr schema;  // of the records that reach the sink
  // The next batch behind the last one of the plan; nullopt at the end of the source.
  std::function<Result<std::optional<BatchPlan>>()> next_batch;
  // Whether next_batch() would give something now, or after a wait that is no longer than that;
  // empty: it is called whatever it takes.
  std::function<bool(std::chrono::milliseconds longest)> batch_is_ready;
  // What the source noted while it was divided; may be empty.
  std::function<std::vector<Checkpoint>()> take_checkpoints;
  Sink* sink = nullptr;
  StepLedger* ledger = nullptr;
  Executor* executor = nullptr;
  // Takes trials; the executor itself when its workers are processes. nullptr: whatever kills a
  // worker fails the step.
  Executor* isolator = nullptr;
  std::vector<Suspect> suspects;
  std::vector<std::string> stages;  // names of the transforms, in order
  Clock* clock = nullptr;
  Observer* observer = nullptr;  // may be nullptr
  // Of a run that processes only some records again: which, in order; nullptr: all.
  const std::vector<std::uint64_t>* only = nullptr;
  // The batches that hold one of them are processed whole, and take the place of what the earlier
  // run wrote of them; the others stay as they are. Each batch is a group.
  bool rewrites = false;
  RejectLimit reject_limit;
  std::uint64_t same_failures_max = same_failures_max_default;  // of the first records; 0: any
  RetryPolicy retry;
  bool whole_batches = false;           // a task is a whole batch, not a chunk (SQL over `batch`)
  std::uint64_t memory_bytes_max = 0;   // for work and results
  std::uint64_t task_memory_bytes = 0;  // of a task besides its records: embedded database, buffers
  double memory_per_record_byte = 1.0;  // bytes a task holds for each byte of its records as Pages
  // How much may be planned that no worker has read: what is beyond, the source would have to
  // decode twice.
  std::uint64_t unread_bytes_max = UINT64_MAX;
  std::uint64_t input_bytes_total = 0;  // of the files, for progress
  const std::atomic<bool>* stop = nullptr;
  std::function<std::uint64_t()> sample_memory;  // bytes of the process tree now; may be empty
};

// How a step ended.
struct StepEnd {
  enum class State { completed, stopped, failed };
  State state = State::failed;
  std::optional<Error> error;       // when failed
  std::vector<Reject> bad_records;  // the first ones of the group that failed the step
  std::uint64_t bad_record_count = 0;
  Counts counts;  // of all committed groups, earlier processes included
  std::uint64_t batches_committed = 0;
  std::uint64_t batches_resumed = 0;
  std::uint32_t retries = 0;
  std::uint64_t memory_bytes_peak = 0;
  bool has_begun = false;  // it came to its first batch in this process, or beyond its last one
  unsigned workers = 0;    // that were at work, lanes among them; 0: it did not get that far
  std::string workers_why;
};
inline constexpr std::size_t bad_records_shown = 10;

// Runs the step from what the ledger says is done. `state` is what ledger.load() gave, after the
// sink has recovered (see recover_commits); `state.batches` of uncommitted groups are dispatched as
// planned.
StepEnd run_step(const StepWork& work, StepState state);

// Makes ledger and target agree before the step goes on: the target is the authority. Commits that
// the target has and the ledger lacks are copied to the ledger; those that the ledger has and the
// target lacks are forgotten, so that they are redone. Returns the state that run_step takes.
Result<StepState> recover_commits(const StepWork& work);

}  // namespace tranche::engine
