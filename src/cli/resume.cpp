#include <fmt/format.h>

#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "cli/run_job.h"
#include "jobfile/load.h"

namespace tranche {
namespace {

int act(const Invocation& invocation) {
  // The ledger is closed again before the supervisor forks.
  const auto named = take_run(invocation);
  if (!named) return fail(invocation, named.error());
  const RunInfo& run = named->info;
  if (run.state == "completed" || run.state == "abandoned")
    return fail(invocation, make_error(ErrorKind::usage,
                                       fmt::format("Run {} is {}: there is nothing to go on with",
                                                   run.run.substr(0, 8), run.state)));
  const std::optional<JobSpec> job = job_of_run(invocation, run);
  if (!job) return exit_usage;
  RunOptions options;
  options.state = named->state;
  options.resume_run = run.run;
  return run_job(invocation, *job, options, command_as_typed(invocation));
}

}  // namespace

Command resume_command() {
  Command made;
  made.name = "resume";
  made.group = "Work";
  made.summary = "goes on with a run that failed, was stopped or was interrupted";
  made.detail =
      "The job file and the parameters are those of the run. \"tranche run JOB\" does "
      "the same, and takes options besides.";
  made.operand = Operand::optional_run;
  made.flags = run_flags();
  made.examples = {{"resume last", "goes on with the latest run"},
                   {"resume 3f9a1c2e", "with this one"}};
  made.act = act;
  return made;
}

}  // namespace tranche
