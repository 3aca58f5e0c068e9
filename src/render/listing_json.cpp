#include "base/clock.h"
#include "render/listing.h"

namespace tranche {
namespace {

Json inputs_json(std::span<const Input> inputs) {
  Json list{Json::Array{}};
  for (const Input& input : inputs)
    list.push(Json().set("name", input.name).set("bytes", input.bytes));
  return list;
}

Json schema_json(const Schema& schema) {
  Json list{Json::Array{}};
  for (const Field& field : schema.fields)
    list.push(Json()
                  .set("name", field.name)
                  .set("type", to_string(field.type))
                  .set("required", field.required));
  return list;
}

Json progress_json(const Progress& progress) {
  Json made;
  made.set("records", progress.records);
  made.set("records_committed", progress.records_committed);
  made.set("bytes", progress.bytes);
  made.set("bytes_total", progress.bytes_total);
  made.set("batches_committed", progress.batches_committed);
  made.set("batches_planned", progress.batches_planned);
  made.set("plan_complete", progress.plan_complete);
  made.set("rejects", progress.rejects);
  made.set("retries", progress.retries);
  made.set("memory_bytes", progress.memory_bytes);
  made.set("seconds", progress.seconds);
  return made;
}

}  // namespace

Json status_json(const RunInfo& run) {
  Json made;
  made.set("run", run.run).set("job", run.job).set("state", run.state).set("alive", run.alive);
  if (!run.job_file.empty()) made.set("job_file", run.job_file);
  Json parameters{Json::Object{}};
  for (const auto& [name, value] : run.parameters) parameters.set(name, value);
  made.set("parameters", std::move(parameters));
  if (run.window) made.set("window", run.window->name);
  made.set("started", format_utc(run.started_microseconds));
  if (run.ended_microseconds != 0) made.set("ended", format_utc(run.ended_microseconds));
  if (!run.error.empty()) made.set("error", run.error);
  if (!run.rejects_of.empty()) made.set("rejects_of", run.rejects_of);
  if (!run.rejects_retried_by.empty()) made.set("rejects_retried_by", run.rejects_retried_by);
  if (!run.step.empty()) made.set("step", run.step);
  made.set("progress", progress_json(run.progress));
  if (run.summary)
    if (auto summary = Json::parse(run.summary->to_json())) made.set("summary", *summary);
  return made;
}

Json runs_json(std::span<const RunInfo> runs) {
  Json list{Json::Array{}};
  for (const RunInfo& run : runs) list.push(status_json(run));
  return Json().set("runs", std::move(list));
}

Json checks_json(std::span<const CheckedStep> steps) {
  Json list{Json::Array{}};
  for (const CheckedStep& step : steps) {
    Json one = Json().set("name", step.step).set("inputs", inputs_json(step.inputs));
    Json stages{Json::Array{}};
    for (const auto& [name, schema] : step.stages)
      if (schema != nullptr)
        stages.push(Json().set("stage", name).set("columns", schema_json(*schema)));
    one.set("stages", std::move(stages));
    Json notes{Json::Array{}};
    for (const std::string& note : step.notes) notes.push(note);
    one.set("notes", std::move(notes));
    Json errors{Json::Array{}};
    for (const Error& error : step.errors)
      errors.push(Json().set("message", error.message).set("where", error.where));
    one.set("errors", std::move(errors));
    list.push(std::move(one));
  }
  return Json().set("steps", std::move(list));
}

Json plan_json(std::span<const PlannedStep> steps) {
  Json list{Json::Array{}};
  for (const PlannedStep& step : steps) {
    Json one = Json().set("name", step.step).set("inputs", inputs_json(step.inputs));
    one.set("rows", step.division.rows).set("bytes", step.division.bytes);
    Json batches{Json::Array{}};
    for (const BatchPlan& batch : step.batches)
      batches.push(Json()
                       .set("batch", batch.number)
                       .set("group", batch.group)
                       .set("records", batch.records())
                       .set("bytes", batch.bytes())
                       .set("chunks", std::uint64_t{batch.chunks.size()}));
    one.set("batches", std::move(batches));
    list.push(std::move(one));
  }
  return Json().set("steps", std::move(list));
}

Json preview_json(std::span<const PreviewStage> stages) {
  Json list{Json::Array{}};
  for (const PreviewStage& stage : stages) {
    Json rows{Json::Array{}};
    const std::size_t count = stage.page == nullptr ? 0 : stage.page->rows();
    for (std::size_t row = 0; row < count; ++row)
      if (auto parsed = Json::parse(row_as_json(*stage.page, row))) rows.push(*parsed);
    list.push(Json()
                  .set("stage", stage.stage)
                  .set("rejects", stage.rejects)
                  .set("rows", std::move(rows)));
  }
  return Json().set("stages", std::move(list));
}

Json verified_json(std::span<const VerifiedStep> steps) {
  Json list{Json::Array{}};
  bool is_good = true;
  for (const VerifiedStep& step : steps) {
    Json differences{Json::Array{}};
    for (const std::string& difference : step.differences) differences.push(difference);
    is_good = is_good && step.differences.empty();
    Json entry = Json()
                     .set("name", step.step)
                     .set("rows", step.rows)
                     .set("differences", std::move(differences));
    if (!step.only_counted.empty()) entry.set("only_counted", step.only_counted);
    list.push(std::move(entry));
  }
  return Json().set("verified", is_good).set("steps", std::move(list));
}

}  // namespace tranche
