// A batch step: one source, some transforms, one sink and a policy, run batch by batch.
//
// Life: assemble (somebody above) -> bind (checks everything, reads nothing but heads and schemas)
// -> run. Between them the caller creates or loads the step in the ledger. Threads: one thread; run
// starts workers of its own and joins them.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tranche/core/policy.h>
#include <tranche/core/sink.h>
#include <tranche/core/source.h>
#include <tranche/core/transform.h>
#include "base/channel.h"
#include "connectors/file_inputs.h"
#include "engine/step_engine.h"
#include "executors/processes.h"
#include "ledger/ledger.h"

namespace tranche {

struct BatchStep {
  std::string name;
  std::unique_ptr<Source> source;
  std::vector<std::unique_ptr<Transform>> transforms;
  std::unique_ptr<Sink> sink;
  Division division;  // as asked; what is 0 is chosen
  RejectLimit reject_limit;
  std::uint64_t same_failures_max = same_failures_max_default;
  RetryPolicy retry;
  WorkersSpec workers;
  std::vector<FileIncrement> files;  // of sources of files: what increments and their end do

  // Of a run that processes the rejects of an earlier one again: which records, in order.
  std::optional<std::vector<std::uint64_t>> only;
  // With `only`, where that run's output is rewritten: its plan, which must come out again.
  std::optional<std::vector<BatchPlan>> rewritten;

  std::string increment;             // its name for watermarks; empty: they are not sealed
  std::vector<std::string> notices;  // what an increment left out, for people
  bool has_nothing_new = false;      // an increment of files found none: nothing is bound

  // Set by bind.
  std::vector<Input> inputs;
  std::vector<std::pair<std::string, SchemaPtr>>
      schemas;  // "read", each transform, the last is written
  // The files that are read only once; nullptr: there are none. Of a step with one source.
  const FileIncrement* file_increment() const {
    return files.size() == 1 && files.front().is_incremental ? &files.front() : nullptr;
  }
  const SchemaPtr& output_schema() const { return schemas.back().second; }
};

// What a run gives each of its steps.
struct StepSurroundings {
  SinkRun run;
  std::uint64_t memory_bytes_max = 0;       // of this step
  std::uint64_t run_memory_bytes_max = 0;   // of all steps that run at once
  std::uint64_t database_memory_bytes = 0;  // of each embedded database; from the plan
  std::string spill_folder;                 // exists
  BreadcrumbBoard* board = nullptr;         // of this run's workers; run_batch_step needs it
  // Starts worker processes; nullptr: there is no supervisor, so there are none.
  WorkerStarter* starter = nullptr;
  // What died with the engine before this one.
  std::vector<engine::Suspect> suspects;
  Clock* clock = nullptr;
  Observer* observer = nullptr;
  const std::atomic<bool>* stop = nullptr;
  std::function<std::uint64_t()> sample_memory;
};

// Fixes the inputs (nullptr: those that are there now) and checks source, transforms and sink
// against each other. Read-only. Errors: config.
Result<void> bind_step(BatchStep& step, const std::vector<Input>* inputs,
                       const StepSurroundings& surroundings);

// Has the source keep what it fetches in the folder of this run, where it is until the step is
// done. Before bind_step.
void keep_fetched(const BatchStep& step, const std::filesystem::path& run_folder);
std::filesystem::path fetched_folder(const std::filesystem::path& run_folder,
                                     const std::string& step);

// What the plan uses: asked, else what source and sink suggest.
Division full_division(const BatchStep& step);

// Makes the ledger of a bound step agree with its target; run_batch_step begins with it.
Result<StepState> recover_batch_step(const BatchStep& step, StepLedger& ledger,
                                     const StepSurroundings& surroundings);

// Whether the first batch of a bound step can be worked on within the budget. Errors: config, with
// the budget that would do.
Result<void> check_memory(const BatchStep& step, const StepSurroundings& surroundings);

// The whole plan of a bound step, without a ledger (`tranche plan`).
Result<std::vector<BatchPlan>> plan_batches(const BatchStep& step);

// Runs a bound step from where the ledger says it is. `division` is that of the ledger.
engine::StepEnd run_batch_step(const BatchStep& step, const Division& division, StepLedger& ledger,
                               const StepSurroundings& surroundings);

// In a worker process: binds the step to the inputs of the plan, and its sink to the run.
Result<void> bind_worker(BatchStep& step, const std::vector<Input>& inputs,
                         const StepSurroundings& surroundings);
// Then works for the engine at the other end of the channel; returns the code to exit with.
int work_on_step(const BatchStep& step, const StepSurroundings& surroundings, Channel channel,
                 unsigned slot);

// Reads and transforms everything, writes nothing; `take` gets every reject in order. Returns the
// counts.
Result<Counts> check_batches(const BatchStep& step, const StepSurroundings& surroundings,
                             const std::function<Result<void>(const Reject&)>& take);

// The first `rows` records of a bound step: as read, and behind each transform.
struct StagePreview {
  std::string stage;
  std::unique_ptr<Page> page;
  std::uint64_t rejects = 0;
};
Result<std::vector<StagePreview>> preview_batch(const BatchStep& step,
                                                const StepSurroundings& surroundings,
                                                std::size_t rows);

// Checks that the bytes of committed batches are what they were, and that the inputs behind which
// the plan goes on hold nothing else by now; `before`: the inputs as they were. Errors: config.
Result<void> compare_committed(const BatchStep& step, const StepState& state,
                               const std::vector<Input>& before);

}  // namespace tranche
