#include "api/job_run.h"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include <tranche/api/inspect.h>
#include "api/assemble.h"
#include "api/move.h"
#include "api/move_use.h"
#include "api/query_result.h"
#include "api/report_use.h"
#include "api/step_outputs.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/process.h"
#include "base/scratch_folder.h"
#include "base/text.h"
#include "drivers/duckdb_database.h"
#include "drivers/postgres.h"
#include "steps/step_memory.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

// More at once would share the cores, and give each so little memory that all of them are slow.
constexpr std::size_t steps_at_once_max = 8;
constexpr std::uint64_t step_share_bytes_min = 2 * memory_bytes_min;

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

// What fails before the first batch is for the person at the command line to mend, or to wait for.
Error before_the_start(Error error) {
  switch (error.kind) {
    case ErrorKind::usage:
    case ErrorKind::config:
    case ErrorKind::busy:
    case ErrorKind::stopped:
    case ErrorKind::bug:
      return error;
    case ErrorKind::transient:
      error.message =
          fmt::format("{}{} No batch was begun: it can be run again as it is.", error.message,
                      error.message.find_last_of(".?!") + 1 == error.message.size() ? "" : ".");
      break;
    default:
      break;
  }
  error.kind = ErrorKind::config;
  return error;
}

// What was found behind the first batch is none that stopped the run before its start.
Error behind_the_start(Error error) {
  if (error.kind == ErrorKind::usage || error.kind == ErrorKind::config)
    error.kind = ErrorKind::failed;
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

Result<StepGraph> graph_of(const JobSpec& job) {
  Problems problems;
  StepGraph graph = StepGraph::of(job, problems);
  if (problems.empty()) check_step_values(job, graph, problems);
  if (!problems.empty()) return make_error(ErrorKind::config, problems.front().message + ".");
  return graph;
}

Result<std::uint64_t> memory_of(const JobSpec& job, const RunOptions& options) {
  std::uint64_t bytes = options.memory_bytes.value_or(job.memory_bytes);
  if (bytes == 0) bytes = std::max(total_memory_bytes() / 4, memory_bytes_min);
  if (bytes >= memory_bytes_min) return bytes;
  return make_error(ErrorKind::config,
                    fmt::format("A memory budget of {} is too small: the engine, its ledger and "
                                "one batch in work need at least {}.",
                                format_size(bytes), format_size(memory_bytes_min)));
}

// As many as the graph has side by side and the budget carries. A function of both alone, since the
// share of a step may shape its output.
std::size_t steps_at_once(const StepGraph& graph, std::uint64_t memory_bytes) {
  const auto carried = static_cast<std::size_t>(memory_bytes / step_share_bytes_min);
  return std::max<std::size_t>(1, std::min({graph.width(), carried, steps_at_once_max}));
}

}  // namespace

Result<std::size_t> tracks_of(const JobSpec& job, const RunOptions& options) {
  TRANCHE_ASSIGN(const StepGraph graph, graph_of(job));
  TRANCHE_ASSIGN(const std::uint64_t memory_bytes, memory_of(job, options));
  return steps_at_once(graph, memory_bytes);
}

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
               Observer* observer, std::span<SupervisorLink> links)
    : job_(job),
      options_(options),
      observer_(observer),
      links_(links),
      frame_{job, options, std::move(state)},
      started_(system_clock().monotonic()) {
  for (SupervisorLink& link : links_) {
    tracks_.push_back({&link.board(), &link});
    memory_bytes_peak_ = link.memory_bytes_peak();
  }
}

void JobRun::emit(Event::Kind kind, const std::string& step, std::string message) {
  if (observer_ == nullptr) return;
  Event event;
  event.kind = kind;
  event.run = frame_.record.run;
  event.step = step;
  event.message = std::move(message);
  observer_->on_event(event);
}

Result<void> JobRun::check_job() {
  if (job_.name.empty()) return make_error(ErrorKind::config, "The job has no name.");
  if (job_.steps.empty()) {
    return make_error(ErrorKind::config, fmt::format("Job \"{}\" has no steps.", job_.name));
  }
  TRANCHE_ASSIGN(graph_, graph_of(job_));
  TRANCHE_ASSIGN(frame_.memory_bytes_max, memory_of(job_, options_));
  const std::size_t tracks = steps_at_once(graph_, frame_.memory_bytes_max);
  frame_.step_memory_bytes_max = frame_.memory_bytes_max / tracks;
  frame_.memory = std::make_shared<MemorySampler>(links_.empty() ? nullptr : &links_.front());
  while (tracks_.size() < tracks) {  // there is no supervisor
    own_boards_.push_back(std::make_unique<BreadcrumbBoard>());
    tracks_.push_back({own_boards_.back().get(), nullptr});
  }
  return {};
}

Result<RunSummary> JobRun::run() {
  TRANCHE_TRY(check_job());
  std::optional<KeptInstances> instances(std::in_place);
  // A program may want a database for itself, to drop it or to copy it.
  std::optional<KeptConnections> connections;
  if (std::none_of(job_.steps.begin(), job_.steps.end(), [](const StepSpec& s) { return s.exec; }))
    connections.emplace();
  auto opened = Ledger::open(frame_.state);
  if (!opened) return before_the_start(std::move(opened).error());
  ledger_ = *std::move(opened);
  auto chosen = choose_run();
  if (!chosen) return before_the_start(std::move(chosen).error());
  if (*chosen) return **std::move(chosen);
  summary_.run = frame_.record.run;
  summary_.job = job_.name;
  if (job_.window) summary_.window = job_.window->name;
  summary_.state_folder = frame_.state.string();
  TRANCHE_TRY(create_folders(frame_.run_folder() / "spill"));
  // Behind a crash one step at a time: another one that crashes the engine beside it would keep a
  // step from finding its culprits, again and again.
  const bool is_judging = std::any_of(links_.begin(), links_.end(),
                                      [](const auto& link) { return link.has_suspects(); });
  if (is_judging) tracks_.resize(1);
  StepSchedule schedule(frame_, graph_, *ledger_, observer_, tracks_, std::move(bound_));
  ScheduleEnd end = schedule.run();
  instances.reset();  // they spill into the run's folder
  summary_.steps = std::move(end.steps);
  summary_.rejects_path = std::move(end.rejects_path);
  memory_bytes_peak_ = std::max(memory_bytes_peak_, end.memory_bytes_peak);
  if (end.error)
    end.error = end.has_begun ? behind_the_start(*end.error) : before_the_start(*end.error);
  if (resumed_ && end.error && end.error->kind == ErrorKind::config) {
    TRANCHE_TRY(ledger_->set_run_state(frame_.record.run, "failed", end.error->message));
    return *std::move(end.error);
  }
  return finish(std::move(end));
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
  frame_.record.job = job_.name;
  frame_.record.job_file = file;
  frame_.record.parameters = parameters_json(job_);
  frame_.record.parameters_digest = parameters_digest(job_);
  frame_.record.window = job_.window;
  if (!options_.rejects_of.empty()) return choose_rejects_run();
  if (job_.window && options_.resume_run.empty()) {
    TRANCHE_ASSIGN(auto done, after_window());
    if (done) return done;
  }
  TRANCHE_ASSIGN(auto last, ledger_->latest_run(job_.name, frame_.record.parameters_digest));
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
    TRANCHE_TRY(check_steps());
    bound_.clear();
    TRANCHE_TRY(give_up(*last));
  } else if (last && is_unfinished(*last) && options_.resume_run.empty() &&
             (writes_standard_output(job_) || reads_standard_input(job_))) {
    TRANCHE_TRY(give_up(*last));  // the pipes that it read and wrote are gone
  } else if (last && is_unfinished(*last)) {
    frame_.record = *last;
    resumed_ = true;
    TRANCHE_ASSIGN(frame_.rejects_of, ledger_->rejects_of(frame_.record.run));
    TRANCHE_ASSIGN(frame_.in_place, ledger_->rejects_in_place(frame_.record.run));
    TRANCHE_ASSIGN(frame_.record.starts, ledger_->record_start(frame_.record.run));
    emit(Event::Kind::run_started, {}, "resumed");
    return std::optional<RunSummary>();
  }
  // Runs that were given up since then have taken nothing back of it.
  TRANCHE_ASSIGN(const auto completed,
                 ledger_->latest_run(job_.name, frame_.record.parameters_digest, "completed"));
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

// One window is one run.
Result<std::optional<RunSummary>> JobRun::after_window() {
  TRANCHE_ASSIGN(const auto known, ledger_->window_record(job_.name, *job_.window));
  if (!known) return std::optional<RunSummary>();
  if (known->state == "completed" && !options_.again) {
    RunSummary summary;
    if (known->run.empty()) {
      summary = kept_summary(frame_.record);
    } else {
      TRANCHE_ASSIGN(const auto run, ledger_->find_run(known->run));
      summary = kept_summary(run);
    }
    summary.already_loaded = true;
    return std::optional<RunSummary>(std::move(summary));
  }
  const bool is_unfinished = known->state != "completed" && known->state != "abandoned";
  if (is_unfinished && known->parameters_digest != frame_.record.parameters_digest) {
    return make_error(
        ErrorKind::config,
        fmt::format("Window {} has the unfinished run {}, whose parameters are not those of the "
                    "job now. Go on with it as it was (`tranche resume {}`), or give it up "
                    "(`tranche abandon {}`).",
                    job_.window->name, short_id(known->run), short_id(known->run),
                    short_id(known->run)));
  }
  return std::optional<RunSummary>();
}

RunSummary JobRun::kept_summary(const RunRecord& completed) const {
  RunSummary summary;
  if (auto kept = RunSummary::from_json(completed.summary)) summary = *std::move(kept);
  summary.run = completed.run;
  summary.job = job_.name;
  if (job_.window) summary.window = job_.window->name;
  summary.state = RunState::completed;
  summary.state_folder = frame_.state.string();
  return summary;
}

// Steps that were not needed left no record, and would not be needed again.
Result<bool> JobRun::nothing_changed_since(const RunRecord& last) {
  TRANCHE_ASSIGN(const auto records, ledger_->list_steps(last.run));
  if (std::none_of(records.begin(), records.end(), [](const auto& r) { return r.appends; })) {
    return false;
  }
  std::size_t known = 0;
  for (std::size_t i = 0; i < job_.steps.size(); ++i) {
    const StepSpec& spec = job_.steps[i];
    const auto record = std::find_if(records.begin(), records.end(),
                                     [&](const auto& r) { return r.name == spec.name; });
    if (record == records.end() && !spec.when.empty()) continue;
    if (record == records.end() || record->number != i) return false;
    ++known;
    if (record->job.text != job_fingerprint_text(job_, spec)) return false;
    // Nobody knows what a query would find; what it has appended is not appended again.
    if (!spec.has_records() || spec.query) continue;
    if (is_fetched(spec)) return false;  // nor what a service would answer
    TRANCHE_ASSIGN(auto step, step_run(i).bind());
    if (step.source->is_incremental() || step.file_increment() != nullptr) return false;
    if (record->input.text != input_fingerprint_text(step.inputs)) {
      TRANCHE_ASSIGN(const bool is_same, has_same_content(last, *record, step));
      if (!is_same) return false;
    }
    TRANCHE_ASSIGN(const bool has_target, step.sink->has_target());
    if (record->appends && !has_target) return false;
    if (snapshot_fingerprint_text(record->inputs) != snapshot_fingerprint_text(step.inputs))
      return false;
    TRANCHE_ASSIGN(const auto code, code_fingerprint_text(step));
    if (record->code.text != code) return false;
  }
  return known == records.size();
}

// A file that was touched, or copied back, is no other one: then what its batches hold tells.
Result<bool> JobRun::has_same_content(const RunRecord& last, const StepRecord& record,
                                      const BatchStep& step) {
  const bool is_alike =
      std::equal(record.inputs.begin(), record.inputs.end(), step.inputs.begin(), step.inputs.end(),
                 [](Input before, const Input& now) {
                   before.modified_nanoseconds = now.modified_nanoseconds;
                   return input_fingerprint_text({before}) == input_fingerprint_text({now});
                 });
  if (!is_alike) return false;
  TRANCHE_ASSIGN(const auto step_ledger, ledger_->step_ledger(last.run, record.name));
  TRANCHE_ASSIGN(const auto state, step_ledger->load());
  if (!state.plan_complete || state.batches.empty()) return false;
  return static_cast<bool>(compare_committed(step, state, record.inputs));
}

Result<void> JobRun::give_up(const RunRecord& unfinished) {
  return abandon(*ledger_, unfinished, frame_.state, options_.accept_committed);
}

StepRun JobRun::step_run(std::size_t number) {
  return StepRun(frame_, number, {}, *ledger_, observer_, tracks_.front());
}

// What is wrong is found before anything is written: of the steps that begin at once all of it, of
// those that wait what does not depend on the others.
Result<void> JobRun::check_steps() {
  auto clashes = find_output_clashes(job_, graph_);
  if (!clashes.empty()) return std::move(clashes.front().error);
  for (std::size_t number = 0; number < job_.steps.size(); ++number) {
    const StepSpec& spec = job_.steps[number];
    TRANCHE_TRY(check_writes_outside(job_, spec, frame_.state));
    if (graph_.before(number).empty()) {
      TRANCHE_TRY(bind_when_free(number));
    } else if (spec.exec) {
      TRANCHE_TRY(assemble_exec(job_, spec));
    } else if (spec.execute) {
      TRANCHE_TRY(assemble_execute(job_, spec));
    } else if (spec.report) {
      TRANCHE_TRY(assemble_report(job_, spec, StepSurroundings()));
    } else if (move_options(spec) != nullptr) {
      TRANCHE_TRY(move_order(job_, spec));
    } else {
      if (spec.query) TRANCHE_TRY(assemble_query(job_, spec));
      TRANCHE_TRY(assemble(job_, step_run(number).with_records(), options_));
    }
  }
  return {};
}

Result<void> JobRun::bind_first_step(std::size_t number) {
  const StepSpec& spec = job_.steps[number];
  if (!spec.has_records() && !spec.report) return examine_without_records(job_, spec);
  StepRun run = step_run(number);
  if (spec.query || spec.report) {
    const ScratchFolder scratch;
    TRANCHE_TRY(scratch.create());
    StepSurroundings around = run.surroundings();
    around.spill_folder = scratch.path().string();  // the run has no folder yet
    auto examined = [&]() -> Result<void> {
      if (spec.report) return examine_report(job_, spec, around);
      TRANCHE_TRY(bind_to_no_result(job_, spec, around, scratch.path()));
      return {};
    }();
    return examined ? Result<void>() : Result<void>(before_the_start(std::move(examined).error()));
  }
  TRANCHE_ASSIGN(auto step, run.bind());
  if (!step.has_nothing_new) TRANCHE_TRY(check_memory(step, run.surroundings()));
  bound_.emplace(number, BoundStep{std::move(step), {}});
  return {};
}

// A database that another program has for itself is waited for like one that another run writes to.
Result<void> JobRun::bind_when_free(std::size_t number) {
  const auto deadline = system_clock().monotonic() + options_.wait;
  while (true) {
    auto bound = bind_first_step(number);
    const bool is_busy = !bound && bound.error().kind == ErrorKind::busy;
    if (!is_busy || system_clock().monotonic() >= deadline) return bound;
    if (options_.stop != nullptr && options_.stop->load()) return stopped_waiting();
    system_clock().sleep(100ms);
  }
}

Result<void> JobRun::begin_new_run() {
  frame_.record.run = random_id();
  TRANCHE_TRY(check_steps());
  for (auto& [number, bound] : bound_) {
    TRANCHE_ASSIGN(bound.claims, step_run(number).claim_targets(bound.step));
  }
  TRANCHE_TRY(create_folders(frame_.run_folder()));
  TRANCHE_TRY(ledger_->create_run(frame_.record));
  for (const LostOutput& lost : find_lost_outputs(job_, graph_))
    TRANCHE_TRY(ledger_->add_warning(frame_.record.run, lost.sentence));
  emit(Event::Kind::run_started, {}, "new");
  return {};
}

Result<RunSummary> JobRun::finish(ScheduleEnd end) {
  const auto removed = remove_tree(frame_.run_folder() / "spill");
  summary_.state = end.state;
  summary_.error = end.error;
  summary_.seconds = std::chrono::duration<double>(system_clock().monotonic() - started_).count();
  summary_.peak_memory_bytes = memory_bytes_peak_;
  TRANCHE_ASSIGN(summary_.warnings, ledger_->warnings(frame_.record.run));
  for (std::string& warning : end.warnings) summary_.warnings.push_back(std::move(warning));
  if (!removed) summary_.warnings.push_back(removed.error().message);
  TRANCHE_TRY(ledger_->record_summary(frame_.record.run, summary_.to_json()));
  TRANCHE_TRY(ledger_->set_run_state(frame_.record.run, to_string(end.state),
                                     end.error ? end.error->message : ""));
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
    if (is_report(settings)) {
      TRANCHE_TRY(remove_file(
          report_part_path(report_path(settings.write.options, settings.base), run.run)));
    }
    if (is_move(settings) && settings.write.connector == "restore") {
      TRANCHE_ASSIGN(const auto order,
                     move_order("restore", settings.write.options, settings.base));
      TRANCHE_TRY(give_up_restore(order, move_state(state / "runs" / run.run, record.name)));
    }
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
