// One execution of a job in this process, from the run's lock to its summary.
// Threads: one; `stop` may be set from elsewhere.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tranche/api/run.h>
#include "api/assemble.h"
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
std::string short_id(const std::string& run);  // of a run, for people
// The error of a stop that came while another run was waited for.
Error stopped_waiting();

class JobRun {
 public:
  // REQUIRES that this process, or its parent, holds the run's lock. `link`: to the supervisor;
  // nullptr: there is none.
  JobRun(const JobSpec& job, const RunOptions& options, std::filesystem::path state,
         Observer* observer, SupervisorLink* link);
  Result<RunSummary> run();

 private:
  // job_run.cpp
  Result<void> check_job();
  Result<std::optional<RunSummary>> choose_run();  // a summary: there is nothing to do
  Result<std::optional<RunSummary>> after_completed(const RunRecord& last);
  RunSummary kept_summary(const RunRecord& completed) const;
  Result<bool> nothing_changed_since(const RunRecord& last);
  Result<void> give_up(const RunRecord& unfinished);
  Result<void> begin_new_run();
  Result<std::optional<BatchStep>> checked_first_step();
  Result<RunSummary> go_through_steps();
  Result<RunSummary> finish(RunState state, std::optional<Error> error);
  Result<void> settle_memory();
  std::filesystem::path run_folder() const;
  void emit(Event::Kind kind, const std::string& step, std::string message);

  // job_rejects.cpp
  Result<std::optional<RunSummary>> choose_rejects_run();
  Result<void> check_rejects_steps(const RunRecord& original);
  Result<void> check_still_last(const StepSpec& spec);
  Result<void> check_file(const RunRecord& original, const StepSpec& spec);
  Result<void> check_has_places(const RunRecord& original, const StepSpec& spec);
  Result<void> check_same_input(const StepSpec& spec, const BatchStep& step,
                                const StepRecord& original);
  Result<BatchStep> bound_rejects_step(std::size_t number);
  Result<BatchStep> assembled(std::size_t number);
  Result<void> continue_output(BatchStep& step);

  // job_execute.cpp
  Result<engine::StepEnd> step_without_records(std::size_t number,
                                               const std::optional<StepRecord>& known,
                                               StepSummary& summary);
  // The step, reading its query's result when it has one. In a run that processes rejects again
  // that is the result of the run which they are of.
  StepSpec with_records(std::size_t number) const;
  Result<void> run_query(const StepSpec& spec);
  bool is_stop_wanted();
  // Gives how often it was tried again.
  Result<std::uint32_t> execute(const StepSpec& spec);

  // job_step.cpp
  Result<engine::StepEnd> run_step(std::size_t number, StepSummary& summary);
  Result<BatchStep> bound_step(std::size_t number, const std::vector<Input>* inputs);
  Result<std::optional<std::vector<Input>>> increment_of(BatchStep& step);
  Result<std::string> watermark_of(BatchStep& step, const std::string& in_ledger);
  Result<std::vector<Input>> inputs_as_planned(const BatchStep& step, const StepRecord& record);
  Result<bool> is_past_seal(const std::string& step);
  ConnectorUse write_of(const StepSpec& spec) const;
  Result<engine::StepEnd> skip_step(std::size_t number, const BatchStep& step,
                                    StepSummary& summary);
  std::string job_base() const;
  Result<BatchStep> resumed_step(std::size_t number, StepRecord& record);
  Result<StepRecord> create_record(std::size_t number, const BatchStep& step);
  Result<void> accept_or_refuse(const StepSpec& spec, StepRecord& record, BatchStep& step);
  Result<void> accept_new_snapshot(const BatchStep& step, StepState& state, StepLedger& step_ledger,
                                   std::vector<std::string>& accepted);
  Result<void> plan_anew(const BatchStep& step, const StepState& state,
                         const std::vector<Input>& inputs_before, StepLedger& step_ledger);
  Result<void> undo_step(const BatchStep& step, StepState& state, StepLedger& step_ledger);
  Result<void> claim_targets(const BatchStep& step);
  Result<void> write_rejects(const StepSpec& spec);
  StepSurroundings surroundings();
  Result<void> give_order(std::size_t number, const BatchStep& step,
                          const StepSurroundings& around);

  const JobSpec& job_;
  const RunOptions& options_;
  std::filesystem::path state_;
  Observer* observer_;
  SupervisorLink* link_;
  std::unique_ptr<BreadcrumbBoard> own_board_;  // where there is no supervisor
  std::unique_ptr<Ledger> ledger_;
  RunRecord record_;
  std::string rejects_of_;  // the run whose rejects this one processes again; empty: none
  bool in_place_ = false;   // they take their own places in its output
  bool resumed_ = false;
  std::optional<BatchStep> first_step_;  // bound before the run is created
  std::vector<FileLock> claims_;
  std::uint64_t memory_bytes_max_ = 0;
  std::uint64_t memory_bytes_peak_;
  RunSummary summary_;
  std::chrono::nanoseconds started_{0};
};

// Undoes what an unfinished run has not sealed and marks it abandoned. REQUIRES its lock.
Result<void> abandon(Ledger& ledger, const RunRecord& run, const std::filesystem::path& state,
                     bool keep_committed);

// The error of a resume whose `part` of a step (input, job, code) is not what it was.
Error changed_since(const std::string& run, const std::string& step, const std::string& part,
                    const std::string& difference);

// What a step's record keeps besides the ledger's own columns.
struct StepSettings {
  ConnectorUse write;  // of a step that executes: what it executes; of a program its options
  std::string base;
  std::uint64_t database_memory_bytes = 0;
  bool executes = false;  // it has no records
  // Of a step that writes a table: those whose values `verify` compares.
  std::vector<Field> columns;
};
bool is_program(const StepSettings& settings);
std::string to_json(const StepSettings& settings);
Result<StepSettings> step_settings_from_json(const std::string& text);

}  // namespace tranche
