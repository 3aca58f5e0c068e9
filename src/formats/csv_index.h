// Finds the structure of well-formed CSV 64 bytes at a time: where its fields and records end.
//
// A bit for each byte says whether it is a quote, a delimiter or a line end; the prefix xor of the
// quotes says which bytes stand inside quotes (Langdale and Lemire, "Parsing Gigabytes of JSON per
// Second", https://arxiv.org/abs/1902.08318). That is right only where every quote opens behind a
// delimiter or a line end and closes before one, so this is checked for each of them; at the first
// one that breaks the rule the search ends, and what it found before stands. Records around that
// place are for the scanner (csv_scanner.h), which is slower and knows every rule. So are those
// around a CR that may not stand where it does.
//
// Threads: an index belongs to one thread. Lifetime: positions are relative to the bytes given.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/simd.h"
#include "formats/csv_dialect.h"

namespace tranche {

class CsvIndex {
 public:
  struct Row {
    std::uint32_t ends = 0;  // how many of ends() lie before the next row
    bool quoted = false;     // it has a quote
  };

  // `with_fields`: ends() holds the ends of fields too, not those of records alone.
  CsvIndex(const CsvDialect& dialect, bool with_fields);

  // Whether files of this dialect have the simple form that bits can tell: quotes that are doubled,
  // a delimiter of one character, no comments, no blanks to trim.
  static bool suits(const CsvDialect& dialect);

  // Searches the bytes [begin, end) behind `base`. REQUIRES a record's beginning at `begin`, and
  // search_padding_bytes readable behind `end`. `final`: nothing follows `end`, so that a last
  // record without a line end ends there. False: a quote or a CR broke the rules, somewhere behind
  // the last of rows(). A row that ends with a CR is one only where CR ends lines or an LF follows;
  // whether one does is not always known here.
  bool search(const char* base, std::uint32_t begin, std::uint32_t end, bool final);

  // Whole records that follow each other.
  struct Count {
    std::uint64_t records = 0;
    std::uint64_t lines = 0;  // line ends in them
    std::uint64_t end = 0;    // behind the line end of the last one
  };
  struct CountLimits {
    std::uint64_t records_max = 0;  // 1 or more
    std::uint64_t end_wanted = 0;   // a record that ends there or behind it is the last one
    std::uint64_t record_bytes_max = 0;
  };
  // For those who only cut: goes over the records that search() would find, without telling where
  // they are. It ends at a limit, or earlier, at what needs a closer look: broken quotes, carriage
  // returns, empty lines, records that may be too long, the last 64 bytes. REQUIRES what search()
  // requires.
  Count count(const char* base, std::uint32_t begin, std::uint32_t end,
              const CountLimits& limits) const;

  // Of the last search, in order: where fields and records end (at the delimiter, at the first byte
  // of the line end, or at `end`), the rows, and the line ends inside quotes.
  std::span<const std::uint32_t> ends() const { return {ends_.get(), end_count_}; }
  std::span<const Row> rows() const { return rows_; }
  std::span<const std::uint32_t> quoted_line_ends() const { return quoted_line_ends_; }
  // Whether a carriage return was among them.
  bool has_returns() const { return has_returns_; }

 private:
  // The bits of 64 bytes.
  struct Block {
    std::uint64_t line_feeds = 0;
    std::uint64_t returns = 0;
    std::uint64_t delimiters = 0;
    std::uint64_t quotes = 0;
    std::uint64_t quotes_to_here = 0;  // the prefix xor of the quotes
  };
  // What one block tells the next; all bits or none where 64-bit, else 1 or 0.
  struct Carry {
    std::uint64_t in_quotes = 0;
    std::uint64_t may_open = 1;  // a quote here opens a field, or doubles the one before it
    std::uint64_t closed = 0;    // the last byte was a quote that closes
    std::uint64_t was_return = 0;
    bool quote_seen = false;  // in the row in work
  };
  // The last block in which records end.
  struct LastEnds {
    std::uint64_t position = 0;
    std::uint64_t record_ends = 0;
    std::uint64_t line_feeds = 0;
    std::uint64_t lines_before = 0;
    std::uint64_t end() const {
      return position + static_cast<unsigned>(std::bit_width(record_ends));
    }
  };
  // What one block tells the next when records are only counted.
  struct CountCarry : Carry {
    std::uint64_t after_end = 1;  // the last byte ended a record
    std::uint64_t records = 0;
    std::uint64_t lines = 0;
    LastEnds last;
    Count counted() const;
  };
  static bool follow_quotes(const Block& block, std::uint64_t around, Carry& carry,
                            std::uint64_t& in_quotes);
  bool follow_returns(const Block& block, Carry& carry, std::uint64_t& line_ends);
  static bool count_block(const Block& block, std::uint64_t position, CountCarry& carry);
  static std::uint64_t blocks_within(const CountLimits& limits, const CountCarry& carry,
                                     std::uint64_t at);
  static Count cut(const LastEnds& ends, std::uint64_t records_before, const CountLimits& limits);
  // What was found in 64 bytes.
  struct Found {
    std::uint64_t separators = 0;  // what ends() is to hold
    std::uint64_t record_ends = 0;
    std::uint64_t quotes = 0;
  };
  template <bool with_fields>
  bool find(const Block& block, std::uint32_t position, Carry& carry, Found& found);
  void take_rows(const Found& found, Carry& carry);
  template <bool with_fields>
  bool add_last(Block block, std::uint32_t position, std::size_t length, Carry& carry);
  // A look finds the bits of 64 bytes with one level of instructions.
  class PortableLook;
  template <class Look>
  static Count count_by(const Look& look, const char* base, std::uint32_t begin, std::uint32_t end,
                        const CountLimits& limits);
  template <bool with_fields, class Look>
  bool search_by(const Look& look, const char* p, const char* end, std::uint32_t position,
                 Carry& carry);
#if defined(TRANCHE_TARGET_AVX2)
  class Avx2Look;
  class Avx512Look;
  TRANCHE_TARGET_AVX2 Count count_avx2(const char* base, std::uint32_t begin, std::uint32_t end,
                                       const CountLimits& limits) const;
  TRANCHE_TARGET_AVX512 Count count_avx512(const char* base, std::uint32_t begin, std::uint32_t end,
                                           const CountLimits& limits) const;
  template <bool with_fields>
  TRANCHE_TARGET_AVX2 bool search_avx2(const char* p, const char* end, std::uint32_t position,
                                       Carry& carry);
  template <bool with_fields>
  TRANCHE_TARGET_AVX512 bool search_avx512(const char* p, const char* end, std::uint32_t position,
                                           Carry& carry);
#endif
  template <bool with_fields>
  bool search_from(const char* p, const char* end, std::uint32_t position, Carry& carry);
  void reserve(std::size_t bytes);

  char delimiter_;
  char quote_;  // a line feed when there is none
  bool has_quote_;
  bool return_ends_lines_;
  bool with_fields_;
  bool final_ = false;
  bool has_returns_ = false;
  std::unique_ptr<std::uint32_t[]> ends_;
  std::size_t ends_capacity_ = 0;
  std::size_t end_count_ = 0;
  std::vector<Row> rows_;
  std::vector<std::uint32_t> quoted_line_ends_;
};

}  // namespace tranche
