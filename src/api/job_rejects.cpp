// A run that processes the rejects of an earlier one again: the same job, perhaps mended, over the
// same input, of which only the rejected records go through. It has an id of its own, so that its
// batches are committed exactly once, as those of every run are.
#include <algorithm>

#include <fmt/format.h>

#include "api/job_run.h"
#include "api/report_use.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/text.h"

namespace tranche {
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
    TRANCHE_ASSIGN(frame_.in_place, ledger_->rejects_in_place(retry.run));
    if (options_.in_place && !frame_.in_place) {
      return refusal(
          fmt::format("Run {0} has begun to add the rejects of run {1} at the end of the output: "
                      "finish it without --in-place, or give it up with `tranche abandon {0}`.",
                      short_id(retry.run), short_id(original.run)));
    }
    frame_.record = retry;
    resumed_ = true;
    frame_.rejects_of = original.run;
    TRANCHE_ASSIGN(frame_.record.starts, ledger_->record_start(frame_.record.run));
    emit(Event::Kind::run_started, {}, "resumed");
    return std::optional<RunSummary>();
  }
  if (original.state != "completed") {
    return refusal(fmt::format("Run {} is {}: finish it first; its rejects are all known then.",
                               short_id(original.run), original.state));
  }
  TRANCHE_ASSIGN(const auto last, ledger_->latest_run(job_.name, frame_.record.parameters_digest));
  if (last && last->state != "completed" && last->state != "abandoned") {
    return refusal(fmt::format("Run {} of the same job is {}: finish it first, or give it up.",
                               short_id(last->run), last->state));
  }
  TRANCHE_ASSIGN(const auto rejects,
                 ledger_->count_rejects(original.run, {}, KeptRejects::published));
  if (rejects == 0) return refusal(fmt::format("Run {} has no rejects.", short_id(original.run)));
  frame_.record.run = random_id();
  frame_.rejects_of = original.run;
  frame_.record.rejects_of = original.run;
  frame_.in_place = options_.in_place;
  frame_.record.rejects_in_place = frame_.in_place;
  TRANCHE_TRY(check_rejects_steps(original));
  TRANCHE_TRY(create_folders(frame_.run_folder()));
  TRANCHE_TRY(ledger_->create_run(frame_.record));
  emit(Event::Kind::run_started, {}, "new");
  emit(Event::Kind::note, {},
       rejects == 1
           ? fmt::format("The reject of run {} is processed again.", short_id(original.run))
           : fmt::format("The {} rejects of run {} are processed again.", rejects,
                         short_id(original.run)));
  return std::optional<RunSummary>();
}

// What is wrong is found before anything is written.
Result<void> JobRun::check_rejects_steps(const RunRecord& original) {
  for (std::size_t number = 0; number < job_.steps.size(); ++number) {
    const StepSpec& spec = job_.steps[number];
    if (spec.exec) TRANCHE_TRY(assemble_exec(job_, spec));
    if (spec.execute) TRANCHE_TRY(assemble_execute(job_, spec));
    if (spec.report) TRANCHE_TRY(assemble_report(job_, spec, StepSurroundings()));
    if (!spec.has_records()) continue;
    StepRun run = step_run(number);
    TRANCHE_ASSIGN(const auto known, ledger_->load_step(original.run, spec.name));
    if (!known && !spec.when.empty()) continue;  // it was not needed
    TRANCHE_ASSIGN(const auto step, run.bind());
    if (step.has_nothing_new) continue;
    if (frame_.in_place) TRANCHE_TRY(check_has_places(original, spec));
    if (!takes_place(spec.write)) continue;
    TRANCHE_TRY(run.check_still_last());
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
  const SinkRun run{original.run, spec.name, (frame_.state / "runs" / original.run).string()};
  TRANCHE_ASSIGN(const auto differences, sink->verify(run, state.seal_intent, receipts));
  if (differences.empty()) return {};
  return refusal(fmt::format("The output of step \"{}\" is not what run {} wrote: {}", spec.name,
                             short_id(original.run), differences.front()));
}

}  // namespace tranche
