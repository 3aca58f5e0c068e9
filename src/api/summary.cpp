#include <array>

#include "api/summary.h"

#include <tranche/api/run.h>
#include "base/json.h"

namespace tranche {
namespace {

constexpr std::array<std::pair<RunState, const char*>, 5> run_state_names = {{
    {RunState::running, "running"},
    {RunState::completed, "completed"},
    {RunState::failed, "failed"},
    {RunState::stopped, "stopped"},
    {RunState::abandoned, "abandoned"},
}};

constexpr std::array<std::pair<ErrorKind, const char*>, 12> error_kind_names = {{
    {ErrorKind::usage, "usage"},
    {ErrorKind::config, "config"},
    {ErrorKind::transient, "transient"},
    {ErrorKind::bad_record, "bad_record"},
    {ErrorKind::crash, "crash"},
    {ErrorKind::memory, "memory"},
    {ErrorKind::timeout, "timeout"},
    {ErrorKind::in_doubt, "in_doubt"},
    {ErrorKind::failed, "failed"},
    {ErrorKind::busy, "busy"},
    {ErrorKind::stopped, "stopped"},
    {ErrorKind::bug, "bug"},
}};

Json step_to_json(const StepSummary& step) {
  Json json;
  json.set("name", step.name);
  json.set("state", step.state);
  json.set("read", step.counts.read);
  json.set("written", step.counts.written);
  bool counts_filtered = false;
  for (const auto& stage : step.counts.stages) counts_filtered |= stage.counts_filtered;
  if (counts_filtered) json.set("filtered", step.filtered);
  json.set("rejected", step.counts.rejected());
  json.set("batches", step.batches);
  json.set("batches_resumed", step.batches_resumed);
  json.set("retries", step.retries);
  json.set("bytes_read", step.counts.bytes_read);
  json.set("seconds", step.seconds);
  Json workers;
  workers.set("kind", step.worker_kind);
  workers.set("count", std::uint64_t{step.worker_count});
  workers.set("why", step.worker_why);
  json.set("workers", workers);
  if (!step.counts.stages.empty()) {
    Json stages(Json::Array{});
    for (const auto& stage : step.counts.stages) {
      Json entry;
      entry.set("name", stage.name);
      entry.set("in", stage.in);
      entry.set("out", stage.out);
      entry.set("rejected", stage.rejected);
      if (stage.counts_filtered) entry.set("filtered", stage.filtered);
      stages.push(entry);
    }
    json.set("stages", stages);
  }
  return json;
}

StepSummary step_from_json(const Json& json) {
  StepSummary step;
  step.name = json["name"].text();
  step.state = json["state"].text();
  step.counts.read = json["read"].natural();
  step.counts.written = json["written"].natural();
  step.filtered = json["filtered"].natural();
  step.batches = json["batches"].natural();
  step.batches_resumed = json["batches_resumed"].natural();
  step.retries = static_cast<std::uint32_t>(json["retries"].natural());
  step.counts.bytes_read = json["bytes_read"].natural();
  step.seconds = json["seconds"].number();
  step.worker_kind = json["workers"]["kind"].text();
  step.worker_count = static_cast<unsigned>(json["workers"]["count"].natural());
  step.worker_why = json["workers"]["why"].text();
  std::uint64_t rejected_by_stages = 0;
  for (const auto& entry : json["stages"].items()) {
    StageCounts stage;
    stage.name = entry["name"].text();
    stage.in = entry["in"].natural();
    stage.out = entry["out"].natural();
    stage.rejected = entry["rejected"].natural();
    stage.filtered = entry["filtered"].natural();
    stage.counts_filtered = !entry["filtered"].is_null();
    rejected_by_stages += stage.rejected;
    step.counts.stages.push_back(std::move(stage));
  }
  // One figure says how many were rejected in all; where the others were is not told in a summary.
  step.counts.read_rejects = json["rejected"].natural() - rejected_by_stages;
  return step;
}

}  // namespace

std::string to_string(RunState state) {
  for (const auto& [value, name] : run_state_names) {
    if (value == state) return name;
  }
  return "failed";
}

std::string error_to_json(const Error& error) {
  Json json;
  for (const auto& [value, name] : error_kind_names) {
    if (value == error.kind) json.set("kind", name);
  }
  json.set("message", error.message);
  if (!error.where.empty()) json.set("where", error.where);
  return json.dump();
}

Error error_from_json(std::string_view text) {
  const auto json = Json::parse(text);
  if (!json) return make_error(ErrorKind::bug, std::string(text));
  Error error = make_error(ErrorKind::failed, (*json)["message"].text(), (*json)["where"].text());
  for (const auto& [value, name] : error_kind_names) {
    if ((*json)["kind"].text() == name) error.kind = value;
  }
  return error;
}

std::string RunSummary::to_json() const {
  Json json;
  json.set("run", run);
  json.set("job", job);
  json.set("state", to_string(state));
  if (!window.empty()) json.set("window", window);
  if (already_loaded) json.set("already_loaded", true);
  json.set("seconds", seconds);
  json.set("peak_memory_bytes", peak_memory_bytes);
  Json list(Json::Array{});
  for (const auto& step : steps) list.push(step_to_json(step));
  json.set("steps", list);
  if (!warnings.empty()) {
    Json sentences(Json::Array{});
    for (const auto& warning : warnings) sentences.push(warning);
    json.set("warnings", sentences);
  }
  if (error) {
    if (auto parsed = Json::parse(error_to_json(*error))) json.set("error", *parsed);
  }
  if (!rejects_path.empty()) json.set("rejects", rejects_path);
  json.set("state_folder", state_folder);
  return json.dump();
}

Result<RunSummary> RunSummary::from_json(std::string_view text) {
  TRANCHE_ASSIGN(const auto json, Json::parse(text));
  RunSummary summary;
  summary.run = json["run"].text();
  summary.job = json["job"].text();
  for (const auto& [value, name] : run_state_names) {
    if (json["state"].text() == name) summary.state = value;
  }
  summary.window = json["window"].text();
  summary.already_loaded = json["already_loaded"].boolean();
  summary.seconds = json["seconds"].number();
  summary.peak_memory_bytes = json["peak_memory_bytes"].natural();
  for (const auto& step : json["steps"].items()) summary.steps.push_back(step_from_json(step));
  for (const auto& warning : json["warnings"].items()) summary.warnings.push_back(warning.text());
  if (!json["error"].is_null()) summary.error = error_from_json(json["error"].dump());
  summary.rejects_path = json["rejects"].text();
  summary.state_folder = json["state_folder"].text();
  return summary;
}

}  // namespace tranche
