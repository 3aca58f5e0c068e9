#include "formats/csv_scanner.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "formats/csv_fields.h"

namespace tranche {

Result<void> check_dialect(const CsvDialect& dialect) {
  const auto refuse = [](std::string message) {
    return make_error(ErrorKind::config, std::move(message));
  };
  const auto is_line_end = [](char c) { return c == '\n' || c == '\r'; };
  if (dialect.delimiter.empty()) {
    return refuse("The delimiter is empty; give one character or more.");
  }
  for (const char c : dialect.delimiter) {
    if (is_line_end(c)) return refuse("The delimiter has a line end in it; choose another one.");
    if (dialect.quote != 0 && c == dialect.quote) {
      return refuse(fmt::format("The quote {} is part of the delimiter; choose another one.", c));
    }
  }
  if (is_line_end(dialect.quote) || is_line_end(dialect.escape) || is_line_end(dialect.comment)) {
    return refuse("A line end can't be a quote, an escape or a comment.");
  }
  if (dialect.comment != 0 &&
      (dialect.comment == dialect.delimiter[0] || dialect.comment == dialect.quote)) {
    return refuse("The comment character is the delimiter or the quote; choose another one.");
  }
  if (dialect.escape != dialect.quote &&
      dialect.delimiter.find(dialect.escape) != std::string::npos) {
    return refuse("The escape is part of the delimiter; choose another one.");
  }
  if (dialect.decimal_comma && dialect.delimiter == ",") {
    return refuse("decimal_comma needs another delimiter than the comma, such as \";\".");
  }
  // A field may be as long as its record, and its length has 29 bits.
  constexpr std::uint64_t max_record_bytes_max = CsvField::absent_mark - 1;
  if (dialect.max_record_bytes == 0 || dialect.max_record_bytes > max_record_bytes_max) {
    return refuse("max_record is between 1 byte and 536870911 bytes, one less than 512 MiB.");
  }
  return {};
}

// A record on the way to its end.
struct CsvScanner::Cursor {
  CsvSpan& span;
  const char* at;
  const char* limit;  // as far as the record may go, or the bytes do
  const char* end;
  const char* field;  // where a field begins, at or before `at`
  bool final;
  const char* stray_return = nullptr;  // the first one
};

CsvScanner::CsvScanner(const CsvDialect& dialect, bool empty_line_is_record)
    : delimiter_(dialect.delimiter),
      quote_(dialect.quote == 0 ? '\n' : dialect.quote),
      escape_(dialect.quote == 0 ? '\n' : dialect.escape),
      comment_(dialect.comment),
      trim_(dialect.trim),
      empty_line_is_record_(empty_line_is_record),
      return_ends_lines_(dialect.return_ends_lines),
      limit_bytes_(static_cast<std::size_t>(dialect.max_record_bytes) + 1),
      outside_('\n', '\r', quote_),
      inside_('\n', return_ends_lines_ ? '\r' : '\n', quote_, escape_),
      line_ends_('\n', return_ends_lines_ ? '\r' : '\n') {}

namespace {

bool may_end_line(char c) { return c == '\n' || c == '\r'; }

}  // namespace

// Behind the line end at `at`, an LF or a CR; `at` itself where it is a CR that ends nothing;
// nullptr when that depends on a byte that is not there yet.
const char* CsvScanner::behind_line_end(const char* at, const char* end, bool final) const {
  if (*at == '\n') return at + 1;
  if (at + 1 == end && !final) return nullptr;
  if (at + 1 != end && at[1] == '\n') return at + 2;
  return return_ends_lines_ ? at + 1 : at;
}

// Where the line of `p` has its line end, whatever stands in it; `end` when there is none.
const char* CsvScanner::end_of_line(const char* p, const char* end) const {
  const char* const at = line_ends_.find(p, end);
  const bool is_pair = at != end && at != p && *at == '\n' && at[-1] == '\r';
  return is_pair ? at - 1 : at;
}

CsvScanner::Step CsvScanner::next(const char* p, const char* end, bool final,
                                  CsvSpan& span) const {
  span = CsvSpan();
  while (p != end) {
    const bool may_be_empty = may_end_line(*p) && !empty_line_is_record_;
    if (!may_be_empty && (comment_ == 0 || *p != comment_)) break;
    const char* const line_end = may_be_empty ? p : end_of_line(p, end);
    const char* const next = line_end == end ? nullptr : behind_line_end(line_end, end, final);
    if (next == p) break;  // a record that begins with a stray CR
    if (next == nullptr) {
      span.begin = p;
      if (final) return Step::end;
      return static_cast<std::size_t>(end - p) > limit_bytes_ ? Step::comment : Step::more;
    }
    ++span.lines_before;
    p = next;
  }
  span.begin = p;
  if (p == end) return final ? Step::end : Step::more;
  return scan(end, final, span);
}

CsvScanner::Step CsvScanner::scan(const char* end, bool final, CsvSpan& span) const {
  const char* const begin = span.begin;
  const char* const limit =
      static_cast<std::size_t>(end - begin) > limit_bytes_ ? begin + limit_bytes_ : end;
  Cursor cursor{span, begin, limit, end, begin, final};
  while (true) {
    if (cursor.at >= limit) return at_limit(cursor, false);
    cursor.at = outside_.find(cursor.at, limit);
    if (cursor.at == limit) return at_limit(cursor, false);
    if (may_end_line(*cursor.at)) {
      const char* const behind = behind_line_end(cursor.at, end, final);
      if (behind == nullptr) return Step::more;
      if (behind == cursor.at) {
        if (cursor.stray_return == nullptr) cursor.stray_return = cursor.at;
        ++cursor.at;
        continue;
      }
      span.end = cursor.at;
      span.next = behind;
      ++span.lines;
      return whole(cursor);
    }
    span.quoted = true;
    if (delimiter_.size() > 1) {  // only delimiters counted from the left are delimiters
      while (const void* found =
                 memmem(cursor.field, static_cast<std::size_t>(cursor.at - cursor.field),
                        delimiter_.data(), delimiter_.size())) {
        cursor.field = static_cast<const char*>(found) + delimiter_.size();
      }
    }
    if (!opens_field(cursor)) return broken(cursor, CsvFault::stray_quote, cursor.at);
    span.fault_at = cursor.at++;
    const Step step = skip_quoted(cursor);
    if (step != Step::record || span.next != nullptr) return step;
    span.fault_at = nullptr;
  }
}

bool CsvScanner::opens_field(const Cursor& cursor) const {
  const char* q = cursor.at;
  const char* const begin = cursor.span.begin;
  if (delimiter_.size() > 1) {
    const char* field = cursor.field;
    while (trim_ && field < q && is_blank(*field)) ++field;
    return field == q;
  }
  while (trim_ && q > begin && is_blank(q[-1])) --q;
  return q == begin || q[-1] == delimiter_[0];
}

// From behind an opening quote to behind the delimiter or to the line end that follows the field.
// `record` with span.next still null: the field was closed.
CsvScanner::Step CsvScanner::skip_quoted(Cursor& cursor) const {
  while (true) {
    if (cursor.at >= cursor.limit) return at_limit(cursor, true);
    cursor.at = inside_.find(cursor.at, cursor.limit);
    if (cursor.at == cursor.limit) return at_limit(cursor, true);
    const char c = *cursor.at;
    const char* const behind = cursor.at + 1;
    if (c == escape_ && escape_ != quote_) {
      if (behind >= cursor.limit) return at_limit(cursor, true);
      cursor.at = *behind == quote_ || *behind == escape_ ? behind + 1 : behind;
    } else if (c == quote_) {
      if (behind == cursor.end && !cursor.final) return Step::more;  // the next may double it
      if (behind == cursor.end || escape_ != quote_ || *behind != quote_) {
        return close_quote(cursor);
      }
      cursor.at = behind + 1;
    } else {
      ++cursor.span.lines;  // of a line end of the file's own kind
      cursor.at = c == '\r' && behind < cursor.limit && *behind == '\n' ? behind + 1 : behind;
    }
  }
}

CsvScanner::Step CsvScanner::close_quote(Cursor& cursor) const {
  const char* after = cursor.at + 1;
  while (trim_ && after < cursor.limit && is_blank(*after)) ++after;
  if (after >= cursor.limit) {
    cursor.at = after;
    return at_limit(cursor, false);
  }
  if (may_end_line(*after)) {
    cursor.at = cursor.field = after;
    return Step::record;
  }
  const auto left = static_cast<std::size_t>(cursor.end - after);
  const std::size_t length = std::min(left, delimiter_.size());
  if (std::memcmp(after, delimiter_.data(), length) != 0 ||
      (length < delimiter_.size() && cursor.final)) {
    return broken(cursor, CsvFault::open_quote, cursor.span.fault_at);
  }
  if (length < delimiter_.size()) return Step::more;
  cursor.at = cursor.field = after + length;
  return Step::record;
}

// The bytes, or what a record may have of them, have come to their end.
CsvScanner::Step CsvScanner::at_limit(Cursor& cursor, bool in_quotes) const {
  CsvSpan& span = cursor.span;
  if (static_cast<std::size_t>(cursor.end - span.begin) >= limit_bytes_) {
    return broken(cursor, in_quotes ? CsvFault::long_quote : CsvFault::too_long, span.fault_at);
  }
  if (!cursor.final) return Step::more;
  if (in_quotes) return broken(cursor, CsvFault::open_quote, span.fault_at);
  span.end = span.next = cursor.end;
  return whole(cursor);
}

// The record has come to its own end.
CsvScanner::Step CsvScanner::whole(Cursor& cursor) const {
  if (cursor.stray_return != nullptr) {
    cursor.span.fault = CsvFault::stray_return;
    cursor.span.fault_at = cursor.stray_return;
  }
  return Step::record;
}

CsvScanner::Step CsvScanner::broken(Cursor& cursor, CsvFault fault, const char* at) const {
  CsvSpan& span = cursor.span;
  span.fault = fault;
  span.fault_at = fault == CsvFault::too_long ? nullptr : at;
  const char* const line_end = end_of_line(span.begin, cursor.end);
  const char* const next =
      line_end == cursor.end ? nullptr : behind_line_end(line_end, cursor.end, cursor.final);
  if (next == nullptr && !cursor.final) {
    const bool have_all = static_cast<std::size_t>(cursor.end - span.begin) >= window_bytes_min();
    return have_all ? Step::endless : Step::more;
  }
  span.end = line_end;
  span.next = next == nullptr ? cursor.end : next;
  span.lines = next == nullptr ? 0 : 1;
  return Step::record;
}

}  // namespace tranche
