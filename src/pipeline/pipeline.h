// A step's read -> transforms -> encode as one function of a task.
//
// Threads: the Pipeline is shared by workers and read only; make_worker gives each its own state.
// Lifetime: source, transforms and sink outlive the pipeline, which outlives its workers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tranche/core/sink.h>
#include <tranche/core/source.h>
#include <tranche/core/task.h>
#include <tranche/core/transform.h>

namespace tranche {

struct Pipeline {
  const Source* source = nullptr;
  std::vector<const Transform*> transforms;  // in order
  const Sink* sink = nullptr;                // nullptr: what comes out is counted and dropped
  std::uint64_t database_memory_bytes = 0;   // of each worker's embedded database; from the plan
  std::string spill_folder;                  // exists
  std::string log_prefix;                    // WorkerScope::log_prefix(), of the step
  std::uint64_t rejects_enough = UINT64_MAX;  // in one batch, to fail the step
  BreadcrumbBoard* board = nullptr;  // a slot for each worker; nullptr: nobody looks

  // A task must be a whole batch: some transform sees all of it at once.
  bool whole_batches() const;
};

// `lanes`: that help it; they outlive it.
Result<std::unique_ptr<Worker>> make_worker(const Pipeline& pipeline, unsigned number,
                                            Lanes* lanes = nullptr);

}  // namespace tranche
