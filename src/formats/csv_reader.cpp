#include "formats/csv_reader.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/fault.h"
#include "base/text.h"
#include "formats/csv_convert.h"

namespace tranche {
namespace {

constexpr std::size_t page_rows_max = 8 * vector_rows;
constexpr std::size_t page_bytes_max = std::size_t{8} << 20;  // of values, in wide rows
constexpr std::size_t window_bytes_max = std::size_t{4} << 20;
constexpr std::size_t field_table_bytes = std::size_t{96} << 10;  // so that it stays in cache

CsvCursor::Use cursor_use(const Slice& slice, const CsvColumns& columns, Digest* digest) {
  CsvCursor::Use use;
  use.begin = slice.begin;
  use.end = slice.end;
  use.window_bytes = static_cast<std::size_t>(
      std::min<std::uint64_t>(slice.end - slice.begin, window_bytes_max));
  use.block_records = std::clamp<std::size_t>(
      field_table_bytes / (sizeof(CsvField) * std::max<std::size_t>(1, columns.fields)), 64, 1024);
  use.keep_windows = true;
  use.keep_long_raw = true;
  use.digest = digest;
  return use;
}

std::size_t page_rows_for(const Schema& schema, std::uint64_t records) {
  std::size_t row_bytes = sizeof(Origin);
  for (const auto& field : schema.fields) row_bytes += physical_bytes(physical_type(field.type));
  const std::size_t fitting = std::clamp(page_bytes_max / row_bytes, vector_rows, page_rows_max);
  const std::size_t needed = (static_cast<std::size_t>(std::min<std::uint64_t>(
                                  records, page_rows_max)) + vector_rows - 1) / vector_rows;
  return std::min(fitting, std::max<std::size_t>(1, needed) * vector_rows);
}

}  // namespace

struct CsvReader::State {
  State(File opened, std::shared_ptr<const std::string> source, const CsvDialect& how,
        std::shared_ptr<const CsvColumns> into, const Slice& which)
      : file(std::move(opened)),
        name(std::move(source)),
        dialect(how),
        columns(std::move(into)),
        slice(which),
        splitter(dialect),
        converter(dialect, splitter),
        cursor(file, *name, dialect, columns->empty_line_is_record,
               cursor_use(slice, *columns, slice.digest == 0 ? nullptr : &digest)),
        page_rows(page_rows_for(*columns->schema, slice.records)) {}

  Result<std::unique_ptr<Page>> next(std::vector<Reject>& rejects);
  void begin_page(Page& page);
  void add_block(Page& page, std::vector<Reject>& rejects);
  void split_block(Page& page, bool is_utf8, std::vector<Reject>& rejects);
  void drop_bad_rows(Page& page, std::size_t first_row, std::vector<Reject>& rejects);
  void reject(const CsvRecord& record, std::uint64_t ordinal, std::string error,
              std::vector<Reject>& rejects) const;
  std::string describe_fault(const CsvRecord& record) const;
  std::string describe_count(std::size_t found) const;
  std::string describe_bad(const CsvBadValue& bad, const CsvField& field) const;
  std::string column_name(std::uint32_t column) const;
  Result<void> check_end() const;

  File file;
  std::shared_ptr<const std::string> name;
  CsvDialect dialect;
  std::shared_ptr<const CsvColumns> columns;
  Slice slice;
  Digest digest;
  CsvFields splitter;
  CsvConverter converter;
  CsvCursor cursor;
  std::size_t page_rows;

  std::span<const CsvRecord> block;  // read, not yet in a page
  std::uint64_t records = 0;         // of the slice, before the block
  bool ended = false;
  std::vector<CsvField> fields;
  std::vector<std::uint32_t> record_of_row;  // of the block
  std::vector<CsvBadValue> bad;
  Arena scratch;  // of messages
};

CsvReader::CsvReader(File file, std::shared_ptr<const std::string> name, const CsvDialect& dialect,
                     std::shared_ptr<const CsvColumns> columns, const Slice& slice)
    : state_(std::make_unique<State>(std::move(file), std::move(name), dialect,
                                     std::move(columns), slice)) {}

CsvReader::~CsvReader() = default;

std::uint64_t CsvReader::bytes_read() const {
  return state_->ended ? state_->slice.end - state_->slice.begin
                       : state_->cursor.window_end() - state_->slice.begin;
}

Result<std::unique_ptr<Page>> CsvReader::next(std::vector<Reject>& rejects) {
  return state_->next(rejects);
}

Result<std::unique_ptr<Page>> CsvReader::State::next(std::vector<Reject>& rejects) {
  std::unique_ptr<Page> page;
  while (!ended) {
    if (block.empty()) {
      TRANCHE_ASSIGN(block, cursor.next());
      if (block.empty()) {
        ended = true;
        TRANCHE_TRY(check_end());
        break;
      }
    }
    if (page != nullptr && page->rows() > 0 &&
        (page->base.raw_offset != cursor.window_begin() || cursor.block_is_long() ||
         page->rows() + block.size() > page_rows)) {
      break;
    }
    if (page == nullptr) page = std::make_unique<Page>(columns->schema, page_rows);
    if (page->rows() == 0) begin_page(*page);
    add_block(*page, rejects);
    records += block.size();
    block = {};
  }
  if (page == nullptr || page->rows() == 0) return std::unique_ptr<Page>();
  if (fault_drops_record("parse")) {
    page->set_rows(page->rows() - 1);
    page->origins.pop_back();
  }
  return page;
}

void CsvReader::State::begin_page(Page& page) {
  page.base.source = name;
  page.base.line = slice.first_line + block[0].line;
  page.base.record = slice.first_record + records;
  page.base.raw = cursor.window().get();
  page.base.raw_offset = cursor.window_begin();
  page.keep_alive.assign(1, cursor.window());
  page.origins.clear();
  page.origins.reserve(page_rows);
}

// Splits and converts the block, and puts its good rows behind those of the page.
void CsvReader::State::add_block(Page& page, std::vector<Reject>& rejects) {
  const std::size_t rejects_before = rejects.size();
  bool is_all_utf8 = true;
  if (!cursor.block_is_long()) {
    const char* const begin = cursor.at(block.front().offset);
    const char* const end = cursor.at(block.back().next);
    is_all_utf8 = is_ascii(begin, end) || is_utf8({begin, static_cast<std::size_t>(end - begin)});
  }
  const std::size_t first_row = page.rows();
  split_block(page, is_all_utf8, rejects);
  bad.clear();
  const CsvConverter::Block rows{cursor.window().get(), fields.data(), columns->fields,
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
  fields.resize(block.size() * expected);
  record_of_row.clear();
  const char* const base = cursor.window().get();
  for (std::size_t i = 0; i < block.size(); ++i) {
    const CsvRecord& record = block[i];
    const std::uint64_t ordinal = slice.first_record + records + i;
    if (record.fault != CsvFault::none) [[unlikely]] {
      reject(record, ordinal, describe_fault(record), rejects);
      continue;
    }
    const char* const begin = cursor.at(record.offset);
    const char* const end = begin + record.bytes;
    if (!is_all_utf8) [[unlikely]] {
      if (const auto at = find_invalid_utf8({begin, static_cast<std::size_t>(record.bytes)})) {
        reject(record, ordinal,
               fmt::format("The byte 0x{:02X} at offset {} is not UTF-8.",
                           static_cast<unsigned char>(begin[*at]), record.offset + *at),
               rejects);
        continue;
      }
    }
    CsvField* const out = fields.data() + record_of_row.size() * expected;
    const std::size_t found = splitter.split(base, begin, end, record.quoted, out, expected);
    if (found != expected) [[unlikely]] {
      const bool allowed =
          found > expected ? dialect.extra_columns_ignored : dialect.missing_columns_null;
      if (!allowed) {
        reject(record, ordinal, describe_count(found), rejects);
        continue;
      }
      for (std::size_t k = found; k < expected; ++k) out[k] = CsvField{0, CsvField::absent_mark};
    }
    record_of_row.push_back(static_cast<std::uint32_t>(i));
    page.origins.push_back(
        {record.offset, static_cast<std::uint32_t>(record.bytes),
         static_cast<std::uint32_t>(slice.first_line + record.line - page.base.line),
         static_cast<std::uint32_t>(ordinal - page.base.record)});
  }
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
    reject(block[index], slice.first_record + records + index, describe_bad(value, field),
           rejects);
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

void CsvReader::State::reject(const CsvRecord& record, std::uint64_t ordinal, std::string error,
                              std::vector<Reject>& rejects) const {
  Reject reject;
  reject.record = ordinal;
  reject.source = *name;
  reject.line = slice.first_line + record.line;
  reject.offset = record.offset;
  reject.has_position = true;
  reject.phase = "read";
  reject.error = std::move(error);
  if (cursor.block_is_long()) {
    reject.raw = cursor.long_raw();
    if (reject.raw.size() < record.bytes) {
      reject.error += fmt::format(" Only its first {} are kept here.",
                                  format_size(CsvCursor::long_raw_bytes_max));
    }
  } else {
    reject.raw.assign(cursor.at(record.offset), static_cast<std::size_t>(record.bytes));
  }
  rejects.push_back(std::move(reject));
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
    default:
      if (record.bytes <= dialect.max_record_bytes)  // of its first line, where reading goes on
        return fmt::format("The record is longer than max_record ({}); it goes on behind its first "
                           "line, which is rejected here.",
                           format_size(dialect.max_record_bytes));
      return fmt::format("The record of {} bytes is longer than max_record ({}).", record.bytes,
                         format_size(dialect.max_record_bytes));
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
    const std::string_view shown(cursor.window().get() + field.begin,
                                 field.absent() ? 0 : field.length());
    if (shown.empty()) return column_name(value.column) + " is empty, but a value is required.";
    return fmt::format("{} is null (\"{}\"), but a value is required.", column_name(value.column),
                       excerpt(shown));
  }
  const std::string text = splitter.text(cursor.window().get(), field);
  return fmt::format(
      "{}: {}.", column_name(value.column),
      describe_parse(value.status, columns->schema->fields[value.column].type, text));
}

Result<void> CsvReader::State::check_end() const {
  if (slice.digest == 0 || digest.value() == slice.digest) return {};
  return make_error(
      ErrorKind::failed,
      fmt::format("{} was changed while it was read: its bytes {} to {} are not those that were "
                  "planned. Give back the file as it was and run again, or accept the change with "
                  "--accept input.", *name, slice.begin, slice.end));
}

}  // namespace tranche
