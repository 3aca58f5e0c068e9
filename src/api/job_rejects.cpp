// A run that processes the rejects of an earlier one again: the same job, perhaps mended, over the
// same input, of which only the rejected records go through. It has an id of its own, so that its
// batches are committed exactly once, as those of every run are.
#include <algorithm>

#include <fmt/format.h>

#include "api/job_run.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/text.h"

namespace tranche {
namespace {

Error refusal(std::string why) { return make_error(ErrorKind::usage, std::move(why)); }

// What a step's next run puts in the place of all that is there.
bool takes_place(const ConnectorUse& write) {
  const Node* const mode = write.options.find("mode");
  return mode == nullptr || mode->text == "replace";
}

// Of a job's fingerprint the lines that decide which number a record has.
std::string reading_text(const std::string& job) {
  std::string text;
  for (const auto& line : split(job, '\n')) {
    if (line.starts_with("read:") || line.starts_with("batch:")) text += line + "\n";
  }
  return text;
}

}  // namespace

Result<std::optional<RunSummary>> JobRun::choose_rejects_run() {
  TRANCHE_ASSIGN(const RunRecord original, ledger_->find_run(options_.rejects_of));
  TRANCHE_ASSIGN(const std::string by, ledger_->rejects_retried_by(original.run));
  if (!by.empty()) {
    TRANCHE_ASSIGN(const RunRecord retry, ledger_->find_run(by));
    // An engine that is started again in the place of one that had just completed it.
    if (retry.state == "completed" && options_.resume_run == retry.run)
      return std::optional<RunSummary>(kept_summary(retry));
    if (retry.state == "abandoned") {
      return refusal(
          fmt::format("Run {0} had added some of the rejects of run {1} to the output when "
                      "it was given up: another one would add them twice.",
                      short_id(retry.run), short_id(original.run)));
    }
    if (retry.state == "completed") {
      return refusal(
          fmt::format("Run {0} has processed the rejects of run {1} again; what it "
                      "rejected in turn is for `tranche retry-rejects {0}`.",
                      short_id(retry.run), short_id(original.run)));
    }
    TRANCHE_ASSIGN(in_place_, ledger_->rejects_in_place(retry.run));
    if (options_.in_place && !in_place_) {
      return refusal(
          fmt::format("Run {0} has begun to add the rejects of run {1} at the end of the output: "
                      "finish it without --in-place, or give it up with `tranche abandon {0}`.",
                      short_id(retry.run), short_id(original.run)));
    }
    record_ = retry;
    resumed_ = true;
    rejects_of_ = original.run;
    TRANCHE_ASSIGN(record_.starts, ledger_->record_start(record_.run));
    emit(Event::Kind::run_started, {}, "resumed");
    return std::optional<RunSummary>();
  }
  if (original.state != "completed") {
    return refusal(fmt::format("Run {} is {}: finish it first; its rejects are all known then.",
                               short_id(original.run), original.state));
  }
  TRANCHE_ASSIGN(const auto last, ledger_->latest_run(job_.name, record_.parameters_digest));
  if (last && last->state != "completed" && last->state != "abandoned") {
    return refusal(fmt::format("Run {} of the same job is {}: finish it first, or give it up.",
                               short_id(last->run), last->state));
  }
  TRANCHE_ASSIGN(const auto rejects,
                 ledger_->count_rejects(original.run, {}, KeptRejects::published));
  if (rejects == 0) return refusal(fmt::format("Run {} has no rejects.", short_id(original.run)));
  record_.run = random_id();
  rejects_of_ = original.run;
  record_.rejects_of = original.run;
  in_place_ = options_.in_place;
  record_.rejects_in_place = in_place_;
  TRANCHE_TRY(check_rejects_steps(original));
  TRANCHE_TRY(create_folders(run_folder()));
  TRANCHE_TRY(ledger_->create_run(record_));
  emit(Event::Kind::run_started, {}, "new");
  emit(Event::Kind::note, {},
       fmt::format("The {} rejects of run {} are processed again.", rejects,
                   short_id(original.run)));
  return std::optional<RunSummary>();
}

// What is wrong is found before anything is written.
Result<void> JobRun::check_rejects_steps(const RunRecord& original) {
  for (std::size_t number = 0; number < job_.steps.size(); ++number) {
    const StepSpec& spec = job_.steps[number];
    if (spec.exec) TRANCHE_TRY(assemble_exec(job_, spec));
    if (spec.execute) TRANCHE_TRY(assemble_execute(job_, spec));
    if (!spec.has_records()) continue;
    TRANCHE_ASSIGN(const auto step, bound_rejects_step(number));
    if (step.has_nothing_new) continue;
    if (in_place_) TRANCHE_TRY(check_has_places(original, spec));
    if (!takes_place(spec.write)) continue;
    TRANCHE_TRY(check_still_last(spec));
    if (writes_one_file(spec.write)) TRANCHE_TRY(check_file(original, spec));
  }
  return {};
}

// A record has a place of its own only while batch follows batch in the output.
Result<void> JobRun::check_has_places(const RunRecord& original, const StepSpec& spec) {
  TRANCHE_ASSIGN(const std::string before, ledger_->rejects_of(original.run));
  TRANCHE_ASSIGN(const bool was_in_place, ledger_->rejects_in_place(original.run));
  if (before.empty() || was_in_place) return {};
  return refusal(
      fmt::format("Run {} has added records at the end of the output of step \"{}\", which is not "
                  "in the order of the input any more: leave --in-place out.",
                  short_id(original.run), spec.name));
}

// What a newer run has put in the place of the old output is no place for rejects of the old one.
Result<void> JobRun::check_still_last(const StepSpec& spec) {
  if (!takes_place(spec.write)) return {};
  TRANCHE_ASSIGN(const auto step, ledger_->load_step(rejects_of_, spec.name));
  TRANCHE_ASSIGN(const std::string last, ledger_->last_sealed_by(step->targets));
  if (last.empty() || last == rejects_of_) return {};
  return refusal(
      fmt::format("Run {} has replaced the output of step \"{}\" since: the rejects of "
                  "run {} don't belong to it.",
                  short_id(last), spec.name, short_id(rejects_of_)));
}

// Records are added to a file only as it was written, and in the same form.
Result<void> JobRun::check_file(const RunRecord& original, const StepSpec& spec) {
  TRANCHE_ASSIGN(const auto step, ledger_->load_step(original.run, spec.name));
  TRANCHE_ASSIGN(const auto settings, step_settings_from_json(step->settings));
  if (connector_use_to_json(settings.write) != connector_use_to_json(spec.write)) {
    return refusal(
        fmt::format("The `write:` of step \"{}\" changed since run {}: records of another "
                    "form don't fit into its file.",
                    spec.name, short_id(original.run)));
  }
  TRANCHE_ASSIGN(auto sink, make_sink(settings.write, settings.base));
  TRANCHE_ASSIGN(const auto step_ledger, ledger_->step_ledger(original.run, spec.name));
  TRANCHE_ASSIGN(const auto state, step_ledger->load());
  std::vector<Receipt> receipts;
  for (const auto& group : state.committed) receipts.push_back(group.receipt);
  const SinkRun run{original.run, spec.name, (state_ / "runs" / original.run).string()};
  TRANCHE_ASSIGN(const auto differences, sink->verify(run, state.seal_intent, receipts));
  if (differences.empty()) return {};
  return refusal(fmt::format("The output of step \"{}\" is not what run {} wrote: {}", spec.name,
                             short_id(original.run), differences.front()));
}

// A reject is known by its number among the records of the input.
Result<void> JobRun::check_same_input(const StepSpec& spec, const BatchStep& step,
                                      const StepRecord& original) {
  for (const Input& input : step.inputs) {
    if (input.snapshot.empty()) continue;
    return refusal(
        fmt::format("Step \"{}\" reads {} from a database, which may be another by "
                    "now: the rejected rows can't be told by their numbers. Read them "
                    "by a query of their own.",
                    step.name, input.name));
  }
  const std::string read_now = reading_text(job_fingerprint_text(job_, spec));
  const std::string read_then = reading_text(original.job.text);
  if (read_now != read_then && !options_.accept_job) {
    return refusal(
        fmt::format("The way in which step \"{}\" reads changed since run {}: {}. Where "
                    "the records have the same numbers all the same, say --accept job.",
                    step.name, short_id(rejects_of_), describe_difference(read_then, read_now)));
  }
  const std::string now = input_fingerprint_text(step.inputs);
  if (now == original.input.text || options_.accept_input) return {};
  return refusal(
      fmt::format("The input of step \"{}\" changed since run {}: {}. Where no record was "
                  "added, removed or moved, say --accept input.",
                  step.name, short_id(rejects_of_), describe_difference(original.input.text, now)));
}

Result<BatchStep> JobRun::bound_rejects_step(std::size_t number) {
  const StepSpec& spec = job_.steps[number];
  TRANCHE_ASSIGN(auto step, assembled(number));
  TRANCHE_ASSIGN(const auto original, ledger_->load_step(rejects_of_, spec.name));
  if (!original) {
    return refusal(fmt::format("Run {} had no step \"{}\": the job has another form now.",
                               short_id(rejects_of_), spec.name));
  }
  step.inputs = original->inputs;
  step.has_nothing_new = step.only->empty();
  if (step.has_nothing_new) return step;
  TRANCHE_ASSIGN(const auto inputs, inputs_as_planned(step, *original));
  TRANCHE_TRY(bind_step(step, &inputs, surroundings()));
  TRANCHE_TRY(check_same_input(spec, step, *original));
  return step;
}

// The step as the job has it; in a run that processes rejects again, as that needs it.
Result<BatchStep> JobRun::assembled(std::size_t number) {
  const StepSpec spec = with_records(number);
  if (rejects_of_.empty()) return assemble(job_, spec, options_);
  TRANCHE_ASSIGN(auto step, assemble_for_rejects(job_, spec, options_));
  if (reads_standard_input(spec) || writes_standard_output(spec))
    return refusal(fmt::format("What step \"{}\" reads or writes went through a pipe and is gone.",
                               spec.name));
  std::vector<std::uint64_t> records;
  std::uint64_t without_place = 0;
  const auto take = [&](const KeptReject& kept) -> Result<void> {
    const bool is_file = kept.reject.raw.empty() && kept.reject.line == 0;
    if (kept.reject.has_position && !is_file)
      records.push_back(kept.reject.record);
    else
      ++without_place;
    return {};
  };
  TRANCHE_TRY(ledger_->read_rejects(rejects_of_, spec.name, KeptRejects::published, 0, take));
  std::sort(records.begin(), records.end());
  records.erase(std::unique(records.begin(), records.end()), records.end());
  step.only = std::move(records);
  if (!step.only->empty()) TRANCHE_TRY(continue_output(step));
  if (without_place > 0) {
    step.notices.push_back(fmt::format(
        "Step \"{}\": {} of the rejects were rows that SQL made, so nobody knows of which "
        "record; they are not processed again.",
        spec.name, without_place));
  }
  return step;
}

// At the end of what the earlier run wrote, or between it.
Result<void> JobRun::continue_output(BatchStep& step) {
  if (!in_place_) {
    step.sink->extend_sealed();
    return {};
  }
  TRANCHE_ASSIGN(const auto step_ledger, ledger_->step_ledger(rejects_of_, step.name));
  TRANCHE_ASSIGN(auto state, step_ledger->load());
  EarlierOutput earlier;
  for (const auto& group : state.committed) earlier.committed.push_back(group.receipt);
  earlier.may_change = options_.accept_job;
  step.rewritten = std::move(state.batches);
  auto rewritten = step.sink->rewrite_sealed(std::move(earlier));
  if (rewritten) return {};
  return refusal(fmt::format("Step \"{}\": {} Leave --in-place out, and what is good now is added.",
                             step.name, rewritten.error().message));
}

}  // namespace tranche
