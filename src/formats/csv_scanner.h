// The one place that says where a CSV record ends. Planner and parser both use it, so that what the
// planner counted and what the parser finds can never differ.
//
// RFC 4180 with these rules where it is silent: a quote opens a field only at its very beginning,
// and closes it only before a delimiter, a line end or the end of the file; a doubled quote inside
// is a quote. A record that breaks this, or that has not ended within max_record_bytes, is broken:
// it consists of its own first line, and the next record begins behind that. So malformed quotes
// never move a boundary further down than the line they stand in. Line ends are LF and CRLF, and in
// files of such a dialect a CR by itself; in others that one makes the record broken, outside
// quotes, but ends nothing. Empty lines are no records, except in files of one column; lines of
// comment are none either.
//
// Threads: immutable once made. Lifetime: spans point into the bytes that were given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "formats/byte_search.h"
#include "formats/csv_dialect.h"
#include "formats/record_scan.h"

namespace tranche {

using CsvFault = RecordFault;
using CsvSpan = RecordSpan;

class CsvScanner {
 public:
  using Step = ScanStep;

  CsvScanner(const CsvDialect& dialect, bool empty_line_is_record);

  // The record that begins at `p` or behind the skipped lines there. `final`: nothing follows
  // `end`.
  // REQUIRES search_padding_bytes readable behind `end`. With window_bytes_min() bytes from
  // span.begin on, `more` is not answered twice for one record.
  Step next(const char* p, const char* end, bool final, CsvSpan& span) const;

  std::size_t window_bytes_min() const { return limit_bytes_ + delimiter_.size() + 64; }

 private:
  struct Cursor;
  Step scan(const char* end, bool final, CsvSpan& span) const;
  bool opens_field(const Cursor& cursor) const;
  Step close_quote(Cursor& cursor) const;
  Step skip_quoted(Cursor& cursor) const;
  Step at_limit(Cursor& cursor, bool in_quotes) const;
  Step whole(Cursor& cursor) const;
  Step broken(Cursor& cursor, CsvFault fault, const char* at) const;
  const char* behind_line_end(const char* at, const char* end, bool final) const;
  const char* end_of_line(const char* p, const char* end) const;
  bool is_blank(char c) const { return (c == ' ' || c == '\t') && c != delimiter_[0]; }

  std::string delimiter_;
  char quote_;     // a line feed when there is none: it never gets that far
  char escape_;
  char comment_;
  bool trim_;
  bool empty_line_is_record_;
  bool return_ends_lines_;
  std::size_t limit_bytes_;
  ByteSearch<3> outside_;
  ByteSearch<4> inside_;
  ByteSearch<2> line_ends_;
};

}  // namespace tranche
