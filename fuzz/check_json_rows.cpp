// The reader of JSON Lines, which takes many records at once, against one that takes each line by
// itself: the same rows, and the same words about each record that is none.
#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/digest.h"
#include "base/text.h"
#include "checks.h"
#include "csv_case.h"
#include "formats/byte_search.h"
#include "formats/jsonl_reader.h"
#include "formats/jsonl_row.h"
#include "memory_file.h"

namespace tranche {
namespace {

// Up to `short_bytes` an input is cut behind each of its bytes, longer ones at so many places,
// which differ from input to input: each cut is read anew, as if it were an input of its own.
constexpr std::size_t short_bytes = 40;
constexpr std::size_t cuts_of_long = 6;

std::vector<std::size_t> ends_of(std::string_view input) {
  const std::size_t step =
      input.size() <= short_bytes ? 1 : std::max<std::size_t>(1, input.size() / cuts_of_long);
  std::vector<std::size_t> ends;
  for (std::size_t end = step == 1 ? 0 : static_cast<std::size_t>(digest64(input) % step);
       end < input.size(); end += step)
    ends.push_back(end);
  ends.push_back(input.size());
  return ends;
}

SchemaPtr schema_of_all_types() {
  constexpr std::pair<const char*, const char*> columns[] = {
      {"b", "bigint"},
      {"i", "integer"},
      {"s", "smallint"},
      {"u", "uinteger"},
      {"h", "hugeint"},
      {"d", "double"},
      {"p", "decimal(6,2)"},
      {"q", "decimal(12,3)"},
      {"t", "timestamp"},
      {"y", "date"},
      {"k", "boolean"},
      {"v", "varchar"},
      {"a name of more than 16 bytes", "varchar"},
      {"j", "json"},
      {"l", "integer[]"},
      {"r", "struct(x integer, y varchar)"}};
  auto schema = std::make_shared<Schema>();
  for (const auto& [name, type] : columns) {
    schema->fields.push_back({name, parse_type(type).value(), false});
  }
  schema->fields[0].required = true;
  return schema;
}

std::string shown_row(const Page& page, std::size_t row) {
  std::string text;
  for (std::size_t i = 0; i < page.column_count(); ++i) {
    if (i > 0) text += '|';
    if (page.column(i).is_valid(row))
      append_value_text(text, page.column(i), row);
    else
      text += "<null>";
  }
  return text;
}

// What becomes of each line that is not blank: a row, or why it is none.
using Outcomes = std::vector<std::string>;

Outcomes read_each_by_itself(std::string_view text, const SchemaPtr& schema) {
  Outcomes outcomes;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line(text.substr(at, end - at));
    if (end < text.size() && line.ends_with('\r')) line.pop_back();
    const std::string why_none = "The line is no JSON object: {} (byte {}).";
    if (line.find_first_not_of(" \t\r") != std::string::npos) {
      line.append(search_padding_bytes, '\0');
      const std::string_view record(line.data(), line.size() - search_padding_bytes);
      Page page(schema);
      JsonlRow row(schema, JsonRules());
      if (const auto broken = find_invalid_utf8(record)) {
        outcomes.push_back(fmt::format(fmt::runtime(why_none), "it is not UTF-8", at + *broken));
      } else if (row.read(record, page, 0)) {
        outcomes.push_back(shown_row(page, 0));
      } else if (row.is_malformed()) {
        outcomes.push_back(fmt::format(fmt::runtime(why_none), row.error(), at + row.error_at()));
      } else {
        outcomes.push_back(row.error());
      }
    }
    at = end + 1;
  }
  return outcomes;
}

Outcomes read_together(std::string_view text, const SchemaPtr& schema, MemoryFile& file) {
  file.set(text);
  Slice slice;
  slice.end = text.size();
  slice.first_line = 1;
  slice.records = 1;
  JsonlReader reader(file.open(), std::make_shared<const std::string>("input"), JsonlDialect(),
                     JsonPlace{0, 1, text.size(), false}, schema, slice);
  Outcomes outcomes;
  const auto put = [&outcomes](std::uint64_t record, std::string what) {
    if (outcomes.size() <= record) outcomes.resize(static_cast<std::size_t>(record) + 1);
    outcomes[static_cast<std::size_t>(record)] += what;
  };
  std::vector<Reject> rejects;
  while (true) {
    const auto page = reader.next(rejects);
    if (!page) return {page.error().message};
    if (*page == nullptr) break;
    for (std::size_t row = 0; row < (*page)->rows(); ++row) {
      put((*page)->base.record + (*page)->origins[row].record, shown_row(**page, row));
    }
  }
  for (const Reject& reject : rejects) put(reject.record, reject.error);
  return outcomes;
}

}  // namespace

std::string check_json_rows(std::string_view input) {
  static const SchemaPtr schema = schema_of_all_types();
  MemoryFile file;
  std::string wrong;
  for (const std::size_t end : ends_of(input)) {
    if (!wrong.empty()) break;
    const std::string_view text = input.substr(0, end);
    const Outcomes expected = read_each_by_itself(text, schema);
    for (const FastPath& path : fast_paths) {
      path.choose();
      const Outcomes found = read_together(text, schema, file);
      if (found == expected) continue;
      std::size_t i = 0;
      while (i < found.size() && i < expected.size() && found[i] == expected[i]) ++i;
      wrong = fmt::format("{}, cut at byte {}: record {} is \"{}\", not \"{}\"", path.name, end, i,
                          i < found.size() ? found[i] : "missing",
                          i < expected.size() ? expected[i] : "missing");
    }
  }
  set_simd_level(best_simd_level());
  return wrong;
}

}  // namespace tranche
