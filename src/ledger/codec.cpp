#include "ledger/codec.h"

#include <iterator>

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"

namespace tranche::ledger {
namespace {

Result<Json> parse(std::string_view text, std::string_view what) {
  auto parsed = Json::parse(text);
  if (parsed) return parsed;
  return make_error(ErrorKind::failed,
                    fmt::format("The ledger's {} can't be read: {}", what, parsed.error().message));
}

Error not_as_written(std::string_view what) {
  return make_error(ErrorKind::failed, fmt::format("The ledger's {} are not as they were written; "
                                                   "the ledger is damaged.",
                                                   what));
}

// Fields behind these are left out where they say nothing, as are those that came later.
constexpr std::size_t slice_fields = 11;
constexpr std::size_t slice_fields_with_range = 13;
constexpr std::size_t slice_fields_once = 10;  // version 0.1 had no file_bytes

}  // namespace

std::string encode_slices(std::span<const Slice> slices) {
  std::string out = "[";
  for (const Slice& s : slices) {
    if (out.size() > 1) out += ',';
    fmt::format_to(std::back_inserter(out), "[{},{},{},{},{},{},{},{},{},{},{}", s.input, s.begin,
                   s.end, s.records, s.first_record, s.first_line, s.end_line, s.bytes,
                   s.memory_bytes, s.digest, s.file_bytes);
    if (!s.range.empty() || s.ends_batch)
      fmt::format_to(std::back_inserter(out), ",{},{}", Json(s.range).dump(), s.ends_batch);
    out += ']';
  }
  out += ']';
  return out;
}

Result<std::vector<Slice>> decode_slices(std::string_view text) {
  TRANCHE_ASSIGN(const Json json, parse(text, "slices"));
  std::vector<Slice> slices;
  slices.reserve(json.items().size());
  for (const Json& item : json.items()) {
    const auto& f = item.items();
    const bool has_range = f.size() == slice_fields_with_range;
    if (!has_range && f.size() != slice_fields && f.size() != slice_fields_once)
      return not_as_written("slices");
    slices.push_back(Slice{.input = static_cast<std::uint32_t>(f[0].natural()),
                           .begin = f[1].natural(),
                           .end = f[2].natural(),
                           .records = f[3].natural(),
                           .first_record = f[4].natural(),
                           .first_line = f[5].natural(),
                           .end_line = f[6].natural(),
                           .bytes = f[7].natural(),
                           .memory_bytes = f[8].natural(),
                           .digest = f[9].natural(),
                           .file_bytes = f[f.size() == slice_fields_once ? 7 : 10].natural(),
                           .range = has_range ? f[11].text() : std::string(),
                           .ends_batch = has_range && f[12].boolean()});
  }
  return slices;
}

std::string encode_counts(const Counts& counts) {
  Json stages{Json::Array{}};
  for (const StageCounts& stage : counts.stages) {
    stages.push(Json(Json::Object{{"name", stage.name},
                                  {"in", stage.in},
                                  {"out", stage.out},
                                  {"rejected", stage.rejected},
                                  {"filtered", stage.filtered},
                                  {"counts_filtered", stage.counts_filtered}}));
  }
  return Json(Json::Object{{"planned", counts.planned},
                           {"read", counts.read},
                           {"read_rejects", counts.read_rejects},
                           {"skipped", counts.skipped},
                           {"bytes_read", counts.bytes_read},
                           {"stages", std::move(stages)},
                           {"offered", counts.offered},
                           {"encoded", counts.encoded},
                           {"written", counts.written},
                           {"write_rejects", counts.write_rejects}})
      .dump();
}

Result<Counts> decode_counts(std::string_view text) {
  TRANCHE_ASSIGN(const Json json, parse(text, "counts"));
  if (!json.is_object()) return not_as_written("counts");
  Counts counts;
  counts.planned = json["planned"].natural();
  counts.read = json["read"].natural();
  counts.read_rejects = json["read_rejects"].natural();
  counts.skipped = json["skipped"].natural();
  counts.bytes_read = json["bytes_read"].natural();
  for (const Json& item : json["stages"].items()) {
    StageCounts stage;
    stage.name = item["name"].text();
    stage.in = item["in"].natural();
    stage.out = item["out"].natural();
    stage.rejected = item["rejected"].natural();
    stage.filtered = item["filtered"].natural();
    stage.counts_filtered = item["counts_filtered"].boolean();
    counts.stages.push_back(std::move(stage));
  }
  counts.offered = json["offered"].natural();
  counts.encoded = json["encoded"].natural();
  counts.written = json["written"].natural();
  counts.write_rejects = json["write_rejects"].natural();
  return counts;
}

std::string encode_work(const GroupWork& work) {
  Json batches{Json::Array{}};
  for (const BatchWork& one : work.batches) {
    batches.push(Json::Array{one.batch, one.worker, one.began_microseconds,
                             one.ended_microseconds - one.began_microseconds,
                             one.busy_microseconds});
  }
  return Json(Json::Array{work.attempts, work.memory_bytes, excerpt(work.last_failure, 400),
                          std::move(batches)})
      .dump();
}

Result<GroupWork> decode_work(std::string_view text) {
  GroupWork work;
  if (text.empty()) return work;  // of a version that did not keep it
  TRANCHE_ASSIGN(const Json json, parse(text, "work"));
  const auto& parts = json.items();
  if (parts.size() != 4) return not_as_written("figures of work");
  work.attempts = static_cast<std::uint32_t>(parts[0].natural());
  work.memory_bytes = parts[1].natural();
  work.last_failure = parts[2].text();
  for (const Json& item : parts[3].items()) {
    const auto& numbers = item.items();
    if (numbers.size() != 5) return not_as_written("figures of work");
    const std::int64_t began = numbers[2].integer();
    work.batches.push_back({numbers[0].natural(), static_cast<std::uint32_t>(numbers[1].natural()),
                            began, began + numbers[3].integer(), numbers[4].integer()});
  }
  return work;
}

std::string encode_division(const Division& division) {
  Json json(Json::Object{{"rows", division.rows},
                         {"bytes", division.bytes},
                         {"chunk_bytes", division.chunk_bytes},
                         {"group_bytes", division.group_bytes},
                         {"key", division.key}});
  if (division.window) {
    json.set("window", Json(Json::Object{{"column", division.window->column},
                                         {"every", division.window->every},
                                         {"timezone", division.window->timezone},
                                         {"rejects_late", division.window->rejects_late}}));
  }
  return json.dump();
}

Result<Division> decode_division(std::string_view text) {
  TRANCHE_ASSIGN(const Json json, parse(text, "division"));
  Division division{.rows = json["rows"].natural(),
                    .bytes = json["bytes"].natural(),
                    .chunk_bytes = json["chunk_bytes"].natural(),
                    .group_bytes = json["group_bytes"].natural(),
                    .key = json["key"].text()};
  if (const Json& window = json["window"]; window.is_object()) {
    division.window = WindowDivision{.column = window["column"].text(),
                                     .every = window["every"].text(),
                                     .timezone = window["timezone"].text(),
                                     .rejects_late = window["rejects_late"].boolean()};
  }
  return division;
}

std::string encode_texts(std::span<const std::string> texts) {
  Json list{Json::Array{}};
  for (const auto& text : texts) list.push(text);
  return list.dump();
}

Result<std::vector<std::string>> decode_texts(std::string_view text) {
  TRANCHE_ASSIGN(const Json json, parse(text, "list"));
  std::vector<std::string> texts;
  for (const Json& item : json.items()) texts.push_back(item.text());
  return texts;
}

std::string encode_progress(const Progress& p) {
  return Json(Json::Object{{"records", p.records},
                           {"records_committed", p.records_committed},
                           {"bytes", p.bytes},
                           {"bytes_total", p.bytes_total},
                           {"batches_committed", p.batches_committed},
                           {"batches_planned", p.batches_planned},
                           {"plan_complete", p.plan_complete},
                           {"rejects", p.rejects},
                           {"quarantined", p.quarantined},
                           {"memory_bytes", p.memory_bytes},
                           {"retries", p.retries},
                           {"workers", std::uint64_t{p.workers}},
                           {"seconds", p.seconds},
                           {"bytes_resumed", p.bytes_resumed},
                           {"records_resumed", p.records_resumed}})
      .dump();
}

Result<Progress> decode_progress(std::string_view text) {
  TRANCHE_ASSIGN(const Json json, parse(text, "progress"));
  Progress p;
  p.records = json["records"].natural();
  p.records_committed = json["records_committed"].natural();
  p.bytes = json["bytes"].natural();
  p.bytes_total = json["bytes_total"].natural();
  p.batches_committed = json["batches_committed"].natural();
  p.batches_planned = json["batches_planned"].natural();
  p.plan_complete = json["plan_complete"].boolean();
  p.rejects = json["rejects"].natural();
  p.quarantined = json["quarantined"].natural();
  p.memory_bytes = json["memory_bytes"].natural();
  p.retries = static_cast<std::uint32_t>(json["retries"].natural());
  p.workers = static_cast<unsigned>(json["workers"].natural());
  p.seconds = json["seconds"].number();
  p.bytes_resumed = json["bytes_resumed"].natural();
  p.records_resumed = json["records_resumed"].natural();
  return p;
}

}  // namespace tranche::ledger
