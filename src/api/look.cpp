// Looks at a job without running it: check, check --data, plan, preview.
#include <tranche/api/inspect.h>

#include <algorithm>

#include <fmt/format.h>

#include "api/assemble.h"
#include "api/move_use.h"
#include "api/query_result.h"
#include "api/reject_line.h"
#include "api/report_use.h"
#include "api/step_outputs.h"
#include "api/step_values.h"
#include "base/clock.h"
#include "base/process.h"
#include "base/scratch_folder.h"
#include "steps/step_memory.h"

namespace tranche {
namespace {

StepSurroundings looking(const JobSpec& job, const ScratchFolder& scratch) {
  StepSurroundings surroundings;
  const auto memory = job.memory_bytes > 0 ? job.memory_bytes : total_memory_bytes() / 4;
  surroundings.memory_bytes_max = std::max(memory, memory_bytes_min);
  surroundings.database_memory_bytes = database_memory_for(surroundings.memory_bytes_max);
  surroundings.spill_folder = scratch.path().string();
  surroundings.clock = &system_clock();
  return surroundings;
}

Result<void> check_step(BatchStep& step, const std::vector<Input>& inputs,
                        const StepSurroundings& surroundings) {
  TRANCHE_TRY(bind_step(step, &inputs, surroundings));
  return check_memory(step, surroundings);
}

// Loaded or not, where there is an increment.
Result<std::vector<Input>> all_inputs(const BatchStep& step) {
  const FileIncrement* const increment = step.file_increment();
  if (increment == nullptr) return step.source->inputs();
  FilePatterns files = increment->files;
  files.knows_content = true;
  return list_files(files);
}

// The first step's input exists; a later one may read what an earlier one writes, and an increment
// what somebody is still to bring.
bool waits_for_input(const JobSpec& job, const StepSpec& spec, const BatchStep& step,
                     const Error& error) {
  const bool is_incremental = step.file_increment() != nullptr;
  return error.kind == ErrorKind::config && (is_incremental || &spec != &job.steps.front());
}

// What later steps ask for may not be there yet.
bool waits_for_output(const JobSpec& job, const StepSpec& spec, const Error& error) {
  return error.kind == ErrorKind::failed && &spec != &job.steps.front();
}

// An error, or a note of what is not there yet.
void take_error(const JobSpec& job, const StepSpec& spec, Error error, CheckedStep& entry) {
  if (waits_for_output(job, spec, error))
    entry.notes.push_back("Its input is not there yet: " + error.message);
  else
    entry.errors.push_back(std::move(error));
}

void check_query(const JobSpec& job, const StepSpec& spec, const StepSurroundings& surroundings,
                 CheckedStep& entry) {
  entry.deed = "reads the result of a query";
  auto step = bind_to_no_result(job, spec, surroundings, surroundings.spill_folder);
  if (!step) return take_error(job, spec, std::move(step).error(), entry);
  entry.stages = step->schemas;
  entry.stages.front().first = "query";
}

void check_deed(const JobSpec& job, const StepSpec& spec, const StepSurroundings& surroundings,
                CheckedStep& entry) {
  entry.deed = deed_of(spec);
  std::vector<Error> others;
  auto examined = spec.report          ? examine_report(job, spec, surroundings, &others)
                  : move_options(spec) ? examine_move(job, spec)
                                       : examine_without_records(job, spec);
  if (!examined) take_error(job, spec, std::move(examined).error(), entry);
  for (Error& error : others) take_error(job, spec, std::move(error), entry);
}

// What is wrong with the transforms behind the one that could not be bound, or was given nothing.
void check_unbound(const BatchStep& step, const StepSurroundings& surroundings,
                   CheckedStep& entry) {
  WorkerScope scope(0, surroundings.database_memory_bytes, surroundings.spill_folder);
  for (std::size_t i = step.schemas.size(); i < step.transforms.size(); ++i) {
    if (auto checked = step.transforms[i]->check_alone(scope); !checked)
      entry.errors.push_back(std::move(checked).error());
  }
}

void check_batches_of(const JobSpec& job, const StepSpec& spec,
                      const StepSurroundings& surroundings, CheckedStep& entry) {
  std::vector<Error> others;
  auto step = assemble(job, spec, RunOptions{}, &others);
  if (!step) {
    entry.errors.push_back(std::move(step).error());
    entry.errors.insert(entry.errors.end(), others.begin(), others.end());
    return;
  }
  auto inputs = all_inputs(*step);
  if (!inputs && waits_for_input(job, spec, *step, inputs.error())) {
    entry.notes.push_back("Its input is not there yet: " + inputs.error().message);
  } else if (!inputs) {
    entry.errors.push_back(std::move(inputs).error());
  } else if (auto ready = check_step(*step, *inputs, surroundings); !ready) {
    entry.errors.push_back(std::move(ready).error());
  }
  if (!inputs || !entry.errors.empty()) check_unbound(*step, surroundings, entry);
  if (inputs) {
    if (auto apart = check_writes_apart(job, spec, *inputs); !apart)
      entry.errors.push_back(std::move(apart).error());
  }
  if (entry.errors.empty() && inputs) entry.notes = step->source->notes();
  entry.stages = step->schemas;
  entry.inputs = step->inputs;
}

// What each step writes, and several of them.
void check_outputs(const JobSpec& job, std::vector<CheckedStep>& checked) {
  for (std::size_t number = 0; number < job.steps.size(); ++number) {
    auto outside = check_writes_outside(job, job.steps[number], state_folder({}, job.base));
    if (!outside) checked[number].errors.push_back(std::move(outside).error());
  }
  Problems problems;
  const StepGraph graph = StepGraph::of(job, problems);
  if (!problems.empty()) return;  // of a job file they are known; a run names them
  for (OutputClash& clash : find_output_clashes(job, graph))
    checked[clash.later].errors.push_back(std::move(clash.error));
  for (LostOutput& lost : find_lost_outputs(job, graph))
    checked[lost.later].notes.push_back(std::move(lost.sentence));
}

// What steps come to is known in a run only.
JobSpec looked_at(const JobSpec& given) {
  JobSpec job = given;
  for (StepSpec& step : job.steps) step = with_step_values(std::move(step), {});
  return job;
}

}  // namespace

Result<std::vector<CheckedStep>> check_job(const JobSpec& given) {
  const JobSpec job = looked_at(given);
  const ScratchFolder scratch;
  TRANCHE_TRY(scratch.create());
  std::vector<CheckedStep> checked;
  const StepSurroundings surroundings = looking(job, scratch);
  for (const auto& spec : job.steps) {
    CheckedStep entry;
    entry.step = spec.name;
    if (!spec.has_records())
      check_deed(job, spec, surroundings, entry);
    else if (spec.query)
      check_query(job, spec, surroundings, entry);
    else
      check_batches_of(job, spec, surroundings, entry);
    checked.push_back(std::move(entry));
  }
  check_outputs(job, checked);
  return checked;
}

Result<DataCheck> check_data(const JobSpec& given,
                             const std::function<Result<void>(const std::string&)>& take) {
  const JobSpec job = looked_at(given);
  const ScratchFolder scratch;
  TRANCHE_TRY(scratch.create());
  DataCheck check;
  for (const auto& spec : job.steps) {
    if (!spec.has_records() || spec.query) continue;
    TRANCHE_ASSIGN(auto step, assemble(job, spec, RunOptions{}));
    const auto surroundings = looking(job, scratch);
    auto inputs = all_inputs(step);
    if (!inputs && waits_for_input(job, spec, step, inputs.error())) continue;
    if (!inputs) return std::move(inputs).error();
    TRANCHE_TRY(bind_step(step, &*inputs, surroundings));
    const auto give = [&](const Reject& reject) {
      KeptReject kept;
      kept.step = spec.name;
      kept.reject = reject;
      ++check.rejects;
      return take(reject_line(kept));
    };
    TRANCHE_ASSIGN(const auto counts, check_batches(step, surroundings, give));
    check.records += counts.planned;
  }
  return check;
}

Result<std::vector<PlannedStep>> plan_job(const JobSpec& given) {
  const JobSpec job = looked_at(given);
  const ScratchFolder scratch;
  TRANCHE_TRY(scratch.create());
  std::vector<PlannedStep> planned;
  for (const auto& spec : job.steps) {
    PlannedStep entry;
    entry.step = spec.name;
    entry.deed = deed_of(spec);
    if (spec.query) entry.deed = "is divided when its query has run";
    if (!entry.deed.empty()) {
      planned.push_back(std::move(entry));
      continue;
    }
    TRANCHE_ASSIGN(auto step, assemble(job, spec, RunOptions{}));
    auto inputs = all_inputs(step);
    if (!inputs && waits_for_input(job, spec, step, inputs.error())) {
      planned.push_back(std::move(entry));
      continue;
    }
    if (!inputs) return std::move(inputs).error();
    TRANCHE_TRY(bind_step(step, &*inputs, looking(job, scratch)));
    entry.inputs = step.inputs;
    entry.division = full_division(step);
    TRANCHE_ASSIGN(entry.batches, plan_batches(step));
    planned.push_back(std::move(entry));
  }
  return planned;
}

Result<std::vector<PreviewStage>> preview_step(const JobSpec& given, const std::string& name,
                                               std::size_t rows) {
  const JobSpec job = looked_at(given);
  const ScratchFolder scratch;
  TRANCHE_TRY(scratch.create());
  const auto spec =
      std::find_if(job.steps.begin(), job.steps.end(), [&](const StepSpec& candidate) {
        return name.empty() ? candidate.has_records() : candidate.name == name;
      });
  if (spec == job.steps.end()) {
    return make_error(ErrorKind::usage,
                      name.empty()
                          ? fmt::format("Job \"{}\" has no step that reads records.", job.name)
                          : fmt::format("Job \"{}\" has no step \"{}\".", job.name, name));
  }
  if (!spec->has_records()) {
    return make_error(ErrorKind::usage, fmt::format("Step \"{}\" {}; it has no records to show.",
                                                    name, deed_of(*spec)));
  }
  const auto surroundings = looking(job, scratch);
  const auto result = query_result_path(scratch.path(), *spec);
  if (spec->query) TRANCHE_TRY(keep_result(job, *spec, surroundings, result, rows));
  TRANCHE_ASSIGN(auto step, assemble(job, reading_result(*spec, result), RunOptions{}));
  TRANCHE_ASSIGN(const auto inputs, all_inputs(step));
  TRANCHE_TRY(bind_step(step, &inputs, surroundings));
  TRANCHE_ASSIGN(auto stages, preview_batch(step, surroundings, rows));
  std::vector<PreviewStage> preview;
  for (auto& stage : stages) {
    preview.push_back(PreviewStage{stage.stage, std::move(stage.page), stage.rejects});
  }
  return preview;
}

}  // namespace tranche
