// Splits a record into its fields.
//
// Threads: immutable once made. Lifetime: fields are positions in the record's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "formats/byte_search.h"
#include "formats/csv_dialect.h"

namespace tranche {

// A field: a range of bytes relative to a base, without its quotes.
struct CsvField {
  std::uint32_t begin = 0;
  std::uint32_t marks = 0;  // length in the low 29 bits

  static constexpr std::uint32_t quoted_mark = 1U << 31;
  static constexpr std::uint32_t escaped_mark = 1U << 30;  // quotes or escapes inside are doubled
  static constexpr std::uint32_t absent_mark = 1U << 29;   // the record had no such field
  std::uint32_t length() const { return marks & (absent_mark - 1); }
  bool quoted() const { return (marks & quoted_mark) != 0; }
  bool escaped() const { return (marks & escaped_mark) != 0; }
  bool absent() const { return (marks & absent_mark) != 0; }
};

class CsvFields {
 public:
  explicit CsvFields(const CsvDialect& dialect);

  // Splits [begin, end), a record without fault, into at most `fields_max` fields at `out`,
  // relative to `base`; returns how many it has, which may be more. REQUIRES search_padding_bytes
  // behind end.
  std::size_t split(const char* base, const char* begin, const char* end, bool quoted,
                    CsvField* out, std::size_t fields_max) const;

  // Writes what an escaped field stands for to `out`, which has room for its bytes; returns the
  // end.
  char* unescape(std::string_view escaped, char* out) const;
  std::string text(const char* base, const CsvField& field) const;

 private:
  std::size_t split_plain(const char* base, const char* begin, const char* end, CsvField* out,
                          std::size_t fields_max) const;
  std::size_t split_any(const char* base, const char* begin, const char* end, CsvField* out,
                        std::size_t fields_max) const;
  const char* find_delimiter(const char* p, const char* end) const;
  const char* closing_quote(const char* p, const char* end, bool& escaped) const;
  CsvField make(const char* base, const char* begin, const char* end) const;
  bool is_blank(char c) const { return (c == ' ' || c == '\t') && c != delimiter_[0]; }

  std::string delimiter_;
  char quote_;
  char escape_;
  bool trim_;
  ByteSearch<1> delimiters_;
  ByteSearch<2> quotes_;
};

}  // namespace tranche
