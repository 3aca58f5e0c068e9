// What a worker process must know of the step that it works on, and its life.
// Threads: pure functions, and the one thread of a process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tranche/api/job.h>
#include <tranche/api/run.h>
#include "api/step_values.h"
#include "api/supervisor_link.h"
#include "base/control_group.h"
#include "steps/batch_step.h"

namespace tranche {

struct WorkerOrder {
  std::uint32_t step = 0;  // position in the job
  SinkRun run;
  std::uint64_t memory_bytes_max = 0;
  std::uint64_t database_memory_bytes = 0;
  std::string spill_folder;
  std::vector<Input> inputs;
  StepValues values;            // of the steps before it
  bool is_for_rejects = false;  // of an earlier run, to be processed again
  std::string fetching_run_folder;  // of the run that has fetched what is read
  std::string fingerprint;      // of what the engine has bound: a worker must find the same
};
std::string encode_order(const WorkerOrder& order);
Result<WorkerOrder> decode_order(const std::string& bytes);
// Of a bound step: its schemas, and what its SQL reads besides the batch.
Result<std::string> binding_fingerprint(const BatchStep& step);

// The life of a worker process: binds the step, and works for the engine at the other end of the
// channel. Returns the code to exit with. Joins the group when its memory is limited, unless it is
// null. REQUIRES a process that was just forked.
int run_worker(const JobSpec& job, const RunOptions& options, const WorkerRequest& request,
               Channel channel, BreadcrumbBoard& board, const MemoryGroup* group);

}  // namespace tranche
