// One step of a run: bound to what is there, compared with what the ledger remembers, and run.
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "api/move_use.h"
#include "api/query_result.h"
#include "api/reject_line.h"
#include "api/step_outputs.h"
#include "api/step_run.h"
#include "api/worker_order.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "steps/step_memory.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

Fingerprint fingerprint(std::string text) { return Fingerprint{digest_hex(text), std::move(text)}; }

// Writes the engine's progress to the ledger as well, for people who look on from another process.
class LedgerObserver final : public Observer {
 public:
  LedgerObserver(Ledger& ledger, Observer* next) : ledger_(ledger), next_(next) {}
  void on_event(const Event& event) override {
    const bool last = event.kind == Event::Kind::sealing;
    if (last || event.kind == Event::Kind::progress || event.kind == Event::Kind::group_committed) {
      // Lost progress is no loss: the ledger's plan and commits are what counts.
      const auto recorded = ledger_.record_progress(event.run, event.step, event.progress, last);
      static_cast<void>(recorded);
    }
    if (next_ != nullptr) next_->on_event(event);
  }

 private:
  Ledger& ledger_;
  Observer* next_;
};

std::string step_end_text(engine::StepEnd::State state) {
  switch (state) {
    case engine::StepEnd::State::completed:
      return "completed";
    case engine::StepEnd::State::stopped:
      return "stopped";
    case engine::StepEnd::State::failed:
      break;
  }
  return "failed";
}

std::uint64_t filtered_of(const Counts& counts) {
  std::uint64_t filtered = 0;
  for (const auto& stage : counts.stages) filtered += stage.filtered;
  return filtered;
}

void fill_summary(StepSummary& summary, const Counts& counts, std::uint64_t batches) {
  summary.counts = counts;
  summary.filtered = filtered_of(counts);
  summary.batches = batches;
}

void fill_workers(StepSummary& summary, const WorkersSpec& asked, const engine::StepEnd& end) {
  summary.worker_kind = asked.kind == WorkersSpec::Kind::processes ? "processes" : "threads";
  summary.worker_count = end.workers;
  summary.worker_why = end.workers_why;
}

// Nothing is left to be read.
bool is_read(const StepState& state) {
  return state.plan_complete &&
         std::all_of(state.batches.begin(), state.batches.end(),
                     [&](const BatchPlan& batch) { return batch.group < state.committed.size(); });
}

// The first bad records of the batch that failed the step, as lines below the sentence.
std::string with_bad_records(const engine::StepEnd& end) {
  std::string text = end.error->message;
  for (const auto& reject : end.bad_records) {
    const std::string place =
        !reject.has_position ? fmt::format("record {}", reject.record)
        : reject.line > 0
            ? fmt::format("{}, line {}, byte {}", reject.source, reject.line, reject.offset)
            : fmt::format("{}, row {}", reject.source, reject.offset);
    text += fmt::format("\n  {}: {}\n      {}", place, reject.error, excerpt(reject.raw, 100));
  }
  if (end.bad_record_count > end.bad_records.size()) {
    text += fmt::format("\n  ... and {} more in this batch.",
                        end.bad_record_count - end.bad_records.size());
  }
  return text;
}

std::vector<Field> columns_to_compare(const BatchStep& step) {
  if (!step.sink->records_commits()) return {};
  return step.output_schema()->fields;
}

}  // namespace

std::string to_json(const StepSettings& settings) {
  Json json;
  json.set("write", connector_use_to_json(settings.write));
  if (settings.executes) json.set("executes", true);
  if (settings.report_bytes > 0) {
    json.set("report_bytes", settings.report_bytes);
    json.set("report_digest", settings.report_digest);
  }
  if (is_move(settings)) {
    json.set("rows_read", settings.rows_read);
    json.set("rows_written", settings.rows_written);
  }
  json.set("base", settings.base);
  json.set("database_memory_bytes", settings.database_memory_bytes);
  if (settings.columns.empty()) return json.dump();
  Json columns(Json::Object{});
  for (const Field& field : settings.columns) columns.set(field.name, to_string(field.type));
  json.set("columns", std::move(columns));
  return json.dump();
}

Result<StepSettings> step_settings_from_json(const std::string& text) {
  TRANCHE_ASSIGN(const auto json, Json::parse(text));
  StepSettings settings;
  TRANCHE_ASSIGN(settings.write, connector_use_from_json(json["write"].text()));
  settings.executes = json["executes"].boolean();
  settings.report_bytes = json["report_bytes"].natural();
  settings.report_digest = json["report_digest"].natural();
  settings.rows_read = json["rows_read"].natural();
  settings.rows_written = json["rows_written"].natural();
  settings.base = json["base"].text();
  settings.database_memory_bytes = json["database_memory_bytes"].natural();
  for (const auto& [name, type] : json["columns"].entries()) {
    TRANCHE_ASSIGN(const Type parsed, parse_type(type.text()));
    settings.columns.push_back(Field{name, parsed});
  }
  return settings;
}

bool is_program(const StepSettings& settings) {
  return settings.executes && settings.write.connector == "exec";
}

bool is_report(const StepSettings& settings) {
  return settings.executes && settings.write.connector == "report";
}

bool is_move(const StepSettings& settings) {
  return settings.executes &&
         (settings.write.connector == "backup" || settings.write.connector == "restore");
}

Error changed_since(const std::string& run, const std::string& step, const std::string& part,
                    const std::string& difference) {
  return make_error(
      ErrorKind::config,
      fmt::format("The {0} of step \"{1}\" changed since run {2} began: {3}. Go on with --accept "
                  "{0} (committed batches are kept), or start again with --fresh.",
                  part, step, run.substr(0, 8), difference));
}

void StepRun::emit(Event::Kind kind, std::string message) {
  if (observer_ == nullptr) return;
  Event event;
  event.kind = kind;
  event.run = frame_.record.run;
  event.step = spec_.name;
  event.message = std::move(message);
  observer_->on_event(event);
}

std::uint64_t MemorySampler::sample() {
  constexpr int share = 30;  // of the time, at most: one in so many
  const std::scoped_lock lock(mutex_);
  const auto before = system_clock().monotonic();
  if (before < next_) return bytes_;
  bytes_ = link_ != nullptr ? tree_set_bytes(link_->supervisor()) : proportional_set_bytes();
  const auto after = system_clock().monotonic();
  next_ = after + share * (after - before);
  return bytes_;
}

StepSurroundings StepRun::surroundings() {
  StepSurroundings surroundings;
  surroundings.run = SinkRun{frame_.record.run, {}, frame_.run_folder().string(), frame_.job.name};
  surroundings.memory_bytes_max = frame_.step_memory_bytes_max;
  surroundings.run_memory_bytes_max = frame_.memory_bytes_max;
  surroundings.database_memory_bytes = database_memory_for(frame_.step_memory_bytes_max);
  surroundings.spill_folder = (frame_.run_folder() / "spill").string();
  surroundings.clock = &system_clock();
  surroundings.stop = frame_.options.stop;
  surroundings.board = track_.board;
  surroundings.starter = track_.link;
  surroundings.sample_memory = [memory = frame_.memory] { return memory->sample(); };
  return surroundings;
}

StepSpec StepRun::with_records() const {
  const std::string& run = frame_.rejects_of.empty() ? frame_.record.run : frame_.rejects_of;
  return reading_result(spec_, query_result_path(frame_.state / "runs" / run, spec_));
}

fs::path StepRun::fetching_run_folder() const {
  const std::string& run = frame_.rejects_of.empty() ? frame_.record.run : frame_.rejects_of;
  return frame_.state / "runs" / run;
}

// The result is kept before the ledger knows of the step: whatever happens until then, the query
// runs again.
Result<void> StepRun::run_query() {
  emit(Event::Kind::note, "runs its query");
  auto kept =
      keep_result(frame_.job, spec_, surroundings(), query_result_path(frame_.run_folder(), spec_),
                  {}, [this] { return is_stop_wanted(); });
  // Its text, and the tables that it names, are looked at before it runs.
  has_begun_ =
      kept || (kept.error().kind != ErrorKind::config && !spec_.retry.is_transient(kept.error()));
  return kept;
}

Result<BatchStep> StepRun::bind() {
  if (!frame_.rejects_of.empty()) return bind_rejects();
  if (spec_.query) TRANCHE_TRY(run_query());
  TRANCHE_ASSIGN(auto step, assembled());
  if (step.source->is_incremental()) {
    step.increment = fmt::format("{}/{}/{}", frame_.job.name, step.name, increment_series());
  }
  TRANCHE_ASSIGN(const auto new_inputs, increment_of(step));
  if (!step.has_nothing_new)
    TRANCHE_TRY(bind_step(step, new_inputs ? &*new_inputs : nullptr, surroundings()));
  TRANCHE_TRY(check_writes_apart(frame_.job, spec_, step.inputs));
  return step;
}

std::string StepRun::increment_series() const {
  const auto& window = frame_.job.window;
  return window ? digest_hex("windows\n" + window->variant) : frame_.record.parameters_digest;
}

// Of a step with an increment: what it has not read yet. nullopt: the source itself says what it
// reads.
Result<std::optional<std::vector<Input>>> StepRun::increment_of(BatchStep& step) {
  const FileIncrement* const files = step.file_increment();
  if (files == nullptr && !step.source->is_incremental())
    return std::optional<std::vector<Input>>();
  std::vector<Input> read;
  bool reads_all = frame_.options.full;
  if (!reads_all) {
    const auto& window = frame_.job.window;
    TRANCHE_ASSIGN(
        read,
        window ? ledger_.inputs_read_for_windows(frame_.job.name, window->variant, step.name)
               : ledger_.inputs_read(frame_.job.name, frame_.record.parameters_digest, step.name));
    TRANCHE_ASSIGN(const bool has_target, step.sink->has_target());
    if (!read.empty() && !has_target) {
      step.notices.push_back(fmt::format(
          "Step \"{}\" reads everything again: what earlier runs have loaded into {} is gone.",
          step.name, step.sink->targets().front()));
      reads_all = true;
      read.clear();
    }
  }
  if (files == nullptr) {
    if (!reads_all) {
      TRANCHE_ASSIGN(auto until, watermark_of(step, read.empty() ? "" : read.back().until));
      step.source->read_behind(std::move(until));
    }
    return std::optional<std::vector<Input>>();
  }
  TRANCHE_ASSIGN(auto found, find_new_files(*files, read, system_clock().now_microseconds()));
  step.notices.insert(step.notices.end(), found.notices.begin(), found.notices.end());
  step.has_nothing_new = found.inputs.empty();
  return std::optional(std::move(found.inputs));
}

// What the target says counts: it may have been restored from a backup, or the ledger lost. One
// that keeps no watermarks (one file), or has none yet, leaves it to the ledger.
Result<std::string> StepRun::watermark_of(BatchStep& step, const std::string& in_ledger) {
  TRANCHE_ASSIGN(const auto in_target, step.sink->sealed_until(step.increment));
  if (!in_target || *in_target == in_ledger) return in_ledger;
  step.notices.push_back(fmt::format(
      "Step \"{}\" reads from {} on, which is how far its target was loaded; the ledger {}.",
      step.name, *in_target, in_ledger.empty() ? "knows of no run" : "says " + in_ledger));
  return *in_target;
}

// A step that has no new file, or no reject, is done without a plan, an encoder or a seal.
Result<engine::StepEnd> StepRun::skip(const BatchStep& step, StepSummary& summary) {
  StepRecord record;
  if (!frame_.rejects_of.empty()) {
    // All that the earlier run knows of it is still so.
    TRANCHE_ASSIGN(auto original, ledger_.load_step(frame_.rejects_of, step.name));
    record = *std::move(original);
    record.state = "waiting";
  } else {
    record.name = step.name;
    record.input = fingerprint({});
    record.job = fingerprint(job_fingerprint_text(frame_.job, raw_spec()));
    record.code = fingerprint({});
    StepSettings settings;
    settings.write = spec_.write;
    settings.base = job_base();
    record.settings = to_json(settings);
  }
  record.number = number_;
  TRANCHE_TRY(ledger_.create_step(frame_.record.run, record));
  for (const auto& notice : step.notices)
    TRANCHE_TRY(ledger_.add_warning(frame_.record.run, notice));
  TRANCHE_TRY(ledger_.set_step_state(frame_.record.run, step.name, "completed", {}, Durable::soon));
  claims_.clear();
  summary.state = "completed";
  emit(Event::Kind::step_skipped, frame_.rejects_of.empty() ? "no new file" : "no rejects");
  engine::StepEnd end;
  end.state = engine::StepEnd::State::completed;
  return end;
}

ConnectorUse StepRun::write() const {
  return frame_.rejects_of.empty() ? spec_.write : rejects_spec(spec_).write;
}

std::string StepRun::job_base() const {
  return (frame_.job.base.empty() ? fs::current_path() : fs::absolute(frame_.job.base)).string();
}

Result<StepRecord> StepRun::create_record(const BatchStep& step) {
  StepRecord record;
  record.number = number_;
  record.name = step.name;
  record.input = fingerprint(input_fingerprint_text(step.inputs));
  record.job = fingerprint(job_fingerprint_text(frame_.job, raw_spec()));
  TRANCHE_ASSIGN(auto code, code_fingerprint_text(step));
  record.code = fingerprint(std::move(code));
  record.targets = step.sink->targets();
  record.inputs = step.inputs;
  record.division = full_division(step);
  record.appends = step.sink->appends();
  if (!frame_.rejects_of.empty()) {
    TRANCHE_ASSIGN(const auto original, ledger_.load_step(frame_.rejects_of, step.name));
    record.appends = original && original->appends;
  }
  StepSettings settings;
  settings.write = write();
  settings.base = job_base();
  settings.database_memory_bytes = database_memory_for(frame_.step_memory_bytes_max);
  settings.columns = columns_to_compare(step);
  record.settings = to_json(settings);
  TRANCHE_TRY(ledger_.create_step(frame_.record.run, record));
  for (const auto& notice : step.notices)
    TRANCHE_TRY(ledger_.add_warning(frame_.record.run, notice));
  return record;
}

// Two runs never write one target at once.
Result<std::vector<FileLock>> StepRun::claim_targets(const BatchStep& step) {
  std::vector<FileLock> claims;
  const auto deadline = system_clock().monotonic() + frame_.options.wait;
  for (const auto& target : step.sink->targets()) {
    const auto path = frame_.state / "locks" / ("target-" + digest_hex(target) + ".lock");
    const auto note =
        fmt::format("process {} writes {} for job {}", getpid(), target, frame_.job.name);
    while (true) {
      TRANCHE_ASSIGN(auto lock, FileLock::try_take(path, note));
      if (lock) {
        claims.push_back(*std::move(lock));
        break;
      }
      if (system_clock().monotonic() >= deadline) {
        return make_error(ErrorKind::busy,
                          fmt::format("{} is being written by another run ({}). Wait "
                                      "for it with --wait 10m.",
                                      target, FileLock::read_note(path)));
      }
      if (frame_.options.stop != nullptr && frame_.options.stop->load()) return stopped_waiting();
      system_clock().sleep(100ms);
    }
  }
  return claims;
}

// A resume that finds another input, job or code says which, and refuses unless it was accepted;
// then the committed batches are kept and the rest is planned anew.
Result<void> StepRun::accept_or_refuse(StepRecord& record, BatchStep& step) {
  struct Part {
    const char* name;
    bool accepted;
    Fingerprint& before;
    std::string now;
  };
  TRANCHE_ASSIGN(auto code, code_fingerprint_text(step));
  Part parts[] = {
      {"input", frame_.options.accept_input, record.input, input_fingerprint_text(step.inputs)},
      {"job", frame_.options.accept_job, record.job, job_fingerprint_text(frame_.job, raw_spec())},
      {"code", frame_.options.accept_code, record.code, std::move(code)},
  };
  const Fingerprint inputs_before = record.input;
  std::vector<std::string> accepted;
  for (auto& part : parts) {
    if (part.before.text == part.now) continue;
    const auto difference = describe_difference(part.before.text, part.now);
    if (!part.accepted) {
      return changed_since(frame_.record.run, spec_.name, part.name, difference);
    }
    accepted.push_back(fmt::format("Step \"{}\": a changed {} was accepted: {}.", spec_.name,
                                   part.name, difference));
    part.before = fingerprint(part.now);
  }
  const bool snapshot_lost =
      snapshot_fingerprint_text(record.inputs) != snapshot_fingerprint_text(step.inputs);
  if (accepted.empty() && !snapshot_lost) return {};
  const bool input_changed = inputs_before != record.input;
  // What the target has is committed, also where a crash kept it from the ledger: planned anew, it
  // would be taken for done.
  TRANCHE_ASSIGN(claims_, claim_targets(step));
  TRANCHE_ASSIGN(auto step_ledger, ledger_.step_ledger(frame_.record.run, spec_.name));
  TRANCHE_ASSIGN(auto state, recover_batch_step(step, *step_ledger, surroundings()));
  if (snapshot_lost) {
    if (accepted.empty() && is_read(state)) return {};
    TRANCHE_TRY(accept_new_snapshot(step, state, *step_ledger, accepted));
  }
  TRANCHE_TRY(plan_anew(step, state, record.inputs, *step_ledger));
  if (input_changed) TRANCHE_TRY(step_ledger->forget_checkpoints());
  record.inputs = step.inputs;
  record.division = full_division(step);
  record.targets = step.sink->targets();
  record.appends = step.sink->appends();
  TRANCHE_ASSIGN(auto settings, step_settings_from_json(record.settings));
  settings.write = write();
  settings.columns = columns_to_compare(step);
  record.settings = to_json(settings);
  TRANCHE_TRY(ledger_.update_step(frame_.record.run, record));
  for (const auto& sentence : accepted) {
    TRANCHE_TRY(ledger_.add_warning(frame_.record.run, sentence));
  }
  return {};
}

// All batches of a run read one snapshot of a database, which ends with the engine that held it.
// Those that are committed are kept, or taken back, as the user wants it.
Result<void> StepRun::accept_new_snapshot(const BatchStep& step, StepState& state,
                                          StepLedger& step_ledger,
                                          std::vector<std::string>& accepted) {
  if (state.committed.empty()) return {};
  const SnapshotLoss wanted =
      frame_.options.accept_snapshot ? SnapshotLoss::go_on : step.source->on_snapshot_loss();
  if (wanted == SnapshotLoss::refuse) {
    return make_error(
        ErrorKind::config,
        fmt::format("The snapshot of the database that step \"{}\" of run {} was reading is gone "
                    "with the engine that held it; what is left may have been changed since. Go on "
                    "from a new one with --accept snapshot (committed batches are kept), or start "
                    "again with --fresh; `on_change: continue` or `on_change: restart` in `read:` "
                    "says so for ever.",
                    step.name, frame_.record.run.substr(0, 8)));
  }
  if (wanted == SnapshotLoss::start_afresh) {
    TRANCHE_TRY(undo_step(step, state, step_ledger));
    accepted.push_back(
        fmt::format("Step \"{}\" was started afresh, since the snapshot that it "
                    "read is gone.",
                    step.name));
    return {};
  }
  const auto last =
      std::find_if(state.batches.rbegin(), state.batches.rend(),
                   [&](const BatchPlan& batch) { return batch.group < state.committed.size(); });
  accepted.push_back(fmt::format(
      "Step \"{}\": batches 0 to {} were read from a snapshot that is gone, those behind them from "
      "a new one; a row that was changed in between may be missing, or be there twice.",
      step.name, last == state.batches.rend() ? 0 : last->number));
  return {};
}

// Keeps the committed batches, and forgets the plan of the others.
Result<void> StepRun::plan_anew(const BatchStep& step, const StepState& state,
                                const std::vector<Input>& inputs_before, StepLedger& step_ledger) {
  // Those of another input are worth nothing; the comparison goes over all and notes new ones.
  step.source->use_checkpoints({});
  // Whoever was guilty is tried anew: the logic, or the input, is another by now.
  TRANCHE_TRY(step_ledger.forget_culprits());
  TRANCHE_TRY(compare_committed(step, state, inputs_before));
  auto first =
      std::find_if(state.batches.begin(), state.batches.end(),
                   [&](const BatchPlan& batch) { return batch.group >= state.committed.size(); });
  return step_ledger.drop_plan_from(first == state.batches.end() ? state.batches.size()
                                                                 : first->number);
}

// Takes back what a step has committed but not sealed. Errors: config, where rows of a table in
// append can't be.
Result<void> StepRun::undo_step(const BatchStep& step, StepState& state, StepLedger& step_ledger) {
  std::vector<Receipt> receipts;
  for (const auto& group : state.committed) receipts.push_back(group.receipt);
  SinkRun sink_run = surroundings().run;
  sink_run.step = step.name;
  TRANCHE_TRY(step.sink->discard(sink_run, receipts, false));
  for (const auto& receipt : receipts) TRANCHE_TRY(step_ledger.forget_commit(receipt.group));
  TRANCHE_TRY(step_ledger.drop_plan_from(0));
  state = StepState();
  return {};
}

Result<engine::StepEnd> StepRun::run(StepSummary& summary, std::optional<BoundStep> bound,
                                     bool again) {
  TRANCHE_ASSIGN(auto known, ledger_.load_step(frame_.record.run, spec_.name));
  if (known && known->state == "completed" && (spec_.has_records() || !again)) {
    was_done_ = true;
    TRANCHE_ASSIGN(const auto totals, ledger_.step_totals(frame_.record.run, spec_.name));
    fill_summary(summary, totals.counts, totals.batches_committed);
    if (!spec_.has_records()) {
      TRANCHE_ASSIGN(const auto settings, step_settings_from_json(known->settings));
      summary.counts.read = settings.rows_read;
      summary.counts.written = settings.rows_written;
    }
    summary.batches_resumed = totals.batches_committed;
    summary.state = "completed";
    emit(Event::Kind::step_skipped, "completed earlier");
    engine::StepEnd end;
    end.state = engine::StepEnd::State::completed;
    return end;
  }
  // A backup is not made again for rejects: it is in its place.
  const bool is_made = move_options(spec_) != nullptr && !frame_.rejects_of.empty();
  if (!spec_.has_records() && !is_made) return run_deed(known, summary);
  TRANCHE_ASSIGN(const bool is_needed, is_made ? Result<bool>(false) : is_in_original());
  if (!is_needed) {
    summary.state = "skipped";
    emit(Event::Kind::step_skipped, "it was not needed");
    engine::StepEnd end;
    end.state = engine::StepEnd::State::completed;
    return end;
  }
  const auto started = system_clock().monotonic();
  if (bound) claims_ = std::move(bound->claims);
  TRANCHE_ASSIGN(auto step, known   ? resume(*known)
                            : bound ? Result<BatchStep>(std::move(bound->step))
                                    : bind());
  if (step.has_nothing_new) return skip(step, summary);
  if (claims_.empty()) {
    TRANCHE_ASSIGN(claims_, claim_targets(step));
  }
  if (!frame_.rejects_of.empty()) {
    TRANCHE_ASSIGN(const bool is_sealed, is_past_seal());
    if (!is_sealed) TRANCHE_TRY(check_still_last());
  }
  if (!known) {
    TRANCHE_ASSIGN(known, create_record(step));
  }
  auto end = run_batches(step, *known, summary);
  summary.seconds = std::chrono::duration<double>(system_clock().monotonic() - started).count();
  return end;
}

Result<engine::StepEnd> StepRun::run_batches(const BatchStep& step, const StepRecord& record,
                                             StepSummary& summary) {
  TRANCHE_ASSIGN(const auto settings, step_settings_from_json(record.settings));
  TRANCHE_TRY(ledger_.set_step_state(frame_.record.run, spec_.name, "running", {}, Durable::soon));
  emit(Event::Kind::step_started, {});

  StepSurroundings around = surroundings();
  LedgerObserver observer(ledger_, observer_);
  around.observer = &observer;
  around.database_memory_bytes = settings.database_memory_bytes;
  if (track_.link != nullptr) {
    TRANCHE_TRY(give_order(step, around));
    around.suspects = track_.link->suspects_of(number_);
  }
  TRANCHE_ASSIGN(auto step_ledger, ledger_.step_ledger(frame_.record.run, spec_.name));
  engine::StepEnd end = run_batch_step(step, record.division, *step_ledger, around);
  has_begun_ = has_begun_ || end.has_begun;

  fill_summary(summary, end.counts, end.batches_committed);
  summary.batches_resumed = end.batches_resumed;
  summary.retries = end.retries;
  fill_workers(summary, step.workers, end);
  summary.state = step_end_text(end.state);
  if (end.error) end.error->message = with_bad_records(end);
  claims_.clear();
  if (end.state == engine::StepEnd::State::completed) {
    TRANCHE_TRY(write_rejects());
    // Rejects may be processed again.
    if (end.counts.rejected() == 0 && frame_.rejects_of.empty()) {
      if (spec_.query) TRANCHE_TRY(remove_file(query_result_path(frame_.run_folder(), spec_)));
      TRANCHE_TRY(remove_tree(fetched_folder(frame_.run_folder(), spec_.name)));
    }
    for (const auto& files : step.files) TRANCHE_TRY(move_done(files, record.inputs));
  }
  TRANCHE_TRY(ledger_.set_step_state(frame_.record.run, spec_.name, summary.state,
                                     end.error ? end.error->message : "", Durable::soon));
  if (end.state == engine::StepEnd::State::completed) {
    emit(Event::Kind::step_completed, {});
  }
  return end;
}

// What a worker process must know, should one be started.
Result<void> StepRun::give_order(const BatchStep& step, const StepSurroundings& around) {
  WorkerOrder order;
  order.step = number_;
  order.run = around.run;
  order.run.step = step.name;
  order.memory_bytes_max = around.memory_bytes_max;
  order.database_memory_bytes = around.database_memory_bytes;
  order.spill_folder = around.spill_folder;
  order.inputs = step.inputs;
  order.values = values_;
  order.is_for_rejects = !frame_.rejects_of.empty();
  order.fetching_run_folder = fetching_run_folder().string();
  TRANCHE_ASSIGN(order.fingerprint, binding_fingerprint(step));
  track_.link->board().step.store(order.step);
  track_.link->set_order(encode_order(order));
  return {};
}

Result<bool> StepRun::is_past_seal() {
  TRANCHE_ASSIGN(const auto known, ledger_.load_step(frame_.record.run, spec_.name));
  if (!known) return false;
  TRANCHE_ASSIGN(const auto totals, ledger_.step_totals(frame_.record.run, spec_.name));
  return totals.seal != SealState::open;
}

// Files that came later belong to the next run: only those of the plan are looked at.
Result<std::vector<Input>> StepRun::inputs_as_planned(const BatchStep& step,
                                                      const StepRecord& record) {
  TRANCHE_ASSIGN(const auto present, step.source->inputs());
  std::vector<Input> now;
  for (const auto& input : record.inputs) {
    auto found = std::find_if(present.begin(), present.end(), [&](const Input& candidate) {
      return candidate.name == input.name && candidate.source == input.source;
    });
    if (found == present.end()) {
      return make_error(
          ErrorKind::config,
          fmt::format(
              "{} was an input of run {} and is gone. Bring it back{}.", input.name,
              (frame_.rejects_of.empty() ? frame_.record.run : frame_.rejects_of).substr(0, 8),
              frame_.rejects_of.empty() ? ", or start again with --fresh" : ""));
    }
    now.push_back(*found);
    now.back().from = input.from;
    now.back().until = input.until;
    // Of a remote file it is its ETag as it is now.
    if (now.back().digest.empty()) now.back().digest = input.digest;
  }
  return now;
}

// A step that was begun earlier. What is sealed, or about to be, is not compared any more: its
// output is decided.
Result<BatchStep> StepRun::resume(StepRecord& record) {
  TRANCHE_ASSIGN(const auto totals, ledger_.step_totals(frame_.record.run, spec_.name));
  if (spec_.query && record.job.text != job_fingerprint_text(frame_.job, raw_spec())) {
    return make_error(
        ErrorKind::config,
        fmt::format(
            "Step \"{}\" changed since run {} began, which has kept the result of its "
            "query as it was: {}. Start again with --fresh.",
            spec_.name, frame_.record.run.substr(0, 8),
            describe_difference(record.job.text, job_fingerprint_text(frame_.job, raw_spec()))));
  }
  TRANCHE_ASSIGN(auto step, assembled());
  if (totals.seal != SealState::open) {
    step.inputs = record.inputs;
    step.schemas.emplace_back("read", std::make_shared<const Schema>());
    return step;
  }
  TRANCHE_ASSIGN(const auto now, inputs_as_planned(step, record));
  TRANCHE_TRY(bind_step(step, &now, surroundings()));
  TRANCHE_TRY(accept_or_refuse(record, step));
  return step;
}

Result<void> StepRun::write_rejects() {
  TRANCHE_ASSIGN(const auto count,
                 ledger_.count_rejects(frame_.record.run, spec_.name, KeptRejects::published));
  if (count == 0 && spec_.rejects_path.empty()) return {};
  const auto base = frame_.job.base.empty() ? fs::path(".") : frame_.job.base;
  const auto path = spec_.rejects_path.empty()
                        ? frame_.run_folder() / ("rejects-" + spec_.name + ".jsonl")
                        : (base / spec_.rejects_path).lexically_normal();
  if (path.has_parent_path()) TRANCHE_TRY(create_folders(path.parent_path()));
  const fs::path temporary = path.string() + ".tranche-" + frame_.record.run.substr(0, 8) + ".tmp";
  TRANCHE_ASSIGN(auto file, File::create(temporary));
  std::string buffer;
  const auto take = [&](const KeptReject& kept) -> Result<void> {
    buffer += reject_line(kept);
    buffer += '\n';
    if (buffer.size() < (1U << 20)) return {};
    TRANCHE_TRY(file.write(buffer));
    buffer.clear();
    return {};
  };
  TRANCHE_TRY(ledger_.read_rejects(frame_.record.run, spec_.name, KeptRejects::published, 0, take));
  TRANCHE_TRY(file.write(buffer));
  TRANCHE_TRY(file.sync());
  TRANCHE_TRY(file.close());
  TRANCHE_TRY(rename_durably(temporary, path));
  if (count > 0) rejects_path_ = path.string();
  return {};
}

}  // namespace tranche
