// One step of a run: bound to what is there, compared with what the ledger remembers, and run.
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "api/job_run.h"
#include "api/query_result.h"
#include "api/reject_line.h"
#include "api/worker_order.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "connectors/row_digest.h"
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
  std::vector<Field> columns;
  if (!step.sink->records_commits()) return columns;
  for (const Field& field : step.output_schema()->fields) {
    if (is_digested(field.type)) columns.push_back(field);
  }
  return columns;
}

}  // namespace

std::string to_json(const StepSettings& settings) {
  Json json;
  json.set("write", connector_use_to_json(settings.write));
  if (settings.executes) json.set("executes", true);
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

Error changed_since(const std::string& run, const std::string& step, const std::string& part,
                    const std::string& difference) {
  return make_error(
      ErrorKind::config,
      fmt::format("The {0} of step \"{1}\" changed since run {2} began: {3}. Go on with --accept "
                  "{0} (committed batches are kept), or start again with --fresh.",
                  part, step, run.substr(0, 8), difference));
}

StepSurroundings JobRun::surroundings() {
  StepSurroundings surroundings;
  surroundings.run = SinkRun{record_.run, {}, run_folder().string(), job_.name};
  surroundings.memory_bytes_max = memory_bytes_max_;
  surroundings.database_memory_bytes = database_memory_for(memory_bytes_max_);
  surroundings.spill_folder = (run_folder() / "spill").string();
  surroundings.clock = &system_clock();
  surroundings.stop = options_.stop;
  surroundings.board = link_ != nullptr ? &link_->board() : own_board_.get();
  surroundings.starter = link_;
  surroundings.sample_memory = [link = link_] {
    return link != nullptr ? tree_set_bytes(link->supervisor()) : proportional_set_bytes();
  };
  return surroundings;
}

StepSpec JobRun::with_records(std::size_t number) const {
  const StepSpec& spec = job_.steps[number];
  const std::string& run = rejects_of_.empty() ? record_.run : rejects_of_;
  return reading_result(spec, query_result_path(state_ / "runs" / run, spec));
}

// The result is kept before the ledger knows of the step: whatever happens until then, the query
// runs again.
Result<void> JobRun::run_query(const StepSpec& spec) {
  emit(Event::Kind::note, spec.name, "runs its query");
  return keep_result(job_, spec, surroundings(), query_result_path(run_folder(), spec), {},
                     [this] { return is_stop_wanted(); });
}

Result<BatchStep> JobRun::bound_step(std::size_t number, const std::vector<Input>* inputs) {
  if (!rejects_of_.empty()) return bound_rejects_step(number);
  if (inputs == nullptr && job_.steps[number].query) TRANCHE_TRY(run_query(job_.steps[number]));
  TRANCHE_ASSIGN(auto step, assemble(job_, with_records(number), options_));
  if (step.source->is_incremental()) {
    step.increment = fmt::format("{}/{}/{}", job_.name, step.name, record_.parameters_digest);
  }
  std::optional<std::vector<Input>> new_inputs;
  if (inputs == nullptr) {
    TRANCHE_ASSIGN(new_inputs, increment_of(step));
    if (new_inputs) inputs = &*new_inputs;
  }
  if (!step.has_nothing_new) TRANCHE_TRY(bind_step(step, inputs, surroundings()));
  return step;
}

// Of a step with an increment: what it has not read yet. nullopt: the source itself says what it
// reads.
Result<std::optional<std::vector<Input>>> JobRun::increment_of(BatchStep& step) {
  const FileIncrement* const files = step.file_increment();
  if (files == nullptr && !step.source->is_incremental())
    return std::optional<std::vector<Input>>();
  std::vector<Input> read;
  if (!options_.full) {
    TRANCHE_ASSIGN(read, ledger_->inputs_read(job_.name, record_.parameters_digest, step.name));
  }
  if (files == nullptr) {
    if (!options_.full) {
      TRANCHE_ASSIGN(auto until, watermark_of(step, read.empty() ? "" : read.back().until));
      step.source->read_behind(std::move(until));
    }
    return std::optional<std::vector<Input>>();
  }
  TRANCHE_ASSIGN(auto found, find_new_files(*files, read, system_clock().now_microseconds()));
  step.notices = std::move(found.notices);
  step.has_nothing_new = found.inputs.empty();
  return std::optional(std::move(found.inputs));
}

// What the target says counts: it may have been restored from a backup, or the ledger lost. One
// that keeps no watermarks (one file), or has none yet, leaves it to the ledger.
Result<std::string> JobRun::watermark_of(BatchStep& step, const std::string& in_ledger) {
  TRANCHE_ASSIGN(const auto in_target, step.sink->sealed_until(step.increment));
  if (!in_target || *in_target == in_ledger) return in_ledger;
  step.notices.push_back(fmt::format(
      "Step \"{}\" reads from {} on, which is how far its target was loaded; the ledger {}.",
      step.name, *in_target, in_ledger.empty() ? "knows of no run" : "says " + in_ledger));
  return *in_target;
}

// A step that has no new file, or no reject, is done without a plan, an encoder or a seal.
Result<engine::StepEnd> JobRun::skip_step(std::size_t number, const BatchStep& step,
                                          StepSummary& summary) {
  StepRecord record;
  if (!rejects_of_.empty()) {
    // All that the earlier run knows of it is still so.
    TRANCHE_ASSIGN(auto original, ledger_->load_step(rejects_of_, step.name));
    record = *std::move(original);
    record.state = "waiting";
  } else {
    record.name = step.name;
    record.input = fingerprint({});
    record.job = fingerprint(job_fingerprint_text(job_, job_.steps[number]));
    record.code = fingerprint({});
    record.settings = to_json(StepSettings{job_.steps[number].write, job_base(), 0, false, {}});
  }
  record.number = static_cast<std::uint32_t>(number);
  TRANCHE_TRY(ledger_->create_step(record_.run, record));
  for (const auto& notice : step.notices) TRANCHE_TRY(ledger_->add_warning(record_.run, notice));
  TRANCHE_TRY(ledger_->set_step_state(record_.run, step.name, "completed"));
  claims_.clear();
  summary.state = "completed";
  emit(Event::Kind::step_skipped, step.name, rejects_of_.empty() ? "no new file" : "no rejects");
  engine::StepEnd end;
  end.state = engine::StepEnd::State::completed;
  return end;
}

ConnectorUse JobRun::write_of(const StepSpec& spec) const {
  return rejects_of_.empty() ? spec.write : rejects_spec(spec).write;
}

std::string JobRun::job_base() const {
  return (job_.base.empty() ? fs::current_path() : fs::absolute(job_.base)).string();
}

Result<StepRecord> JobRun::create_record(std::size_t number, const BatchStep& step) {
  StepRecord record;
  record.number = static_cast<std::uint32_t>(number);
  record.name = step.name;
  record.input = fingerprint(input_fingerprint_text(step.inputs));
  record.job = fingerprint(job_fingerprint_text(job_, job_.steps[number]));
  TRANCHE_ASSIGN(auto code, code_fingerprint_text(step));
  record.code = fingerprint(std::move(code));
  record.targets = step.sink->targets();
  record.inputs = step.inputs;
  record.division = full_division(step);
  record.appends = step.sink->appends();
  if (!rejects_of_.empty()) {
    TRANCHE_ASSIGN(const auto original, ledger_->load_step(rejects_of_, step.name));
    record.appends = original->appends;
  }
  record.settings = to_json(StepSettings{write_of(job_.steps[number]), job_base(),
                                         database_memory_for(memory_bytes_max_), false,
                                         columns_to_compare(step)});
  TRANCHE_TRY(ledger_->create_step(record_.run, record));
  for (const auto& notice : step.notices) TRANCHE_TRY(ledger_->add_warning(record_.run, notice));
  return record;
}

// Two runs never write one target at once.
Result<void> JobRun::claim_targets(const BatchStep& step) {
  const auto deadline = system_clock().monotonic() + options_.wait;
  for (const auto& target : step.sink->targets()) {
    const auto path = state_ / "locks" / ("target-" + digest_hex(target) + ".lock");
    const auto note = fmt::format("process {} writes {} for job {}", getpid(), target, job_.name);
    while (true) {
      TRANCHE_ASSIGN(auto lock, FileLock::try_take(path, note));
      if (lock) {
        claims_.push_back(*std::move(lock));
        break;
      }
      if (system_clock().monotonic() >= deadline) {
        return make_error(ErrorKind::busy,
                          fmt::format("{} is being written by another run ({}). Wait "
                                      "for it with --wait 10m.",
                                      target, FileLock::read_note(path)));
      }
      if (options_.stop != nullptr && options_.stop->load()) return stopped_waiting();
      system_clock().sleep(100ms);
    }
  }
  return {};
}

// A resume that finds another input, job or code says which, and refuses unless it was accepted;
// then the committed batches are kept and the rest is planned anew.
Result<void> JobRun::accept_or_refuse(const StepSpec& spec, StepRecord& record, BatchStep& step) {
  struct Part {
    const char* name;
    bool accepted;
    Fingerprint& before;
    std::string now;
  };
  TRANCHE_ASSIGN(auto code, code_fingerprint_text(step));
  Part parts[] = {
      {"input", options_.accept_input, record.input, input_fingerprint_text(step.inputs)},
      {"job", options_.accept_job, record.job, job_fingerprint_text(job_, spec)},
      {"code", options_.accept_code, record.code, std::move(code)},
  };
  const Fingerprint inputs_before = record.input;
  std::vector<std::string> accepted;
  for (auto& part : parts) {
    if (part.before.text == part.now) continue;
    const auto difference = describe_difference(part.before.text, part.now);
    if (!part.accepted) {
      return changed_since(record_.run, spec.name, part.name, difference);
    }
    accepted.push_back(fmt::format("Step \"{}\": a changed {} was accepted: {}.", spec.name,
                                   part.name, difference));
    part.before = fingerprint(part.now);
  }
  const bool snapshot_lost =
      snapshot_fingerprint_text(record.inputs) != snapshot_fingerprint_text(step.inputs);
  if (accepted.empty() && !snapshot_lost) return {};
  const bool input_changed = inputs_before != record.input;
  // What the target has is committed, also where a crash kept it from the ledger: planned anew, it
  // would be taken for done.
  TRANCHE_TRY(claim_targets(step));
  TRANCHE_ASSIGN(auto step_ledger, ledger_->step_ledger(record_.run, spec.name));
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
  settings.write = write_of(spec);
  settings.columns = columns_to_compare(step);
  record.settings = to_json(settings);
  TRANCHE_TRY(ledger_->update_step(record_.run, record));
  for (const auto& sentence : accepted) {
    TRANCHE_TRY(ledger_->add_warning(record_.run, sentence));
  }
  return {};
}

// All batches of a run read one snapshot of a database, which ends with the engine that held it.
// Those that are committed are kept, or taken back, as the user wants it.
Result<void> JobRun::accept_new_snapshot(const BatchStep& step, StepState& state,
                                         StepLedger& step_ledger,
                                         std::vector<std::string>& accepted) {
  if (state.committed.empty()) return {};
  const SnapshotLoss wanted =
      options_.accept_snapshot ? SnapshotLoss::go_on : step.source->on_snapshot_loss();
  if (wanted == SnapshotLoss::refuse) {
    return make_error(
        ErrorKind::config,
        fmt::format("The snapshot of the database that step \"{}\" of run {} was reading is gone "
                    "with the engine that held it; what is left may have been changed since. Go on "
                    "from a new one with --accept snapshot (committed batches are kept), or start "
                    "again with --fresh; `on_change: continue` or `on_change: restart` in `read:` "
                    "says so for ever.",
                    step.name, record_.run.substr(0, 8)));
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
Result<void> JobRun::plan_anew(const BatchStep& step, const StepState& state,
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
Result<void> JobRun::undo_step(const BatchStep& step, StepState& state, StepLedger& step_ledger) {
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

Result<engine::StepEnd> JobRun::run_step(std::size_t number, StepSummary& summary) {
  const auto& spec = job_.steps[number];
  TRANCHE_ASSIGN(auto known, ledger_->load_step(record_.run, spec.name));
  if (known && known->state == "completed") {
    TRANCHE_ASSIGN(const auto totals, ledger_->step_totals(record_.run, spec.name));
    fill_summary(summary, totals.counts, totals.batches_committed);
    summary.batches_resumed = totals.batches_committed;
    summary.state = "completed";
    emit(Event::Kind::step_skipped, spec.name, "completed earlier");
    engine::StepEnd end;
    end.state = engine::StepEnd::State::completed;
    return end;
  }
  if (!spec.has_records()) return step_without_records(number, known, summary);
  const auto started = system_clock().monotonic();
  TRANCHE_ASSIGN(auto step, known         ? resumed_step(number, *known)
                            : first_step_ ? Result<BatchStep>(*std::exchange(first_step_, {}))
                                          : bound_step(number, nullptr));
  if (step.has_nothing_new) return skip_step(number, step, summary);
  if (claims_.empty()) TRANCHE_TRY(claim_targets(step));
  if (!rejects_of_.empty()) {
    TRANCHE_ASSIGN(const bool is_sealed, is_past_seal(spec.name));
    if (!is_sealed) TRANCHE_TRY(check_still_last(spec));
  }
  if (!known) {
    TRANCHE_ASSIGN(known, create_record(number, step));
  }
  TRANCHE_ASSIGN(const auto settings, step_settings_from_json(known->settings));
  TRANCHE_TRY(ledger_->set_step_state(record_.run, spec.name, "running"));
  emit(Event::Kind::step_started, spec.name, {});

  StepSurroundings around = surroundings();
  LedgerObserver observer(*ledger_, observer_);
  around.observer = &observer;
  around.database_memory_bytes = settings.database_memory_bytes;
  if (link_ != nullptr) {
    TRANCHE_TRY(give_order(number, step, around));
    around.suspects = link_->take_suspects(static_cast<std::uint32_t>(number));
  }
  TRANCHE_ASSIGN(auto step_ledger, ledger_->step_ledger(record_.run, spec.name));
  engine::StepEnd end = run_batch_step(step, known->division, *step_ledger, around);

  fill_summary(summary, end.counts, end.batches_committed);
  summary.batches_resumed = end.batches_resumed;
  summary.retries = end.retries;
  summary.seconds = std::chrono::duration<double>(system_clock().monotonic() - started).count();
  fill_workers(summary, step.workers, end);
  summary.state = step_end_text(end.state);
  if (end.error) end.error->message = with_bad_records(end);
  claims_.clear();
  if (end.state == engine::StepEnd::State::completed) {
    TRANCHE_TRY(write_rejects(spec));
    // Rejects may be processed again.
    if (spec.query && end.counts.rejected() == 0 && rejects_of_.empty())
      TRANCHE_TRY(remove_file(query_result_path(run_folder(), spec)));
    for (const auto& files : step.files) TRANCHE_TRY(move_done(files, known->inputs));
  }
  TRANCHE_TRY(ledger_->set_step_state(record_.run, spec.name, summary.state,
                                      end.error ? end.error->message : ""));
  if (end.state == engine::StepEnd::State::completed) {
    emit(Event::Kind::step_completed, spec.name, {});
  }
  return end;
}

// What a worker process must know, should one be started.
Result<void> JobRun::give_order(std::size_t number, const BatchStep& step,
                                const StepSurroundings& around) {
  WorkerOrder order;
  order.step = static_cast<std::uint32_t>(number);
  order.run = around.run;
  order.run.step = step.name;
  order.memory_bytes_max = around.memory_bytes_max;
  order.database_memory_bytes = around.database_memory_bytes;
  order.spill_folder = around.spill_folder;
  order.inputs = step.inputs;
  order.is_for_rejects = !rejects_of_.empty();
  TRANCHE_ASSIGN(order.fingerprint, binding_fingerprint(step));
  link_->board().step.store(order.step);
  link_->set_order(encode_order(order));
  return {};
}

Result<bool> JobRun::is_past_seal(const std::string& step) {
  TRANCHE_ASSIGN(const auto known, ledger_->load_step(record_.run, step));
  if (!known) return false;
  TRANCHE_ASSIGN(const auto totals, ledger_->step_totals(record_.run, step));
  return totals.seal != SealState::open;
}

// Files that came later belong to the next run: only those of the plan are looked at.
Result<std::vector<Input>> JobRun::inputs_as_planned(const BatchStep& step,
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
          fmt::format("{} was an input of run {} and is gone. Bring it back{}.", input.name,
                      (rejects_of_.empty() ? record_.run : rejects_of_).substr(0, 8),
                      rejects_of_.empty() ? ", or start again with --fresh" : ""));
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
Result<BatchStep> JobRun::resumed_step(std::size_t number, StepRecord& record) {
  const auto& spec = job_.steps[number];
  TRANCHE_ASSIGN(const auto totals, ledger_->step_totals(record_.run, spec.name));
  if (spec.query && record.job.text != job_fingerprint_text(job_, spec)) {
    return make_error(
        ErrorKind::config,
        fmt::format("Step \"{}\" changed since run {} began, which has kept the result of its "
                    "query as it was: {}. Start again with --fresh.",
                    spec.name, record_.run.substr(0, 8),
                    describe_difference(record.job.text, job_fingerprint_text(job_, spec))));
  }
  TRANCHE_ASSIGN(auto step, assembled(number));
  if (totals.seal != SealState::open) {
    step.inputs = record.inputs;
    step.schemas.emplace_back("read", std::make_shared<const Schema>());
    return step;
  }
  TRANCHE_ASSIGN(const auto now, inputs_as_planned(step, record));
  TRANCHE_TRY(bind_step(step, &now, surroundings()));
  TRANCHE_TRY(accept_or_refuse(spec, record, step));
  return step;
}

Result<void> JobRun::write_rejects(const StepSpec& spec) {
  TRANCHE_ASSIGN(const auto count,
                 ledger_->count_rejects(record_.run, spec.name, KeptRejects::published));
  if (count == 0 && spec.rejects_path.empty()) return {};
  const auto base = job_.base.empty() ? fs::path(".") : job_.base;
  const auto path = spec.rejects_path.empty() ? run_folder() / ("rejects-" + spec.name + ".jsonl")
                                              : base / spec.rejects_path;
  if (path.has_parent_path()) TRANCHE_TRY(create_folders(path.parent_path()));
  const fs::path temporary = path.string() + ".tranche-" + record_.run.substr(0, 8) + ".tmp";
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
  TRANCHE_TRY(ledger_->read_rejects(record_.run, spec.name, KeptRejects::published, 0, take));
  TRANCHE_TRY(file.write(buffer));
  TRANCHE_TRY(file.sync());
  TRANCHE_TRY(file.close());
  TRANCHE_TRY(rename_durably(temporary, path));
  if (count > 0) summary_.rejects_path = path.string();
  return {};
}

}  // namespace tranche
