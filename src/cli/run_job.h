// Runs a job before the eyes of a person: progress, summary, exit code. `run` and `resume` share
// it. Threads: the process has one thread, since the supervisor forks.
#pragma once

#include <string>
#include <vector>

#include <tranche/api/run.h>

#include "cli/command.h"

namespace tranche {

// How a run works, whichever command begins it.
std::vector<Flag> work_flags();
// What the flags of a command that runs a job say; those that it does not have say nothing.
Result<RunOptions> read_run_options(const Invocation& invocation);

// `go_on` is the command that resumes the run when it does not complete. Returns the exit code.
int run_job(const Invocation& invocation, const JobSpec& job, const RunOptions& options,
            const std::string& go_on);

}  // namespace tranche
