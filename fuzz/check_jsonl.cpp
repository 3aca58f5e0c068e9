#include <algorithm>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/json.h"
#include "checks.h"
#include "formats/jsonl_reader.h"
#include "memory_file.h"

namespace tranche {
namespace {

constexpr std::uint64_t max_record_bytes = 512;

struct Line {
  std::string_view text;
  std::size_t number = 1;
  std::size_t offset = 0;
};

// The lines that are records: all that are not blank, or too long to be looked at.
std::vector<Line> records_of(std::string_view text) {
  std::vector<Line> records;
  std::size_t number = 1;
  for (std::size_t at = 0; at < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (end < text.size() && line.ends_with('\r')) line.remove_suffix(1);
    const bool is_blank = line.find_first_not_of(" \t\r") == std::string_view::npos;
    if (!is_blank || line.size() > max_record_bytes) records.push_back({line, number, at});
    at = end + 1;
  }
  return records;
}

// Whether the line is surely a record: small, and JSON to a parser that is not ours.
bool is_surely_good(std::string_view line) {
  if (line.size() > max_record_bytes || line.starts_with("\xEF\xBB\xBF")) return false;
  const auto json = Json::parse(line);
  return json && json->is_object();
}

struct Outcome {
  std::uint64_t record = 0;
  std::uint64_t line = 0;
  std::uint64_t offset = 0;
  bool is_row = false;
  std::string text;  // of a row: the column; of a reject: the bytes
};

std::string read(const std::string& text, std::size_t records, std::vector<Outcome>& outcomes) {
  MemoryFile file;
  file.set(text);
  Schema schema;
  schema.fields.push_back({"a", Type{TypeId::varchar}, false});
  JsonlDialect dialect;
  dialect.rules.unknown_keys_ignored = true;
  dialect.max_record_bytes = max_record_bytes;
  Slice slice;
  slice.end = text.size();
  slice.first_line = 1;
  slice.records = records;
  slice.digest = digest64(text);
  JsonlReader reader(file.open(), std::make_shared<const std::string>("input"), dialect,
                     JsonPlace{0, 1, text.size(), false},
                     std::make_shared<const Schema>(schema), slice);
  std::vector<Reject> rejects;
  while (true) {
    const auto page = reader.next(rejects);
    if (!page) return page.error().message;
    if (*page == nullptr) break;
    const Column& column = (*page)->column(0);
    for (std::size_t row = 0; row < (*page)->rows(); ++row) {
      const Origin& origin = (*page)->origins[row];
      const bool is_valid = column.is_valid(row);
      outcomes.push_back(
          {(*page)->base.record + origin.record, (*page)->base.line + origin.line, origin.offset,
           true, is_valid ? std::string(column.values<StringRef>()[row].view()) : std::string()});
    }
  }
  for (const Reject& reject : rejects) {
    outcomes.push_back({reject.record, reject.line, reject.offset, false, reject.raw});
  }
  std::sort(outcomes.begin(), outcomes.end(),
            [](const Outcome& a, const Outcome& b) { return a.record < b.record; });
  return {};
}

}  // namespace

std::string check_jsonl(std::string_view input) {
  const std::string text = "{\"a\":\"first\"}\n" + std::string(input) + "\n{\"a\":\"last\"}\n";
  const std::vector<Line> lines = records_of(text);
  std::vector<Outcome> outcomes;
  const std::string error = read(text, lines.size(), outcomes);
  if (!error.empty()) return error;
  if (outcomes.size() != lines.size()) {
    return fmt::format("{} rows and rejects of {} lines", outcomes.size(), lines.size());
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Outcome& outcome = outcomes[i];
    if (outcome.record != i || outcome.line != lines[i].number ||
        outcome.offset != lines[i].offset) {
      return fmt::format("record {} is at line {}, byte {}, not at line {}, byte {}", i,
                         outcome.line, outcome.offset, lines[i].number, lines[i].offset);
    }
    if (!outcome.is_row && outcome.text != lines[i].text) return "a reject has other bytes";
    if (!outcome.is_row && is_surely_good(lines[i].text)) {
      return fmt::format("line {} is a reject, but good JSON", lines[i].number);
    }
  }
  const bool is_intact = outcomes.front().is_row && outcomes.front().text == "first" &&
                         outcomes.back().is_row && outcomes.back().text == "last";
  return is_intact ? std::string() : "a line has damaged its neighbours";
}

}  // namespace tranche
