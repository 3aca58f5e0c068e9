#include "api/job_run.h"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include <tranche/api/inspect.h>
#include "api/assemble.h"
#include "api/query_result.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/process.h"
#include "base/scratch_folder.h"
#include "base/text.h"
#include "steps/step_memory.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

std::string parameters_json(const JobSpec& job) {
  Json json(Json::Object{});
  for (const auto& parameter : job.parameters) {
    json.set(parameter.name, parameter.is_null ? Json() : Json(parameter.text));
  }
  return json.dump();
}

bool is_unfinished(const RunRecord& run) {
  return run.state == "running" || run.state == "failed" || run.state == "stopped";
}

// What fails before anything was begun is for the person at the command line to mend.
Error before_the_start(Error error) {
  if (error.kind == ErrorKind::failed) error.kind = ErrorKind::config;
  return error;
}

// What a finished step has appended can't be taken back, and the next run would append it again.
// Asked before anything is undone.
Result<void> refuse_what_was_appended(Ledger& ledger, const RunRecord& run,
                                      const std::vector<StepRecord>& steps) {
  for (const auto& step : steps) {
    if (!step.appends) continue;
    TRANCHE_ASSIGN(const auto totals, ledger.step_totals(run.run, step.name));
    if (totals.seal == SealState::open || totals.counts.written == 0) continue;
    return make_error(
        ErrorKind::config,
        fmt::format("Step \"{}\" of run {} has appended {} rows, which can't be taken back; "
                    "--accept committed gives the run up and leaves them there.",
                    step.name, short_id(run.run), totals.counts.written));
  }
  return {};
}

}  // namespace

std::string short_id(const std::string& run) { return run.substr(0, 8); }

std::string parameters_digest(const JobSpec& job) { return digest_hex(parameters_json(job)); }

std::filesystem::path run_lock_path(const std::filesystem::path& state, const std::string& job,
                                    const std::string& parameters) {
  return state / "locks" / (digest_hex(job + "\n" + parameters) + ".lock");
}

Error stopped_waiting() {
  return make_error(ErrorKind::stopped, "Stopped while it waited for another run.");
}

Result<FileLock> take_run_lock(const JobSpec& job, const RunOptions& options,
                               const std::filesystem::path& state,
                               const std::function<bool()>& stop_wanted) {
  const auto path = run_lock_path(state, job.name, parameters_digest(job));
  const auto note = fmt::format("process {} runs job {}", getpid(), job.name);
  const auto deadline = system_clock().monotonic() + options.wait;
  while (true) {
    auto taken = FileLock::try_take(path, note);
    if (!taken) return before_the_start(std::move(taken).error());
    std::optional<FileLock> lock = *std::move(taken);
    if (lock) return *std::move(lock);
    if (system_clock().monotonic() >= deadline) {
      return make_error(
          ErrorKind::busy,
          fmt::format("Job \"{}\" is being run with the same parameters ({}). Wait for "
                      "it with --wait 10m, or look at it with `tranche status {}`.",
                      job.name, FileLock::read_note(path), job.name));
    }
    if (stop_wanted()) return stopped_waiting();
    system_clock().sleep(100ms);
  }
}

JobRun::JobRun(const JobSpec& job, const RunOptions& options, std::filesystem::path state,
               Observer* observer, SupervisorLink* link)
    : job_(job),
      options_(options),
      state_(std::move(state)),
      observer_(observer),
      link_(link),
      own_board_(link == nullptr ? std::make_unique<BreadcrumbBoard>() : nullptr),
      memory_bytes_peak_(link == nullptr ? 0 : link->memory_bytes_peak()),
      started_(system_clock().monotonic()) {}

std::filesystem::path JobRun::run_folder() const { return state_ / "runs" / record_.run; }

void JobRun::emit(Event::Kind kind, const std::string& step, std::string message) {
  if (observer_ == nullptr) return;
  Event event;
  event.kind = kind;
  event.run = record_.run;
  event.step = step;
  event.message = std::move(message);
  observer_->on_event(event);
}

Result<void> JobRun::check_job() {
  if (job_.name.empty()) return make_error(ErrorKind::config, "The job has no name.");
  if (job_.steps.empty()) {
    return make_error(ErrorKind::config, fmt::format("Job \"{}\" has no steps.", job_.name));
  }
  return settle_memory();
}

Result<void> JobRun::settle_memory() {
  memory_bytes_max_ = options_.memory_bytes.value_or(job_.memory_bytes);
  if (memory_bytes_max_ == 0) {
    memory_bytes_max_ = std::max(total_memory_bytes() / 4, memory_bytes_min);
  }
  if (memory_bytes_max_ < memory_bytes_min) {
    return make_error(
        ErrorKind::config,
        fmt::format("A memory budget of {} is too small: the engine, its ledger and one "
                    "batch in work need at least {}.",
                    format_size(memory_bytes_max_), format_size(memory_bytes_min)));
  }
  return {};
}

Result<RunSummary> JobRun::run() {
  TRANCHE_TRY(check_job());
  auto opened = Ledger::open(state_);
  if (!opened) return before_the_start(std::move(opened).error());
  ledger_ = *std::move(opened);
  TRANCHE_ASSIGN(auto nothing_to_do, choose_run());
  if (nothing_to_do) return *std::move(nothing_to_do);
  summary_.run = record_.run;
  summary_.job = job_.name;
  summary_.state_folder = state_.string();
  return go_through_steps();
}

// Decides between resuming the unfinished run, starting a new one, and having nothing to do.
Result<std::optional<RunSummary>> JobRun::choose_run() {
  TRANCHE_ASSIGN(const auto same_name, ledger_->latest_run(job_.name));
  const std::string file =
      job_.file.empty() ? "" : fs::absolute(job_.file).lexically_normal().string();
  if (same_name && same_name->job_file != file && !same_name->job_file.empty() && !file.empty() &&
      file_exists(same_name->job_file)) {
    return make_error(
        ErrorKind::config,
        fmt::format("Two job files are named \"{}\": {} and {}. Rename one of them, or "
                    "give it a state folder of its own with --state.",
                    job_.name, same_name->job_file, file));
  }
  record_.job = job_.name;
  record_.job_file = file;
  record_.parameters = parameters_json(job_);
  record_.parameters_digest = parameters_digest(job_);
  if (!options_.rejects_of.empty()) return choose_rejects_run();
  TRANCHE_ASSIGN(auto last, ledger_->latest_run(job_.name, record_.parameters_digest));
  if (!options_.resume_run.empty() && (!last || last->run != options_.resume_run)) {
    return make_error(
        ErrorKind::usage,
        fmt::format("Run {} is not the latest one of job \"{}\" with these parameters, "
                    "so it can't be resumed.",
                    short_id(options_.resume_run), job_.name));
  }
  if (!options_.resume_run.empty() && last->state == "completed") {
    return std::optional<RunSummary>(kept_summary(*last));
  }
  if (!options_.resume_run.empty() && !is_unfinished(*last)) {
    return make_error(ErrorKind::usage, fmt::format("Run {} is {}: there is nothing to resume.",
                                                    short_id(last->run), last->state));
  }
  if (last && is_unfinished(*last) && options_.fresh) {
    // A wrong job must not cost the run that it was to replace.
    TRANCHE_TRY(checked_first_step());
    TRANCHE_TRY(give_up(*last));
  } else if (last && is_unfinished(*last) && options_.resume_run.empty() &&
             (writes_standard_output(job_) || reads_standard_input(job_))) {
    TRANCHE_TRY(give_up(*last));  // the pipes that it read and wrote are gone
  } else if (last && is_unfinished(*last)) {
    record_ = *last;
    resumed_ = true;
    TRANCHE_ASSIGN(rejects_of_, ledger_->rejects_of(record_.run));
    TRANCHE_ASSIGN(in_place_, ledger_->rejects_in_place(record_.run));
    TRANCHE_ASSIGN(record_.starts, ledger_->record_start(record_.run));
    emit(Event::Kind::run_started, {}, "resumed");
    return std::optional<RunSummary>();
  }
  // Runs that were given up since then have taken nothing back of it.
  TRANCHE_ASSIGN(const auto completed,
                 ledger_->latest_run(job_.name, record_.parameters_digest, "completed"));
  if (completed) {
    TRANCHE_ASSIGN(auto summary, after_completed(*completed));
    if (summary) return summary;
  }
  TRANCHE_TRY(begin_new_run());
  return std::optional<RunSummary>();
}

// After a completed run a new one starts; only where a step appends and nothing has changed since,
// loading again would double the rows.
Result<std::optional<RunSummary>> JobRun::after_completed(const RunRecord& last) {
  if (options_.again) return std::optional<RunSummary>();
  TRANCHE_ASSIGN(const bool unchanged, nothing_changed_since(last));
  if (!unchanged) return std::optional<RunSummary>();
  RunSummary summary = kept_summary(last);
  summary.already_loaded = true;
  return std::optional<RunSummary>(std::move(summary));
}

RunSummary JobRun::kept_summary(const RunRecord& completed) const {
  RunSummary summary;
  if (auto kept = RunSummary::from_json(completed.summary)) summary = *std::move(kept);
  summary.run = completed.run;
  summary.job = job_.name;
  summary.state = RunState::completed;
  summary.state_folder = state_.string();
  return summary;
}

Result<bool> JobRun::nothing_changed_since(const RunRecord& last) {
  TRANCHE_ASSIGN(const auto records, ledger_->list_steps(last.run));
  if (records.size() != job_.steps.size()) return false;
  if (std::none_of(records.begin(), records.end(), [](const auto& r) { return r.appends; })) {
    return false;
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto& record = records[i];
    if (record.job.text != job_fingerprint_text(job_, job_.steps[i])) return false;
    // Nobody knows what a query would find; what it has appended is not appended again.
    if (!job_.steps[i].has_records() || job_.steps[i].query) continue;
    TRANCHE_ASSIGN(auto step, bound_step(i, nullptr));
    if (step.source->is_incremental() || step.file_increment() != nullptr) return false;
    if (record.input.text != input_fingerprint_text(step.inputs)) return false;
    if (snapshot_fingerprint_text(record.inputs) != snapshot_fingerprint_text(step.inputs))
      return false;
    TRANCHE_ASSIGN(const auto code, code_fingerprint_text(step));
    if (record.code.text != code) return false;
  }
  return true;
}

Result<void> JobRun::give_up(const RunRecord& unfinished) {
  return abandon(*ledger_, unfinished, state_, options_.accept_committed);
}

// What is wrong with the first step is found before anything is written.
Result<std::optional<BatchStep>> JobRun::checked_first_step() {
  for (std::size_t i = 1; i < job_.steps.size(); ++i) {
    const StepSpec& spec = job_.steps[i];
    if (spec.exec) {
      TRANCHE_TRY(assemble_exec(job_, spec));
    } else if (spec.execute) {
      TRANCHE_TRY(assemble_execute(job_, spec));
    } else {
      if (spec.query) TRANCHE_TRY(assemble_query(job_, spec));
      TRANCHE_TRY(assemble(job_, with_records(i), options_));
    }
  }
  if (!job_.steps[0].has_records()) {
    TRANCHE_TRY(examine_without_records(job_, job_.steps[0]));
    return std::optional<BatchStep>();
  }
  if (job_.steps[0].query) {
    const ScratchFolder scratch;
    TRANCHE_TRY(scratch.create());
    StepSurroundings around = surroundings();
    around.spill_folder = scratch.path().string();  // the run has no folder yet
    auto bound = bind_to_no_result(job_, job_.steps[0], around, scratch.path());
    if (!bound) return before_the_start(std::move(bound).error());
    return std::optional<BatchStep>();
  }
  TRANCHE_ASSIGN(auto step, bound_step(0, nullptr));
  if (!step.has_nothing_new) TRANCHE_TRY(check_memory(step, surroundings()));
  return std::optional(std::move(step));
}

Result<void> JobRun::begin_new_run() {
  record_.run = random_id();
  TRANCHE_ASSIGN(first_step_, checked_first_step());
  if (first_step_) TRANCHE_TRY(claim_targets(*first_step_));
  TRANCHE_TRY(create_folders(run_folder()));
  TRANCHE_TRY(ledger_->create_run(record_));
  emit(Event::Kind::run_started, {}, "new");
  return {};
}

Result<RunSummary> JobRun::go_through_steps() {
  TRANCHE_TRY(create_folders(run_folder() / "spill"));
  for (std::size_t number = 0; number < job_.steps.size(); ++number) {
    StepSummary summary;
    summary.name = job_.steps[number].name;
    auto ended = run_step(number, summary);
    if (!ended) {
      // Found before the step's first batch: of a run that did nothing yet, it is a wrong job.
      const bool is_stopped = ended.error().kind == ErrorKind::stopped;
      summary.state = is_stopped ? "stopped" : "failed";
      summary_.steps.push_back(std::move(summary));
      if (is_stopped) return finish(RunState::stopped, {});
      if (resumed_ && ended.error().kind == ErrorKind::config && number == 0) {
        TRANCHE_TRY(ledger_->set_run_state(record_.run, "failed", ended.error().message));
        return ended.error();
      }
      return finish(RunState::failed, std::move(ended).error());
    }
    memory_bytes_peak_ = std::max(memory_bytes_peak_, ended->memory_bytes_peak);
    summary_.steps.push_back(std::move(summary));
    if (ended->state == engine::StepEnd::State::stopped) return finish(RunState::stopped, {});
    if (ended->state == engine::StepEnd::State::failed) {
      return finish(RunState::failed, std::move(ended->error));
    }
  }
  return finish(RunState::completed, {});
}

Result<RunSummary> JobRun::finish(RunState state, std::optional<Error> error) {
  const auto removed = remove_tree(run_folder() / "spill");
  summary_.state = state;
  summary_.error = error;
  summary_.seconds = std::chrono::duration<double>(system_clock().monotonic() - started_).count();
  summary_.peak_memory_bytes = memory_bytes_peak_;
  TRANCHE_ASSIGN(summary_.warnings, ledger_->warnings(record_.run));
  if (!removed) summary_.warnings.push_back(removed.error().message);
  TRANCHE_TRY(ledger_->record_summary(record_.run, summary_.to_json()));
  TRANCHE_TRY(ledger_->set_run_state(record_.run, to_string(state), error ? error->message : ""));
  fault_point("ended");
  emit(Event::Kind::run_ended, {}, summary_.to_json());
  return std::move(summary_);
}

Result<void> abandon(Ledger& ledger, const RunRecord& run, const std::filesystem::path& state,
                     bool keep_committed) {
  TRANCHE_ASSIGN(const auto steps, ledger.list_steps(run.run));
  if (!keep_committed) TRANCHE_TRY(refuse_what_was_appended(ledger, run, steps));
  for (const auto& record : steps) {
    if (record.state == "completed") continue;
    TRANCHE_ASSIGN(const auto settings, step_settings_from_json(record.settings));
    if (settings.executes) continue;  // done as a whole, and not to be taken back, or not at all
    TRANCHE_ASSIGN(auto sink, make_sink(settings.write, settings.base));
    TRANCHE_ASSIGN(auto step_ledger, ledger.step_ledger(run.run, record.name));
    TRANCHE_ASSIGN(const auto step_state, step_ledger->load());
    if (step_state.seal == SealState::sealed) continue;
    std::vector<Receipt> receipts;
    for (const auto& group : step_state.committed) receipts.push_back(group.receipt);
    const SinkRun sink_run{run.run, record.name, (state / "runs" / run.run).string()};
    if (step_state.seal == SealState::intended) {
      // The intent is durable: the output may be half renamed, so it is rolled forward, never back.
      TRANCHE_TRY(sink->seal(step_state.seal_intent));
      TRANCHE_TRY(step_ledger->record_sealed());
      continue;
    }
    TRANCHE_TRY(sink->discard(sink_run, receipts, keep_committed));
    TRANCHE_TRY(step_ledger->forget_checkpoints());
  }
  for (const char* folder : {"spill", "queries", "kept"}) {
    TRANCHE_TRY(remove_tree(state / "runs" / run.run / folder));
  }
  return ledger.set_run_state(run.run, "abandoned");
}

}  // namespace tranche
