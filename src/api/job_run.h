// One execution of a job in this process, from the run's lock to its summary.
// Threads: one; `stop` may be set from elsewhere.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tranche/api/run.h>
#include "api/assemble.h"
#include "api/step_graph.h"
#include "api/step_run.h"
#include "api/step_schedule.h"
#include "api/supervisor_link.h"
#include "base/lock.h"
#include "ledger/ledger.h"

namespace tranche {

// The lock of a run: one for each job and set of parameters within a state folder.
std::string parameters_digest(const JobSpec& job);
std::filesystem::path run_lock_path(const std::filesystem::path& state, const std::string& job,
                                    const std::string& parameters_digest);
// Takes the lock, waiting up to `wait`. Errors: busy, naming the holder; stopped, when a stop was
// wanted before that.
Result<FileLock> take_run_lock(const JobSpec& job, const RunOptions& options,
                               const std::filesystem::path& state,
                               const std::function<bool()>& stop_wanted);
// How many steps of the job may run at once, each on a track: as many as its graph has side by side
// and its memory carries. Errors: config.
Result<std::size_t> tracks_of(const JobSpec& job, const RunOptions& options);

class JobRun {
 public:
  // REQUIRES that this process, or its parent, holds the run's lock. `links`: to the supervisor,
  // one for each track, tracks_of(job, options) of them; empty: there is none.
  JobRun(const JobSpec& job, const RunOptions& options, std::filesystem::path state,
         Observer* observer, std::span<SupervisorLink> links);
  Result<RunSummary> run();

 private:
  // job_run.cpp
  Result<void> check_job();
  Result<std::optional<RunSummary>> choose_run();  // a summary: there is nothing to do
  Result<std::optional<RunSummary>> after_completed(const RunRecord& last);
  RunSummary kept_summary(const RunRecord& completed) const;
  // Of a run for a window: a summary when a run has completed it.
  Result<std::optional<RunSummary>> after_window();
  Result<bool> nothing_changed_since(const RunRecord& last);
  Result<bool> has_same_content(const RunRecord& last, const StepRecord& record,
                                const BatchStep& step);
  Result<void> give_up(const RunRecord& unfinished);
  Result<void> begin_new_run();
  Result<void> check_steps();
  Result<void> bind_first_step(std::size_t number);
  Result<void> bind_when_free(std::size_t number);
  Result<RunSummary> finish(ScheduleEnd end);
  // Of a step that is looked at before it runs, in the first track.
  StepRun step_run(std::size_t number);
  void emit(Event::Kind kind, const std::string& step, std::string message);

  // job_rejects.cpp
  Result<std::optional<RunSummary>> choose_rejects_run();
  Result<void> check_rejects_steps(const RunRecord& original);
  Result<void> check_file(const RunRecord& original, const StepSpec& spec);
  Result<void> check_has_places(const RunRecord& original, const StepSpec& spec);

  const JobSpec& job_;
  const RunOptions& options_;
  Observer* observer_;
  std::span<SupervisorLink> links_;
  std::vector<std::unique_ptr<BreadcrumbBoard>> own_boards_;  // where there is no supervisor
  std::vector<StepTrack> tracks_;
  StepGraph graph_;
  std::unique_ptr<Ledger> ledger_;
  RunFrame frame_;
  bool resumed_ = false;
  std::map<std::size_t, BoundStep> bound_;  // before the run is created
  RunSummary summary_;
  std::uint64_t memory_bytes_peak_ = 0;
  std::chrono::nanoseconds started_{0};
};

// Undoes what an unfinished run has not sealed and marks it abandoned. REQUIRES its lock.
Result<void> abandon(Ledger& ledger, const RunRecord& run, const std::filesystem::path& state,
                     bool keep_committed);

}  // namespace tranche
