// Everything that a program with a job of its own needs, and the command line that it then has.
//
//   int main(int argc, char** argv) { return tranche::main(argc, argv, job); }
//
// Threads: call tranche::main first thing in main, while the process has one thread: the engine
// runs in a child process, so that a crash costs the work since the last commit. Errors: told on
// standard error; the exit code is 0 completed, 1 failed (resumable), 2 usage or job, 3 stopped
// (resumable), 4 busy.
#pragma once

#include <tranche/api/builder.h>
#include <tranche/api/inspect.h>
#include <tranche/api/job.h>
#include <tranche/api/run.h>
#include <tranche/base/export.h>

namespace tranche {

// The command `tranche`: run, check, plan, ..., each for a job file.
TRANCHE_EXPORT int main(int argc, char** argv);

// The same commands for one job, that of this program; relative paths are relative to job.base.
TRANCHE_EXPORT int main(int argc, char** argv, const JobSpec& job);

}  // namespace tranche
