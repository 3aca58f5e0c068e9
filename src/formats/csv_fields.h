// Splits a record into its fields.
//
// Threads: immutable once made. Lifetime: fields are positions in the record's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
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

  // Where fields go.
  struct Out {
    CsvField* first = nullptr;
    std::size_t fields_max = 0;  // what is beyond is counted only
    void put(std::size_t index, CsvField field) const {
      if (index < fields_max) first[index] = field;
    }
  };
  // Splits [begin, end), a record without fault, into fields relative to `base`; returns how many
  // it has. REQUIRES search_padding_bytes behind end.
  std::size_t split(const char* base, const char* begin, const char* end, bool quoted,
                    const Out& out) const;
  // The same for a record whose fields end at `ends`, relative to `base`. REQUIRES one at least.
  void place(const char* base, std::uint32_t begin, std::span<const std::uint32_t> ends,
             bool quoted, const Out& out) const;
  // The same for all of them, of a record without quotes: for `out` there is room.
  static void place_plain(std::uint32_t begin, std::span<const std::uint32_t> ends,
                          CsvField* __restrict out) {
    const std::uint32_t* const end = ends.data();
    out[0] = CsvField{begin, end[0] - begin};
    for (std::size_t i = 1; i < ends.size(); ++i)
      out[i] = CsvField{end[i - 1] + 1, end[i] - end[i - 1] - 1};
  }

  // Writes what an escaped field stands for to `out`, which has room for its bytes; returns the
  // end.
  char* unescape(std::string_view escaped, char* out) const;
  std::string text(const char* base, const CsvField& field) const;

 private:
  std::size_t split_plain(const char* base, const char* begin, const char* end,
                          const Out& out) const;
  std::size_t split_any(const char* base, const char* begin, const char* end,
                        const Out& out) const;
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
