#include <tranche/api/run.h>

#include <tranche/api/inspect.h>
#include "api/job_run.h"

namespace tranche {

Result<RunSummary> run(const JobSpec& job, const RunOptions& options, Observer* observer) {
  const auto state = state_folder(options.state, job.base);
  const auto stop_wanted = [&] { return options.stop != nullptr && options.stop->load(); };
  TRANCHE_ASSIGN(const auto lock, take_run_lock(job, options, state, stop_wanted));
  return JobRun(job, options, state, observer, {}).run();
}

}  // namespace tranche
