#include "formats/csv_reader.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/text.h"
#include "formats/csv_convert.h"

namespace tranche {
namespace {

// So that it stays in the nearest cache: each column's conversion goes over all of it.
constexpr std::size_t field_table_bytes = std::size_t{16} << 10;

std::size_t block_records_for(const CsvColumns& columns) {
  return std::clamp<std::size_t>(
      field_table_bytes / (sizeof(CsvField) * std::max<std::size_t>(1, columns.fields)), 64, 1024);
}

}  // namespace

struct CsvReader::State final : RecordReader {
  State(TextFile opened, std::shared_ptr<const std::string> source, const CsvDialect& how,
        std::shared_ptr<const CsvColumns> into, const Slice& which)
      : RecordReader(std::move(opened), std::move(source), into->schema, which),
        dialect(how),
        columns(std::move(into)),
        splitter(dialect),
        converter(dialect, splitter),
        records(file(), name(), dialect, columns->empty_line_is_record, CsvCursor::Find::fields,
                use(block_records_for(*columns))) {}

  RecordCursor& cursor() override { return records; }
  const RecordCursor& cursor() const override { return records; }
  void add_block(Page& page, std::span<const TextRecord> block, std::uint64_t first_record,
                 std::vector<Reject>& rejects) override;
  void split_block(Page& page, bool is_utf8, std::vector<Reject>& rejects);
  bool split_record(std::size_t index, std::size_t row, bool is_utf8, std::vector<Reject>& rejects);
  void drop_bad_rows(Page& page, std::size_t first_row, std::vector<Reject>& rejects);
  std::string describe_fault(const CsvRecord& record) const;
  std::string describe_count(std::size_t found) const;
  std::string describe_bad(const CsvBadValue& bad, const CsvField& field) const;
  std::string describe_formats(Type type) const;
  std::string column_name(std::uint32_t column) const;

  CsvDialect dialect;
  std::shared_ptr<const CsvColumns> columns;
  CsvFields splitter;
  CsvConverter converter;
  CsvCursor records;

  std::span<const CsvRecord> block;          // that is being added
  std::uint64_t block_begin = 0;             // the ordinal of its first record
  std::vector<CsvField> fields;
  std::vector<std::uint32_t> record_of_row;  // of the block
  std::vector<CsvBadValue> bad;
};

CsvReader::CsvReader(TextFile file, std::shared_ptr<const std::string> name,
                     const CsvDialect& dialect, std::shared_ptr<const CsvColumns> columns,
                     const Slice& slice)
    : state_(std::make_unique<State>(std::move(file), std::move(name), dialect,
                                     std::move(columns), slice)) {}

CsvReader::~CsvReader() = default;

std::uint64_t CsvReader::bytes_read() const { return state_->bytes_read(); }

Result<std::unique_ptr<Page>> CsvReader::next(std::vector<Reject>& rejects) {
  return state_->next(rejects);
}

// Splits and converts the block, and puts its good rows behind those of the page.
void CsvReader::State::add_block(Page& page, std::span<const TextRecord> added,
                                 std::uint64_t first_record, std::vector<Reject>& rejects) {
  block = added;
  block_begin = first_record;
  const std::size_t rejects_before = rejects.size();
  bool is_all_utf8 = true;
  if (!records.block_is_long()) {
    const char* const begin = records.at(block.front().offset);
    const char* const end = records.at(block.back().next);
    is_all_utf8 = simdjson::validate_utf8(begin, static_cast<std::size_t>(end - begin));
  }
  const std::size_t first_row = page.rows();
  split_block(page, is_all_utf8, rejects);
  bad.clear();
  const CsvConverter::Block rows{records.window().get(), fields.data(), columns->fields,
                                 record_of_row.size()};
  for (std::uint32_t i = 0; i < page.column_count(); ++i) {
    const std::uint32_t field = columns->field_of_column[i];
    const Field& type = columns->schema->fields[i];
    if (field == CsvColumns::absent) {
      for (std::size_t row = 0; row < rows.rows; ++row) {
        std::memset(page.column(i).bytes() + (first_row + row) * page.column(i).stride(), 0,
                    page.column(i).stride());
        page.column(i).set_null(first_row + row);
      }
      continue;
    }
    converter.convert(rows, field, type, i, page.column(i), first_row, page.arena, bad);
  }
  page.set_rows(first_row + rows.rows);
  if (!bad.empty()) drop_bad_rows(page, first_row, rejects);
  if (rejects.size() > rejects_before + 1) {
    std::stable_sort(rejects.begin() + static_cast<std::ptrdiff_t>(rejects_before), rejects.end(),
                     [](const Reject& a, const Reject& b) { return a.record < b.record; });
  }
}

// Fills `fields`, `record_of_row` and the page's origins with the records that have a right form.
void CsvReader::State::split_block(Page& page, bool is_all_utf8, std::vector<Reject>& rejects) {
  const std::size_t expected = columns->fields;
  const std::size_t first_row = page.rows();
  fields.resize(block.size() * expected);
  record_of_row.resize(block.size());
  page.origins.resize(first_row + block.size());
  std::size_t rows = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const CsvRecord& record = block[i];
    const auto ends = records.field_ends(i);
    if (is_all_utf8 && ends.size() == expected && !record.quoted &&
        record.fault == CsvFault::none) [[likely]] {
      const auto begin = static_cast<std::uint32_t>(record.offset - records.window_begin());
      CsvFields::place_plain(begin, ends, fields.data() + rows * expected);
    } else if (!split_record(i, rows, is_all_utf8, rejects)) {
      continue;
    }
    record_of_row[rows] = static_cast<std::uint32_t>(i);
    page.origins[first_row + rows] = origin(page, record, block_begin + i);
    ++rows;
  }
  record_of_row.resize(rows);
  page.origins.resize(first_row + rows);
}

// The same for one record of any kind, which would be row `row` of the block. False: it is
// rejected.
bool CsvReader::State::split_record(std::size_t index, std::size_t row, bool is_all_utf8,
                                    std::vector<Reject>& rejects) {
  const std::size_t expected = columns->fields;
  const CsvRecord& record = block[index];
  const std::uint64_t ordinal = block_begin + index;
  const auto refuse = [&](std::string why) {
    rejects.push_back(reject(record, ordinal, std::move(why)));
    return false;
  };
  if (record.fault != CsvFault::none) [[unlikely]] return refuse(describe_fault(record));
  const char* const base = records.window().get();
  const char* const begin = records.at(record.offset);
  const char* const end = begin + record.bytes;
  if (!is_all_utf8) [[unlikely]] {
    if (const auto at = find_invalid_utf8({begin, static_cast<std::size_t>(record.bytes)})) {
      return refuse(fmt::format("The byte 0x{:02X} at offset {} is not UTF-8.",
                                static_cast<unsigned char>(begin[*at]), record.offset + *at));
    }
  }
  const CsvFields::Out out{fields.data() + row * expected, expected};
  const auto ends = records.field_ends(index);
  std::size_t found = ends.size();
  if (found != 0) {
    splitter.place(base, static_cast<std::uint32_t>(begin - base), ends, record.quoted, out);
  } else {
    found = splitter.split(base, begin, end, record.quoted, out);
  }
  if (found == expected) [[likely]] return true;
  const bool allowed =
      found > expected ? dialect.extra_columns_ignored : dialect.missing_columns_null;
  if (!allowed) return refuse(describe_count(found));
  for (std::size_t k = found; k < expected; ++k) out.put(k, CsvField{0, CsvField::absent_mark});
  return true;
}

void CsvReader::State::drop_bad_rows(Page& page, std::size_t first_row,
                                     std::vector<Reject>& rejects) {
  std::stable_sort(bad.begin(), bad.end(),
                   [](const CsvBadValue& a, const CsvBadValue& b) { return a.row < b.row; });
  bad.erase(std::unique(bad.begin(), bad.end(),  // the first column that is wrong tells enough
                        [](const CsvBadValue& a, const CsvBadValue& b) { return a.row == b.row; }),
            bad.end());
  for (const CsvBadValue& value : bad) {
    const std::uint32_t index = record_of_row[value.row];
    const CsvField& field =
        fields[value.row * columns->fields + columns->field_of_column[value.column]];
    rejects.push_back(reject(block[index], block_begin + index, describe_bad(value, field)));
  }
  const std::size_t rows = page.rows();
  std::vector<std::size_t> keep;
  keep.reserve(rows - first_row);
  for (std::size_t row = first_row, next_bad = 0; row < rows; ++row) {
    const bool is_bad = next_bad < bad.size() && bad[next_bad].row == row - first_row;
    if (is_bad) ++next_bad;
    else keep.push_back(row);
  }
  for (std::size_t i = 0; i < page.column_count(); ++i) {
    Column& column = page.column(i);
    const std::size_t stride = column.stride();
    std::uint64_t* const validity = column.has_nulls() ? column.ensure_validity() : nullptr;
    for (std::size_t k = 0; k < keep.size(); ++k) {
      const std::size_t to = first_row + k;
      if (to == keep[k]) continue;
      std::memcpy(column.bytes() + to * stride, column.bytes() + keep[k] * stride, stride);
      if (validity == nullptr) continue;
      const std::uint64_t bit = std::uint64_t{1} << (to & 63);
      const bool valid = column.is_valid(keep[k]);
      validity[to >> 6] = valid ? validity[to >> 6] | bit : validity[to >> 6] & ~bit;
    }
    for (std::size_t row = first_row + keep.size(); validity != nullptr && row < rows; ++row) {
      validity[row >> 6] |= std::uint64_t{1} << (row & 63);  // for whoever comes there next
    }
  }
  for (std::size_t k = 0; k < keep.size(); ++k) page.origins[first_row + k] = page.origins[keep[k]];
  page.origins.resize(first_row + keep.size());
  page.set_rows(first_row + keep.size());
}

std::string CsvReader::State::describe_fault(const CsvRecord& record) const {
  const std::uint64_t at = record.offset + record.fault_at;
  switch (record.fault) {
    case CsvFault::stray_quote:
      return fmt::format("The quote at byte {} stands inside a field that does not begin with one.",
                         at);
    case CsvFault::open_quote:
      return fmt::format("The quoted field that begins at byte {} is not closed before a delimiter "
                         "or a line end.", at);
    case CsvFault::stray_return:
      return fmt::format("The carriage return at byte {} stands outside quotes and ends no line: "
                         "lines of this file end with a line feed.", at);
    case CsvFault::long_quote:
      return fmt::format("The record is longer than max_record ({}): the quoted field that begins "
                         "at byte {} does not close within it, if it closes at all.{}",
                         format_size(dialect.max_record_bytes), at,
                         record.bytes > dialect.max_record_bytes
                             ? ""
                             : " It goes on behind its first line, which is rejected here.");
    default:
      if (record.bytes <= dialect.max_record_bytes)  // of its first line, where reading goes on
        return fmt::format("The record is longer than max_record ({}); it goes on behind its first "
                           "line, which is rejected here.",
                           format_size(dialect.max_record_bytes));
      return describe_too_long(record, dialect.max_record_bytes);
  }
}

std::string CsvReader::State::describe_count(std::size_t found) const {
  return fmt::format("Expected {} column{}, found {}.", columns->fields,
                     columns->fields == 1 ? "" : "s", found);
}

std::string CsvReader::State::column_name(std::uint32_t column) const {
  return fmt::format("Column {} \"{}\"", columns->field_of_column[column] + 1,
                     columns->schema->fields[column].name);
}

std::string CsvReader::State::describe_bad(const CsvBadValue& value, const CsvField& field) const {
  if (value.is_null) {
    const std::string_view shown(records.window().get() + field.begin,
                                 field.absent() ? 0 : field.length());
    if (shown.empty()) return column_name(value.column) + " is empty, but a value is required.";
    return fmt::format("{} is null (\"{}\"), but a value is required.", column_name(value.column),
                       excerpt(shown));
  }
  const std::string text = splitter.text(records.window().get(), field);
  const Type type = columns->schema->fields[value.column].type;
  std::string what = fmt::format("{}: {}", column_name(value.column),
                                 describe_parse(value.status, type, text));
  if (value.status == ParseStatus::malformed) what += describe_formats(type);
  what += '.';
  if (columns->guessed) what += guessed_hint;
  return what;
}

std::string CsvReader::State::describe_formats(Type type) const {
  const bool is_date = type.id == TypeId::date;
  const bool is_timestamp = type.id == TypeId::timestamp || type.id == TypeId::timestamptz;
  if (!is_date && !is_timestamp) return {};
  const auto& formats = is_date ? dialect.date_formats : dialect.timestamp_formats;
  if (formats.empty()) return {};
  std::vector<std::string> quoted;
  for (const TimeFormat& format : formats) quoted.push_back(fmt::format("\"{}\"", format.text()));
  return fmt::format(" by {} {}", is_date ? "date_format" : "timestamp_format",
                     join(quoted, " or "));
}

}  // namespace tranche
