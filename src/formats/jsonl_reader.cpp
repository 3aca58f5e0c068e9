#include "formats/jsonl_reader.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/text.h"
#include "formats/json_array.h"
#include "formats/jsonl_cursor.h"
#include "formats/jsonl_row.h"
#include "formats/record_reader.h"

namespace tranche {
namespace {

constexpr std::size_t block_records = 1024;

// What it holds stays where it is: long strings, and elements of lists.
void move_row(Column& column, std::size_t to, std::size_t from) {
  if (!column.is_valid(from)) return column.set_null(to);
  column.set_valid(to);
  std::memcpy(column.bytes() + to * column.stride(), column.bytes() + from * column.stride(),
              column.stride());
  if (column.type().id != TypeId::struct_) return;
  for (std::size_t i = 0; i < column.child_count(); ++i) move_row(column.child(i), to, from);
}

}  // namespace

Result<JsonPlace> find_json_place(const TextFile& file, const std::string& name, std::uint64_t end,
                                  const JsonlDialect& dialect) {
  JsonPlace place;
  place.end = end;
  TRANCHE_ASSIGN(place.begin, find_text_begin(file, name));
  if (dialect.layout == JsonLayout::lines) return place;
  if (dialect.layout == JsonLayout::automatic && dialect.rules.is_any_value) return place;
  std::string piece(std::size_t{64} << 10, '\0');
  std::uint64_t line = 1;
  for (std::uint64_t at = place.begin; at < end;) {
    TRANCHE_ASSIGN(const std::size_t count, file.read_at(piece.data(), piece.size(), at));
    if (count == 0) break;
    const std::string_view read(piece.data(), count);
    const std::size_t first = std::min(read.find_first_not_of(" \t\r\n"), count);
    line += static_cast<std::uint64_t>(
        std::count(read.begin(), read.begin() + static_cast<std::ptrdiff_t>(first), '\n'));
    at += first;
    if (first == count) continue;
    if (read[first] == '[') return JsonPlace{at, line, end, true};
    if (dialect.layout == JsonLayout::automatic) return place;
    return make_error(ErrorKind::config,
                      fmt::format("{} is no JSON array: it begins with \"{}\", not with \"[\". For "
                                  "an object on each line, say `layout: lines`.",
                                  name, excerpt(read.substr(first, 1))));
  }
  return place;  // it has no records
}

std::unique_ptr<RecordCursor> make_json_cursor(const TextFile& file, const std::string& name,
                                               const JsonlDialect& dialect, const JsonPlace& place,
                                               const RecordCursor::Use& use) {
  if (!place.is_array)
    return std::make_unique<JsonlCursor>(file, name, dialect.max_record_bytes, use);
  const JsonArrayScanner scanner(dialect.max_record_bytes, use.begin == place.begin,
                                 dialect.rules.is_any_value);
  return std::make_unique<JsonArrayCursor>(file, name, scanner, use);
}

struct JsonlReader::State final : RecordReader {
  State(TextFile opened, std::shared_ptr<const std::string> source, const JsonlDialect& how,
        const JsonPlace& where, SchemaPtr into, const Slice& which)
      : RecordReader(std::move(opened), std::move(source), std::move(into), which),
        dialect(how),
        place(where),
        records(make_json_cursor(file(), name(), dialect, place, use(block_records))),
        row(schema(), dialect.rules) {}

  RecordCursor& cursor() override { return *records; }
  const RecordCursor& cursor() const override { return *records; }
  void add_block(Page& page, std::span<const TextRecord> block, std::uint64_t first_record,
                 std::vector<Reject>& rejects) override;
  void read_usual(Page& page, std::span<const TextRecord> several, bool* is_read);
  void add(Page& page, std::span<const TextRecord> several, const bool* is_read, bool is_utf8,
           std::uint64_t first_record, std::vector<Reject>& rejects);
  std::string fill(Page& page, const TextRecord& record, bool is_utf8);
  std::string malformed(const TextRecord& record, std::string_view what, std::size_t at) const;
  std::string check_closed(const TextRecord& record) const;

  const JsonlDialect dialect;
  const JsonPlace place;
  const std::unique_ptr<RecordCursor> records;
  JsonlRow row;
};

void JsonlReader::State::add_block(Page& page, std::span<const TextRecord> block,
                                   std::uint64_t first_record, std::vector<Reject>& rejects) {
  // One look at all their bytes is cheaper than one at each. An endless line is in no window.
  const bool all_utf8 =
      !records->block_is_long() && !block.empty() &&
      simdjson::validate_utf8(records->at(block.front().offset),
                              static_cast<std::size_t>(block.back().next - block.front().offset));
  bool is_read[JsonlRow::usual_records_max] = {};
  for (std::size_t i = 0; i < block.size();) {
    const auto several = block.subspan(i, std::min(JsonlRow::usual_records_max, block.size() - i));
    if (all_utf8 && !dialect.rules.is_any_value) read_usual(page, several, is_read);
    add(page, several, is_read, all_utf8, first_record + i, rejects);
    i += several.size();
  }
}

// Reads those of the usual form, each into the row that is its own unless there are rejects.
void JsonlReader::State::read_usual(Page& page, std::span<const TextRecord> several,
                                    bool* is_read) {
  std::string_view texts[JsonlRow::usual_records_max];
  for (std::size_t i = 0; i < several.size(); ++i) {
    texts[i] = {records->at(several[i].offset), static_cast<std::size_t>(several[i].bytes)};
    if (several[i].fault != RecordFault::none) texts[i] = texts[i].substr(0, 0);
  }
  row.read_usual({texts, several.size()}, page, page.rows(), is_read);
}

// Reads the others, and adds the rows of all to the page; those behind a reject move up.
void JsonlReader::State::add(Page& page, std::span<const TextRecord> several, const bool* is_read,
                             bool is_utf8, std::uint64_t first_record,
                             std::vector<Reject>& rejects) {
  const std::size_t first_row = page.rows();
  for (std::size_t i = 0; i < several.size(); ++i) {
    const TextRecord& record = several[i];
    if (!is_read[i] || place.is_array) {
      std::string error = is_read[i] ? check_closed(record) : fill(page, record, is_utf8);
      if (!error.empty()) [[unlikely]] {
        rejects.push_back(reject(record, first_record + i, std::move(error)));
        continue;
      }
    }
    if (is_read[i] && page.rows() != first_row + i) [[unlikely]] {
      for (std::size_t at = 0; at < page.column_count(); ++at)
        move_row(page.column(at), page.rows(), first_row + i);
    }
    page.origins.push_back(origin(page, record, first_record + i));
    page.set_rows(page.rows() + 1);
  }
}

// Writes the record behind the last row; what is wrong with it, or nothing.
std::string JsonlReader::State::fill(Page& page, const TextRecord& record, bool is_utf8) {
  if (record.fault != RecordFault::none) return describe_too_long(record, dialect.max_record_bytes);
  const std::string_view text(records->at(record.offset), static_cast<std::size_t>(record.bytes));
  if (!is_utf8) {
    if (const auto at = find_invalid_utf8(text)) return malformed(record, "it is not UTF-8", *at);
  }
  if (place.is_array && text.starts_with(']')) {
    return fmt::format("Something follows the end of the array (byte {}); a file holds one array.",
                       record.offset + 1);
  }
  if (row.read(text, page, page.rows())) [[likely]] return check_closed(record);
  if (row.is_malformed()) return malformed(record, row.error(), row.error_at());
  return row.error();
}

std::string JsonlReader::State::malformed(const TextRecord& record, std::string_view what,
                                          std::size_t at) const {
  return fmt::format("The {} is no JSON {}: {} (byte {}).", place.is_array ? "element" : "line",
                     dialect.rules.is_any_value ? "value" : "object", what, record.offset + at);
}

// The last element of an array goes to the end of the file, and the closing bracket with it.
std::string JsonlReader::State::check_closed(const TextRecord& record) const {
  if (!place.is_array || record.next != slice().end) return {};
  if (record.next != place.end) {
    char behind_slice = 0;  // decoded text ends where nothing more can be read
    const auto more = file().read_at(&behind_slice, 1, record.next);
    if (place.end != TextFile::unknown_end || !more || *more > 0) return {};
  }
  const std::uint64_t behind = record.offset + record.bytes;
  const auto bytes = static_cast<std::size_t>(record.next - behind);
  if (std::string_view(records->at(behind), bytes).find(']') != std::string_view::npos) return {};
  return fmt::format("The array is not closed at the end of the file (byte {}): is it cut off?",
                     record.next);
}

JsonlReader::JsonlReader(TextFile file, std::shared_ptr<const std::string> name,
                         const JsonlDialect& dialect, const JsonPlace& place, SchemaPtr schema,
                         const Slice& slice)
    : state_(std::make_unique<State>(std::move(file), std::move(name), dialect, place,
                                     std::move(schema), slice)) {}

JsonlReader::~JsonlReader() = default;

Result<std::unique_ptr<Page>> JsonlReader::next(std::vector<Reject>& rejects) {
  return state_->next(rejects);
}

std::uint64_t JsonlReader::bytes_read() const { return state_->bytes_read(); }

}  // namespace tranche
