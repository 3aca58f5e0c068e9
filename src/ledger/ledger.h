// The ledger: the durable memory of runs, steps, plans, attempts, commits and rejects, in one
// SQLite database, `<state>/ledger.db`. It remembers and never decides; docs/ledger.md documents
// its tables.
//
// Durability: WAL with synchronous=FULL. Every method that writes returns after the write is
// durable, except where one says `soon`: that is durable with the next write that is, of whatever
// connection, and until then a power cut (nothing else) may lose it.
// Threads: a Ledger and its StepLedgers belong to one thread at a time; another thread, or another
// process, opens a Ledger of its own. Several processes may read and write at once; a writer waits
// for the others by itself, for up to 30 seconds.
// Lifetime: a StepLedger keeps the database open by itself and may outlive its Ledger.
// Errors: transient when another process kept the ledger locked for all that time; failed for a
// full disk, a damaged file, or a ledger of a newer version; usage where a method says so; bug for
// a run, a step or a state that there is not.
// Units: times are microseconds since the epoch, UTC; 0 says "not yet".
//
// Whether a run whose state is "running" is alive is told by its lock, not here.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/base/result.h>
#include <tranche/core/counts.h>
#include <tranche/core/event.h>
#include <tranche/core/ledger.h>
#include <tranche/core/plan.h>
#include <tranche/core/reject.h>
#include <tranche/core/timetable.h>

#include "base/file.h"

namespace tranche {

class SqliteDatabase;

// When a write is durable.
enum class Durable { now, soon };

// States of a run, as text: running, completed, failed, stopped, abandoned. Any other is refused.
struct RunRecord {
  std::string run;  // its id: 32 hexadecimal digits
  std::string job;
  std::string job_file;           // absolute; empty for a job built in C++
  std::string parameters;         // JSON, for people: {"day":"2026-01-31"}
  std::string parameters_digest;  // runs of one job with equal digests are the same work
  std::string state = "running";
  std::string error;    // why it failed
  std::string summary;  // JSON of the end; empty before
  std::int64_t started_microseconds = 0;
  std::int64_t ended_microseconds = 0;  // of the last end; 0 while running
  std::uint32_t starts = 1;             // how often an engine took it up
  bool stop_requested = false;
  // The id of the run whose rejects this one processes again; empty: of none. For create_run, the
  // others don't read it.
  std::string rejects_of;
  bool rejects_in_place = false;  // which then take their own places in the output
  // Of a job with a schedule: what it is run for. For create_run, the others don't read it.
  std::optional<RunWindow> window;
};

// What became of a window so far: the state of its latest run.
struct WindowRecord {
  TimeWindow times;
  std::string run;  // empty: it was completed by runs that are forgotten
  std::string state;
  std::string error;
  std::string parameters_digest;  // of that run
  std::int64_t started_microseconds = 0;
  std::int64_t ended_microseconds = 0;
};

// The failures in a row that a schedule has met in a job.
struct ScheduleTrouble {
  TimeWindow window;
  std::uint32_t failures = 0;
  std::int64_t failed_microseconds = 0;  // the last time
  std::string error;
  std::string job_digest;  // of the job file then
};

// What shapes a step's output: a digest to compare, and the text that it was made of, so that a
// difference can be named.
struct Fingerprint {
  std::string digest;
  std::string text;
  bool operator==(const Fingerprint&) const = default;
};

// States of a step, as text: waiting, running, completed, failed, stopped.
struct StepRecord {
  std::uint32_t number = 0;  // in the job, from 0
  std::string name;
  std::string state = "waiting";
  std::string error;
  Fingerprint input;
  Fingerprint job;
  Fingerprint code;
  std::vector<std::string> targets;  // what its sink claims
  std::vector<Input> inputs;         // as they were when the plan began
  Division division;
  std::string settings;  // JSON, the caller's: what else shapes output
  bool appends = false;  // its sink appends: running it again doubles the rows
  std::int64_t started_microseconds = 0;
  std::int64_t ended_microseconds = 0;
};

// What a step has done so far, from what is durable.
struct StepTotals {
  std::uint64_t batches_planned = 0;
  std::uint64_t records_planned = 0;
  std::uint64_t bytes_planned = 0;
  std::uint64_t batches_committed = 0;
  std::uint64_t groups_committed = 0;
  bool plan_complete = false;
  SealState seal = SealState::open;
  Counts counts;               // of committed groups
  std::uint64_t failures = 0;  // failed attempts
  std::string last_failure;    // the error of the latest one
};

// The last progress that the engine wrote down, for people who look on from another process.
struct LiveProgress {
  std::string step;
  std::int64_t updated_microseconds = 0;
  Progress progress;
};

// A reject with what the ledger knows of it.
struct KeptReject {
  std::string run;
  std::string step;
  std::uint64_t group = 0;
  std::uint64_t batch = 0;
  Reject reject;
};

// published: a commit carries their id. unpublished: of the latest attempt of groups that did not
// commit, kept to show what was wrong.
enum class KeptRejects { published, unpublished };

// A committed group, for people.
struct RecordedGroup {
  std::uint64_t group = 0;
  Counts counts;
  std::int64_t committed_microseconds = 0;
  GroupWork work;
};

// Rejects with the same sentence.
struct RejectSentence {
  std::string phase;
  std::string error;
  std::uint64_t count = 0;
};

struct RecordedFailure {
  std::uint64_t group = 0;
  std::uint32_t attempt = 0;
  std::string error;
  std::int64_t at_microseconds = 0;
};

// A run that ended some time ago, and what stands against forgetting it.
struct OldRun {
  std::string run;
  std::string job;
  std::string state;
  bool is_unfinished = false;  // it can be gone on with
  bool has_rejects = false;    // that nobody has processed again
  // What increments go on from, or what tells that an append was done: its details alone can go.
  bool is_needed = false;
};

class Ledger {
 public:
  // Opens the ledger of a state folder; creates folder and ledger when missing (durably).
  // Errors: failed, among them "<path> was written by a newer version of Tranche ...".
  static Result<std::unique_ptr<Ledger>> open(const fs::path& state_folder);
  // For looking on: never creates, never writes. Errors: usage, when the folder has no ledger.
  static Result<std::unique_ptr<Ledger>> open_existing_read_only(const fs::path& state_folder);
  static bool exists(const fs::path& state_folder);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // --- runs
  // Remembers a new run. A started time of 0 becomes now. REQUIRES a run id that is new.
  Result<void> create_run(RunRecord run);
  // An engine takes up a run again: its state is running; its error, its end and a request to stop
  // are forgotten, its starts are counted. Returns the number of starts.
  Result<std::uint32_t> record_start(const std::string& run);
  // running, completed, failed, stopped or abandoned; with `error` when failed. All but running end
  // it now.
  Result<void> set_run_state(const std::string& run, std::string_view state,
                             const std::string& error = {});
  Result<void> record_summary(const std::string& run, const std::string& summary_json);
  // Asks the engine of the run to end at the next group boundary.
  Result<void> request_stop(const std::string& run);
  Result<bool> stop_requested(const std::string& run);
  // Sentences that belong to the run's summary: accepted differences and the like, in order.
  Result<void> add_warning(const std::string& run, const std::string& sentence);
  Result<std::vector<std::string>> warnings(const std::string& run);

  // The run of this job that was created last; only with these parameters, only in this state, when
  // given.
  Result<std::optional<RunRecord>> latest_run(
      const std::string& job, const std::optional<std::string>& parameters_digest = std::nullopt,
      const std::string& state = {});
  // The run that `words` name: its id or the beginning of it (4 digits or more), a job's name (its
  // latest run), or "last". Errors: usage, when there is none, or when several ids begin like this.
  Result<RunRecord> find_run(const std::string& words);
  // The latest runs, newest first; 0: all of them.
  Result<std::vector<RunRecord>> list_runs(std::uint32_t limit);

  // --- windows of jobs with a schedule
  Result<std::optional<RunWindow>> window_of(const std::string& run);
  // The latest run of each window that ends behind `from`, by their beginnings. Windows of another
  // schedule that the job had are among them.
  Result<std::vector<WindowRecord>> windows(const std::string& job, const std::string& variant,
                                            std::int64_t from_microseconds);
  Result<std::optional<WindowRecord>> window_record(const std::string& job,
                                                    const RunWindow& window);
  Result<std::optional<ScheduleTrouble>> trouble(const std::string& job);
  Result<void> record_trouble(const std::string& job, const ScheduleTrouble& trouble);
  Result<void> forget_trouble(const std::string& job);

  // --- retention
  // Runs that ended before, oldest first, of which something can be forgotten.
  Result<std::vector<OldRun>> old_runs(std::int64_t ended_before_microseconds);
  // Forgets a run, or its details: its plan, commits, failures and rejects. A window that it has
  // completed stays done.
  Result<void> forget_run(const std::string& run);
  Result<void> forget_details(const std::string& run);
  Result<bool> are_details_forgotten(const std::string& run);
  // Gives the room of what is forgotten back to the disk, where nobody else is at the ledger.
  Result<void> shrink();

  // --- steps
  Result<void> create_step(const std::string& run, const StepRecord& step);  // soon
  // nullopt when the run has no such step yet.
  Result<std::optional<StepRecord>> load_step(const std::string& run, const std::string& step);
  Result<std::vector<StepRecord>> list_steps(const std::string& run);  // by number
  // What all completed runs of a step have read, in order: for increments.
  Result<std::vector<Input>> inputs_read(const std::string& job,
                                         const std::string& parameters_digest,
                                         const std::string& step);
  // The same of runs for windows, whose parameters differ.
  Result<std::vector<Input>> inputs_read_for_windows(const std::string& job,
                                                     const std::string& variant,
                                                     const std::string& step);
  // Replaces fingerprints, inputs, division, targets and settings (a difference was accepted); the
  // state stays. REQUIRES a step that exists.
  Result<void> update_step(const std::string& run, const StepRecord& step);
  // running starts it (once), all but waiting and running end it now.
  Result<void> set_step_state(const std::string& run, const std::string& step,
                              std::string_view state, const std::string& error = {},
                              Durable durable = Durable::now);
  Result<StepTotals> step_totals(const std::string& run, const std::string& step);
  // The port that the engine works with. Errors: bug, when there is no such step.
  Result<std::unique_ptr<StepLedger>> step_ledger(const std::string& run, const std::string& step);

  // --- progress: one row a step, soon. Writes at most once a second, else returns at once; `now`
  // writes whenever it is called.
  Result<void> record_progress(const std::string& run, const std::string& step,
                               const Progress& progress, bool now = false);
  Result<std::vector<LiveProgress>> live_progress(const std::string& run);  // by step number

  // The run whose rejects this one processes again; empty: it is another kind of run.
  Result<std::string> rejects_of(const std::string& run);
  Result<bool> rejects_in_place(const std::string& run);
  // The run that processes the rejects of this one again; one that was abandoned only if something
  // of it is committed. Empty: there is none.
  Result<std::string> rejects_retried_by(const std::string& run);
  // The run that sealed a step with these targets last; empty: none did.
  Result<std::string> last_sealed_by(std::span<const std::string> targets);

  // --- rejects, in order of step, group and record. An error of `take` ends the reading and is
  // returned. An empty `step` means all; a limit of 0 too.
  using RejectTaker = std::function<Result<void>(const KeptReject&)>;
  Result<void> read_rejects(const std::string& run, const std::string& step, KeptRejects which,
                            std::uint64_t limit, const RejectTaker& take);
  Result<std::uint64_t> count_rejects(const std::string& run, const std::string& step,
                                      KeptRejects which);

  // --- what a report of a run is made of. An error of `take` ends the reading and is returned.
  Result<void> read_groups(const std::string& run, const std::string& step,
                           const std::function<Result<void>(const RecordedGroup&)>& take);
  Result<void> read_reject_sentences(
      const std::string& run, const std::string& step,
      const std::function<Result<void>(const RejectSentence&)>& take);
  // The latest ones, the latest last.
  Result<std::vector<RecordedFailure>> failures(const std::string& run, const std::string& step,
                                                std::uint32_t limit);

  const fs::path& path() const { return path_; }

 private:
  Result<void> insert_step(const std::string& run, const StepRecord& step);
  Ledger(std::shared_ptr<SqliteDatabase> database, fs::path path);
  static Result<std::unique_ptr<Ledger>> open_database(const fs::path& path);

  Result<bool> has_table(const char* name);  // an older one that is only looked at may not
  Result<std::vector<WindowRecord>> read_windows(const std::string& job, const std::string& variant,
                                                 std::int64_t begins_min, std::int64_t begins_max,
                                                 std::int64_t ends_min);

  std::shared_ptr<SqliteDatabase> database_;
  fs::path path_;
  std::chrono::nanoseconds progress_written_{0};  // monotonic
  std::string progress_written_of_;               // run and step
};

}  // namespace tranche
