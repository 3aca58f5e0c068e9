// Looks at jobs and runs without running them, and steers runs from outside.
//
// Threads: any thread. Nothing here writes output; stop_run writes a request into the ledger, and
// abandon_run undoes what an unfinished run has not sealed.
// Errors: usage (no such run), config (the job is wrong), busy, failed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tranche/api/job.h>
#include <tranche/api/run.h>
#include <tranche/base/export.h>
#include <tranche/core/ledger.h>
#include <tranche/core/page.h>

namespace tranche {

// Where a job keeps its state: `given`, else TRANCHE_STATE, else .tranche beside the job file (or
// in the working directory).
TRANCHE_EXPORT std::filesystem::path state_folder(const std::filesystem::path& given,
                                                  const std::filesystem::path& job_base);

struct RunInfo {
  std::string run;
  std::string job;
  std::string job_file;
  std::vector<std::pair<std::string, std::string>> parameters;
  std::string state;   // running, completed, failed, stopped, abandoned, interrupted
  bool alive = false;  // a living process holds its lock
  std::int64_t started_microseconds = 0;
  std::int64_t ended_microseconds = 0;  // 0: not ended
  std::string error;
  std::optional<RunWindow> window;    // of a job with a schedule: what it is run for
  std::string rejects_of;             // the run whose rejects it processes again; empty: none
  std::string rejects_retried_by;     // the run that processes its rejects again; empty: none
  std::string step;                   // the step it is at
  Progress progress;                  // as last written by the run
  std::optional<RunSummary> summary;  // when it has ended
};
// "interrupted": the ledger says running, but nobody holds the lock: the next run resumes it.
TRANCHE_EXPORT Result<std::vector<RunInfo>> list_runs(const std::filesystem::path& state,
                                                      std::size_t limit);
// `name`: a run's id or the beginning of one, a job's name (its latest run), or "last".
TRANCHE_EXPORT Result<RunInfo> find_run(const std::filesystem::path& state,
                                        const std::string& name);

// Each published reject as one JSON object (DESIGN of a reject line), in order.
// When `published_only` is false: those of the failed attempt that ended the run come last.
TRANCHE_EXPORT Result<std::uint64_t> for_each_reject(
    const std::filesystem::path& state, const std::string& run, bool published_only,
    const std::function<Result<void>(const std::string& json_line)>& take);

// What the programs of a run wrote to standard error, as far as it is kept: gives each file's name
// (of the step and the worker) and its text, in order of the names, what is older first.
TRANCHE_EXPORT Result<void> for_each_log(
    const std::filesystem::path& state, const std::string& run,
    const std::function<Result<void>(const std::string& name, const std::string& text)>& take);

TRANCHE_EXPORT Result<void> stop_run(const std::filesystem::path& state, const std::string& run);
TRANCHE_EXPORT Result<void> abandon_run(const std::filesystem::path& state, const std::string& run,
                                        bool keep_committed);

// How a run went, as far as the ledger knows: what its report is made of.
struct ReportedGroup {
  std::uint64_t group = 0;
  std::uint64_t read = 0;
  std::uint64_t written = 0;
  std::uint64_t rejected = 0;
  std::int64_t committed_microseconds = 0;
  GroupWork work;
};
struct ReportedReason {
  std::string phase;
  std::string reason;  // what the sentences of these rejects have in common
  std::string example;
  std::uint64_t count = 0;
};
struct ReportedFailure {
  std::uint64_t group = 0;
  std::uint32_t attempt = 0;
  std::string error;
  std::int64_t at_microseconds = 0;
};
struct ReportedStep {
  std::string name;
  std::string state;
  std::string error;
  std::int64_t started_microseconds = 0;
  std::int64_t ended_microseconds = 0;  // 0: not ended
  std::vector<ReportedGroup> groups;    // committed, in order
  std::vector<ReportedReason> reasons;  // of rejects, the most frequent first
  std::vector<ReportedFailure> failures;  // the latest ones
};
struct RunReport {
  RunInfo info;
  std::vector<ReportedStep> steps;
  std::vector<std::string> warnings;
};
TRANCHE_EXPORT Result<RunReport> report_run(const std::filesystem::path& state,
                                            const std::string& run);

struct VerifiedStep {
  std::string step;
  std::string deed;  // "executed" SQL, "ran" a program: it has no rows of its own
  std::uint64_t rows = 0;
  std::vector<std::string> differences;  // empty: what the ledger says is what is there
  std::string only_counted;  // why the rows of a table were counted only; empty: they were compared
};
TRANCHE_EXPORT Result<std::vector<VerifiedStep>> verify_run(const std::filesystem::path& state,
                                                            const std::string& run);

// What of a state folder can be forgotten: runs that have ended. Kept are the latest run of each
// job, those that can be gone on with, those with rejects that nobody has processed again, and of
// the others what increments go on from and what tells that a window, or an append, is done.
struct ForgetOptions {
  std::int64_t ended_before_microseconds = 0;
  std::uint64_t state_bytes_max = 0;  // more is forgotten, the oldest first, until it fits; 0: not
  bool with_rejects = false;          // those that nobody has processed again too
  bool dry_run = false;
};
struct Forgotten {
  std::vector<std::pair<std::string, std::string>> runs;  // their ids and jobs
  std::uint64_t kept_unfinished = 0;                      // of those that ended before
  std::uint64_t kept_rejects = 0;
  std::uint64_t bytes_before = 0;  // of the state folder
  std::uint64_t bytes_after = 0;
};
// Errors: those of the ledger; usage, when there is none.
TRANCHE_EXPORT Result<Forgotten> forget_runs(const std::filesystem::path& state,
                                             const ForgetOptions& options);

// The schemas between the stages of each step: ("read", ...), ("sql", ...), ("write", ...).
struct CheckedStep {
  std::string step;
  std::string deed;  // "executes SQL", "runs a program", "reads ...": it has no inputs
  std::vector<std::pair<std::string, SchemaPtr>> stages;
  std::vector<Input> inputs;
  std::vector<Error> errors;       // all that is wrong with it
  std::vector<std::string> notes;  // "2 columns were guessed from a sample"
};
TRANCHE_EXPORT Result<std::vector<CheckedStep>> check_job(const JobSpec& job);

struct DataCheck {
  std::uint64_t records = 0;
  std::uint64_t rejects = 0;
};
// Reads and transforms everything, writes nothing; gives each bad record as a JSON line.
TRANCHE_EXPORT Result<DataCheck> check_data(
    const JobSpec& job, const std::function<Result<void>(const std::string& json_line)>& take);

struct PlannedStep {
  std::string step;
  std::string deed;  // "executes SQL", "runs a program": it has no batches
  std::vector<Input> inputs;
  Division division;
  std::vector<BatchPlan> batches;
};
TRANCHE_EXPORT Result<std::vector<PlannedStep>> plan_job(const JobSpec& job);

struct PreviewStage {
  std::string stage;           // "read", "sql", ...
  std::unique_ptr<Page> page;  // the first rows
  std::uint64_t rejects = 0;
};
// The first records of a step (empty: the first step) before and after each transform.
TRANCHE_EXPORT Result<std::vector<PreviewStage>> preview_step(const JobSpec& job,
                                                              const std::string& step,
                                                              std::size_t rows);

}  // namespace tranche
