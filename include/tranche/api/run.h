// Runs a job: in this process, or under a supervisor that outlives a crash of the engine.
//
// Threads: any thread; two runs of different jobs may go on at once in one process. The library
// never prints, never exits and installs no signal handler.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <tranche/api/job.h>
#include <tranche/base/export.h>
#include <tranche/core/counts.h>
#include <tranche/core/event.h>

namespace tranche {

struct RunOptions {
  std::optional<WorkersSpec> workers;         // instead of the steps' own
  std::optional<std::uint64_t> memory_bytes;  // instead of the job's
  std::optional<RejectLimit> max_rejects;     // instead of the steps' own
  std::filesystem::path state;  // empty: TRANCHE_STATE, or .tranche beside the job file
  bool fresh = false;           // gives up an unfinished run, undoes what was not sealed
  bool again = false;           // loads again what a completed run appended
  bool full = false;            // increments read all that is there, loaded before or not
  bool accept_input = false;
  bool accept_job = false;
  bool accept_code = false;
  // Processes the rejects of this run again, in a run of its own; empty: not.
  std::string rejects_of;
  bool in_place = false;          // with rejects_of: each record takes its own place in the output
  bool accept_snapshot = false;   // a database is read on from a new snapshot
  bool accept_committed = false;  // with fresh: rows committed to a table stay there
  std::chrono::milliseconds wait{0};  // for a run that holds the lock or a target
  // Only this run, of which the summary is given when it is completed; empty: as the job's state
  // says.
  std::string resume_run;
  const std::atomic<bool>* stop = nullptr;  // set it to end at the next group boundary
};

enum class RunState { running, completed, failed, stopped, abandoned };
std::string to_string(RunState state);

struct StepSummary {
  std::string name;
  std::string state;  // completed, failed, stopped, waiting
  Counts counts;      // of committed groups
  std::uint64_t filtered = 0;
  std::uint64_t batches = 0;
  std::uint64_t batches_resumed = 0;
  std::uint32_t retries = 0;
  double seconds = 0;
  unsigned worker_count = 0;
  std::string worker_kind;  // "threads"
  std::string worker_why;
};

struct RunSummary {
  std::string run;
  std::string job;
  RunState state = RunState::failed;
  bool already_loaded = false;  // nothing was done: a completed run has loaded this already
  std::string window;           // of a job with a schedule: the name of what it was run for
  double seconds = 0;
  std::uint64_t peak_memory_bytes = 0;
  std::vector<StepSummary> steps;
  std::vector<std::string> warnings;  // accepted differences among them
  std::optional<Error> error;         // when failed
  std::string rejects_path;           // where the rejects are, when there are any
  std::string state_folder;
  std::string to_json() const;  // the object of --json, one line
  static Result<RunSummary> from_json(std::string_view text);
};

// Runs `job` in this process, on threads. Errors: usage, config, busy: nothing was started. A run
// that failed after its start is a summary with state failed and an error.
TRANCHE_EXPORT Result<RunSummary> run(const JobSpec& job, const RunOptions& options = {},
                                      Observer* observer = nullptr);

// The same in a child process, which is started again when it dies without having said how it
// ended: a crash costs the work since the last commit. REQUIRES a process with one thread. SIGINT
// and SIGTERM of this process stop the run at a group boundary.
TRANCHE_EXPORT Result<RunSummary> run_supervised(const JobSpec& job, const RunOptions& options,
                                                 Observer* observer);

}  // namespace tranche
