// One step of a run: bound to what is there, compared with what the ledger remembers, and run.
//
// Threads: one at a time; steps that run at once have an object, a ledger and a track each.
// Lifetime: frame, ledger, observer and track outlive it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <tranche/api/run.h>
#include "api/assemble.h"
#include "api/step_values.h"
#include "api/supervisor_link.h"
#include "base/lock.h"
#include "ledger/ledger.h"

namespace tranche {

// The memory of a run's processes. The kernel counts every page for it, so that steps at work at
// once, or one after the other in no time, share a count.
// Threads: any.
class MemorySampler {
 public:
  explicit MemorySampler(const SupervisorLink* link) : link_(link) {}
  std::uint64_t sample();

 private:
  const SupervisorLink* const link_;  // nullptr: all is in this process
  std::mutex mutex_;
  std::uint64_t bytes_ = 0;
  std::chrono::nanoseconds next_{0};
};

// What the steps of a run share; it does not change while they run.
struct RunFrame {
  const JobSpec& job;
  const RunOptions& options;
  std::filesystem::path state;
  RunRecord record{};
  std::string rejects_of{};  // the run whose rejects this one processes again; empty: none
  bool in_place = false;     // they take their own places in its output
  std::uint64_t memory_bytes_max = 0;
  std::uint64_t step_memory_bytes_max = 0;  // of each of the steps that run at once
  std::shared_ptr<MemorySampler> memory{};

  std::filesystem::path run_folder() const { return state / "runs" / record.run; }
};

// Where a step's workers leave their breadcrumbs, and who starts worker processes for it. Of each
// track one step at a time.
struct StepTrack {
  BreadcrumbBoard* board = nullptr;
  SupervisorLink* link = nullptr;  // nullptr: there is no supervisor
};

// A step that was bound before its run was created, and holds what it will write to.
struct BoundStep {
  BatchStep step;
  std::vector<FileLock> claims;
};

struct StepSettings;

class StepRun {
 public:
  // `values`: of the steps before it.
  StepRun(const RunFrame& frame, std::size_t number, StepValues values, Ledger& ledger,
          Observer* observer, StepTrack track)
      : frame_(frame),
        number_(static_cast<std::uint32_t>(number)),
        values_(std::move(values)),
        spec_(with_step_values(frame.job.steps[number], values_)),
        ledger_(ledger),
        observer_(observer),
        track_(track) {}

  // From where the ledger says it is. Fills the summary but for its name. `again`: a step without
  // records that is done runs once more.
  Result<engine::StepEnd> run(StepSummary& summary, std::optional<BoundStep> bound, bool again);

  // The step, bound to what is there now; a query is run for it. Errors: config.
  Result<BatchStep> bind();
  // Two runs never write one target at once. Errors: busy, stopped.
  Result<std::vector<FileLock>> claim_targets(const BatchStep& step);
  StepSurroundings surroundings();
  // The step, reading its query's result when it has one. In a run that processes rejects again
  // that is the result of the run which they are of.
  StepSpec with_records() const;
  // In a run that processes rejects again: whether nobody has replaced the output since.
  Result<void> check_still_last();

  bool was_done() const { return was_done_; }  // by an earlier start, when run() came
  // Whether it has come to its first batch, its query, or its deed, and is no step that could not
  // start.
  bool has_begun() const { return has_begun_; }
  const std::string& rejects_path() const { return rejects_path_; }  // empty: there are none

 private:
  // step_run.cpp
  // Where what a service gave is kept: in a run that processes rejects again, that of the run which
  // they are of.
  std::filesystem::path fetching_run_folder() const;
  const StepSpec& raw_spec() const { return frame_.job.steps[number_]; }
  void emit(Event::Kind kind, std::string message);
  Result<void> run_query();
  Result<engine::StepEnd> run_batches(const BatchStep& step, const StepRecord& record,
                                      StepSummary& summary);
  // Which runs an increment goes on from: those with the same parameters, or for all windows.
  std::string increment_series() const;
  Result<std::optional<std::vector<Input>>> increment_of(BatchStep& step);
  Result<std::string> watermark_of(BatchStep& step, const std::string& in_ledger);
  Result<std::vector<Input>> inputs_as_planned(const BatchStep& step, const StepRecord& record);
  Result<bool> is_past_seal();
  ConnectorUse write() const;
  Result<engine::StepEnd> skip(const BatchStep& step, StepSummary& summary);
  std::string job_base() const;
  Result<BatchStep> resume(StepRecord& record);
  Result<StepRecord> create_record(const BatchStep& step);
  Result<void> accept_or_refuse(StepRecord& record, BatchStep& step);
  Result<void> accept_new_snapshot(const BatchStep& step, StepState& state, StepLedger& step_ledger,
                                   std::vector<std::string>& accepted);
  Result<void> plan_anew(const BatchStep& step, const StepState& state,
                         const std::vector<Input>& inputs_before, StepLedger& step_ledger);
  Result<void> undo_step(const BatchStep& step, StepState& state, StepLedger& step_ledger);
  Result<void> write_rejects();
  Result<void> give_order(const BatchStep& step, const StepSurroundings& around);

  // step_deed.cpp: a step without records
  Result<engine::StepEnd> run_deed(const std::optional<StepRecord>& known, StepSummary& summary);
  bool is_stop_wanted();
  // What it wrote is noted in `settings` and in the counts. Gives how often it was tried again.
  Result<std::uint32_t> execute(StepSettings& settings, StepSummary& summary);

  // step_move.cpp: a step that moves tables
  Result<std::uint32_t> run_move(StepSettings& settings, StepSummary& summary);

  // step_rejects.cpp
  Result<BatchStep> assembled();
  Result<bool> is_in_original();
  Result<BatchStep> bind_rejects();
  Result<void> continue_output(BatchStep& step);
  Result<void> check_same_input(const BatchStep& step, const StepRecord& original);

  const RunFrame& frame_;
  const std::uint32_t number_;
  const StepValues values_;
  const StepSpec spec_;
  Ledger& ledger_;
  Observer* const observer_;
  const StepTrack track_;
  std::vector<FileLock> claims_;
  bool was_done_ = false;
  bool has_begun_ = false;
  std::uint64_t memory_bytes_peak_ = 0;  // of a move
  std::string rejects_path_;
};

std::string short_id(const std::string& run);  // of a run, for people
// Refuses to process rejects again.
Error refusal(std::string why);
// Whether a step's next run puts its output in the place of all that is there.
bool takes_place(const ConnectorUse& write);
// The error of a stop that came while another run was waited for.
Error stopped_waiting();

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
  std::vector<Field> columns = {};
  // Of a report: the file as it was written.
  std::uint64_t report_bytes = 0;
  std::uint64_t report_digest = 0;
  // Of a move: the rows of all tables.
  std::uint64_t rows_read = 0;
  std::uint64_t rows_written = 0;
};
bool is_program(const StepSettings& settings);
bool is_report(const StepSettings& settings);
bool is_move(const StepSettings& settings);
std::string to_json(const StepSettings& settings);
Result<StepSettings> step_settings_from_json(const std::string& text);

}  // namespace tranche
