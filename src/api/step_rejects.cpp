// A step of a run that processes rejects again: which records, from which input, to which output.
#include <algorithm>

#include <fmt/format.h>

#include "api/step_run.h"
#include "base/text.h"

namespace tranche {
namespace {

// Of a job's fingerprint the lines that decide which number a record has.
std::string reading_text(const std::string& job) {
  std::string text;
  for (const auto& line : split(job, '\n')) {
    if (line.starts_with("read:") || line.starts_with("batch:")) text += line + "\n";
  }
  return text;
}

}  // namespace

Error refusal(std::string why) { return make_error(ErrorKind::usage, std::move(why)); }

bool takes_place(const ConnectorUse& write) {
  const Node* const mode = write.options.find("mode");
  return mode == nullptr || mode->text == "replace";
}

// What a newer run has put in the place of the old output is no place for rejects of the old one.
Result<void> StepRun::check_still_last() {
  if (!takes_place(spec_.write)) return {};
  TRANCHE_ASSIGN(const auto step, ledger_.load_step(frame_.rejects_of, spec_.name));
  TRANCHE_ASSIGN(const std::string last, ledger_.last_sealed_by(step->targets));
  if (last.empty() || last == frame_.rejects_of) return {};
  return refusal(
      fmt::format("Run {} has replaced the output of step \"{}\" since: the rejects of "
                  "run {} don't belong to it.",
                  short_id(last), spec_.name, short_id(frame_.rejects_of)));
}

// Where rejects are processed again, a step with conditions may not have been needed.
Result<bool> StepRun::is_in_original() {
  if (frame_.rejects_of.empty() || spec_.when.empty()) return true;
  TRANCHE_ASSIGN(const auto original, ledger_.load_step(frame_.rejects_of, spec_.name));
  return original.has_value();
}

// A reject is known by its number among the records of the input.
Result<void> StepRun::check_same_input(const BatchStep& step, const StepRecord& original) {
  for (const Input& input : step.inputs) {
    if (input.snapshot.empty()) continue;
    return refusal(
        fmt::format("Step \"{}\" reads {} from a database, which may be another by "
                    "now: the rejected rows can't be told by their numbers. Read them "
                    "by a query of their own.",
                    step.name, input.name));
  }
  const std::string read_now = reading_text(job_fingerprint_text(frame_.job, raw_spec()));
  const std::string read_then = reading_text(original.job.text);
  if (read_now != read_then && !frame_.options.accept_job) {
    return refusal(fmt::format(
        "The way in which step \"{}\" reads changed since run {}: {}. Where "
        "the records have the same numbers all the same, say --accept job.",
        step.name, short_id(frame_.rejects_of), describe_difference(read_then, read_now)));
  }
  const std::string now = input_fingerprint_text(step.inputs);
  if (now == original.input.text || frame_.options.accept_input) return {};
  return refusal(fmt::format(
      "The input of step \"{}\" changed since run {}: {}. Where no record was "
      "added, removed or moved, say --accept input.",
      step.name, short_id(frame_.rejects_of), describe_difference(original.input.text, now)));
}

Result<BatchStep> StepRun::bind_rejects() {
  TRANCHE_ASSIGN(auto step, assembled());
  TRANCHE_ASSIGN(const auto original, ledger_.load_step(frame_.rejects_of, spec_.name));
  if (!original) {
    return refusal(fmt::format("Run {} had no step \"{}\": the job has another form now.",
                               short_id(frame_.rejects_of), spec_.name));
  }
  step.inputs = original->inputs;
  step.has_nothing_new = step.only->empty();
  if (step.has_nothing_new) return step;
  TRANCHE_ASSIGN(const auto inputs, inputs_as_planned(step, *original));
  TRANCHE_TRY(bind_step(step, &inputs, surroundings()));
  TRANCHE_TRY(check_same_input(step, *original));
  return step;
}

// The step as the job has it; in a run that processes rejects again, as that needs it.
Result<BatchStep> StepRun::assembled() {
  const StepSpec spec = with_records();
  TRANCHE_ASSIGN(auto step, frame_.rejects_of.empty()
                                ? assemble(frame_.job, spec, frame_.options)
                                : assemble_for_rejects(frame_.job, spec, frame_.options));
  keep_fetched(step, fetching_run_folder());
  if (frame_.rejects_of.empty()) return step;
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
  TRANCHE_TRY(ledger_.read_rejects(frame_.rejects_of, spec.name, KeptRejects::published, 0, take));
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
Result<void> StepRun::continue_output(BatchStep& step) {
  if (!frame_.in_place) {
    step.sink->extend_sealed();
    return {};
  }
  TRANCHE_ASSIGN(const auto step_ledger, ledger_.step_ledger(frame_.rejects_of, step.name));
  TRANCHE_ASSIGN(auto state, step_ledger->load());
  EarlierOutput earlier;
  for (const auto& group : state.committed) earlier.committed.push_back(group.receipt);
  earlier.may_change = frame_.options.accept_job;
  step.rewritten = std::move(state.batches);
  auto rewritten = step.sink->rewrite_sealed(std::move(earlier));
  if (rewritten) return {};
  return refusal(fmt::format("Step \"{}\": {} Leave --in-place out, and what is good now is added.",
                             step.name, rewritten.error().message));
}

}  // namespace tranche
