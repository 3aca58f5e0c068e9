#include "formats/csv_head.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "formats/csv_cursor.h"
#include "formats/csv_fields.h"

namespace tranche {
namespace {

// Goes behind the lines to skip; head.data_begin is where they begin.
Result<void> skip_lines(const TextFile& file, CsvHead& head) {
  std::uint64_t lines = head.dialect.skip_lines;
  constexpr std::size_t piece_bytes = std::size_t{64} << 10;
  std::string piece(piece_bytes, '\0');
  bool after_return = false;  // a line feed that comes next belongs to it
  std::uint64_t at = head.data_begin;
  while (lines > 0 || after_return) {
    TRANCHE_ASSIGN(const std::size_t count, file.read_at(piece.data(), piece_bytes, at));
    if (count == 0) break;
    for (std::size_t i = 0; i < count; ++i) {
      const char c = piece[i];
      if (lines == 0 && !(after_return && c == '\n')) {
        head.data_begin = at + i;
        return {};
      }
      const bool is_return = c == '\r' && head.dialect.return_ends_lines;
      if (is_return || (c == '\n' && !after_return)) {
        --lines;
        ++head.data_line;
      }
      after_return = is_return;
    }
    at += count;
  }
  head.data_begin = at;
  return {};
}

Error header_error(const std::string& name, std::uint64_t line, std::string what) {
  return make_error(ErrorKind::config, fmt::format("The header of {} {}", name, what),
                    fmt::format("{}:{}", name, line));
}

Result<void> read_names(const CsvCursor& cursor, const CsvRecord& record, const std::string& name,
                        CsvHead& head) {
  const std::uint64_t line = head.data_line + record.line;
  if (record.fault == CsvFault::too_long || record.fault == CsvFault::long_quote) {
    return header_error(name, line, "is longer than max_record.");
  }
  if (record.fault == CsvFault::stray_return) {
    return header_error(name, line, fmt::format("has a carriage return outside quotes, at byte {}.",
                                                record.offset + record.fault_at));
  }
  if (record.fault != CsvFault::none) {
    return header_error(name, line, "has a quote where none may be.");
  }
  const char* const begin = cursor.at(record.offset);
  const char* const end = begin + record.bytes;
  if (!is_utf8({begin, record.bytes})) {
    return header_error(name, line, "is not UTF-8; say what it is by `encoding:`.");
  }
  const CsvFields splitter(head.dialect);
  std::vector<CsvField> fields(
      splitter.split(begin, begin, end, record.quoted, {}));
  splitter.split(begin, begin, end, record.quoted, {fields.data(), fields.size()});
  for (const CsvField& field : fields) {
    std::string column = splitter.text(begin, field);
    if (column.empty()) column = fmt::format("column{}", head.names.size());
    if (std::find(head.names.begin(), head.names.end(), column) != head.names.end()) {
      return header_error(name, line, fmt::format("names the column \"{}\" twice.", column));
    }
    head.names.push_back(std::move(column));
  }
  return {};
}

}  // namespace

Result<bool> return_ends_first_line(const TextFile& file, std::uint64_t end,
                                    const std::string& name, const CsvDialect& dialect) {
  CsvCursor::Use use;
  TRANCHE_ASSIGN(use.begin, find_text_begin(file, name));
  use.end = end;
  use.window_bytes = std::size_t{4} << 10;
  use.block_records = 1;
  CsvDialect first_line = dialect;
  first_line.return_ends_lines = true;
  char begin = 0;
  TRANCHE_ASSIGN(const std::size_t count, file.read_at(&begin, 1, use.begin));
  const bool is_comment = dialect.comment != 0 && count == 1 && begin == dialect.comment;
  if (is_comment || dialect.skip_lines > 0) first_line.quote = 0;
  first_line.comment = 0;
  CsvCursor cursor(file, name, first_line, true, CsvCursor::Find::records, use);
  TRANCHE_ASSIGN(const auto block, cursor.next());
  if (block.empty()) return false;
  const CsvRecord& record = block[0];
  if (record.next != record.offset + record.bytes + 1) return false;  // CRLF, or none at all
  char line_end = 0;
  TRANCHE_TRY(file.read_at(&line_end, 1, record.next - 1));
  return line_end == '\r';
}

Result<CsvHead> read_csv_head(const TextFile& file, std::uint64_t end, const std::string& name,
                              const CsvDialect& dialect) {
  CsvHead head;
  head.dialect = dialect;
  TRANCHE_ASSIGN(head.data_begin, find_text_begin(file, name));
  TRANCHE_ASSIGN(head.dialect.return_ends_lines, return_ends_first_line(file, end, name, dialect));
  TRANCHE_TRY(skip_lines(file, head));
  if (!dialect.header) return head;
  CsvCursor::Use use;
  use.begin = head.data_begin;
  use.end = end;
  use.block_records = 1;
  use.window_bytes = std::size_t{64} << 10;
  CsvCursor cursor(file, name, head.dialect, false, CsvCursor::Find::records, use);
  TRANCHE_ASSIGN(const auto block, cursor.next());
  if (block.empty()) {
    head.data_begin = cursor.window_end();
    return head;
  }
  if (cursor.block_is_long()) {
    return header_error(name, head.data_line, "is longer than max_record.");
  }
  TRANCHE_TRY(read_names(cursor, block[0], name, head));
  head.data_begin = block[0].next;
  head.data_line += block[0].line + block[0].lines;
  return head;
}

}  // namespace tranche
