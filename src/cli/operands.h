// The JOB and the RUN that a command is given, and the options that go with them.
//
// Threads: one. Errors: usage and config; problems of a job file are all reported at once.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <tranche/api/inspect.h>
#include <tranche/api/job.h>

#include "base/file.h"
#include "cli/command.h"
#include "jobfile/load.h"

namespace tranche {

// The options of every command that takes a job, and of every one that takes a run.
const std::vector<Flag>& job_flags();
std::vector<Flag> job_window_flags();  // and of those that take one window of it
const std::vector<Flag>& run_flags();
// `own` first, then `shared`.
std::vector<Flag> flags_with(std::vector<Flag> own, const std::vector<Flag>& shared);

// The job that is named, with its parameters; nullopt: what is wrong was said, exit with 2. One
// with a schedule is taken for the window that --window names, else for the latest that is due.
std::optional<JobSpec> take_job(const Invocation& invocation);
std::optional<JobSpec> take_job(const Invocation& invocation, const WindowChoice& choose);

// The error of a flag that only a job with a schedule takes.
Error no_schedule(const std::string& flag, const std::string& job);

// A run in its state folder, as RUN names it: an id, a job's name, "last", or a job file.
struct NamedRun {
  fs::path state;
  RunInfo info;
};
Result<NamedRun> take_run(const Invocation& invocation);
Result<fs::path> take_state(const Invocation& invocation);

// The job of a run as its file is now, with the run's own parameters; nullopt: what is wrong was
// said, exit with 2.
std::optional<JobSpec> job_of_run(const Invocation& invocation, const RunInfo& run);

// The whole command, to be typed again.
std::string command_as_typed(const Invocation& invocation);
// `word` as a shell takes it.
std::string quote_for_shell(const std::string& word);

}  // namespace tranche
