// Walks over the records of a range of a file with a bounded window of bytes.
//
// Threads: a cursor belongs to one thread. Lifetime: the file outlives it; a block of records and
// what at() points to are valid until the next call of next(), except where somebody holds
// window().
// Errors: failed, when the file can't be read or is shorter than the range.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/file.h"
#include "formats/csv_scanner.h"

namespace tranche {

struct CsvRecord {
  std::uint64_t offset = 0;     // of its first byte in the file
  std::uint64_t bytes = 0;      // without the line end
  std::uint64_t next = 0;       // offset behind its line end
  std::uint64_t line = 0;       // lines of the range before it
  std::uint32_t lines = 0;      // line ends in it
  std::uint32_t fault_at = 0;   // of the quote in question, from `offset`
  CsvFault fault = CsvFault::none;
  bool quoted = false;
};

class CsvCursor {
 public:
  struct Use {
    std::uint64_t begin = 0;           // REQUIRES a record's beginning
    std::uint64_t end = 0;             // REQUIRES a record's beginning or the end of the file
    std::size_t window_bytes = std::size_t{256} << 10;  // grows when a record needs it
    std::size_t block_records = 1024;
    bool keep_windows = false;         // a new window each time, since others hold the old ones
    bool keep_long_raw = false;        // fill long_raw()
    Digest* digest = nullptr;          // takes all bytes of the range, once each, in order
  };
  // What is kept of the bytes of one endless line.
  static constexpr std::size_t long_raw_bytes_max = std::size_t{64} << 20;

  CsvCursor(const File& file, std::string name, const CsvDialect& dialect,
            bool empty_line_is_record, const Use& use);

  // The next records, all in one window; none at the end of the range. A broken record whose first
  // line is longer than the window comes alone in its block, and its bytes are in long_raw().
  Result<std::span<const CsvRecord>> next();

  // The byte at `offset` of the file. REQUIRES an offset inside the window.
  const char* at(std::uint64_t offset) const { return window_.get() + (offset - window_begin_); }
  std::uint64_t window_begin() const { return window_begin_; }
  std::uint64_t window_end() const { return window_begin_ + window_length_; }
  const std::shared_ptr<char[]>& window() const { return window_; }
  bool block_is_long() const { return block_is_long_; }
  const std::string& long_raw() const { return long_raw_; }

 private:
  Result<void> fill(std::uint64_t begin);
  Result<void> read_long_line(const CsvSpan& span, bool is_record);
  Result<std::size_t> read(char* buffer, std::size_t bytes, std::uint64_t offset) const;
  void add(const CsvSpan& span);

  const File& file_;
  std::string name_;
  CsvScanner scanner_;
  Use use_;
  std::shared_ptr<char[]> window_;
  std::size_t window_capacity_ = 0;
  std::size_t window_length_ = 0;
  std::uint64_t window_begin_ = 0;
  std::uint64_t position_ = 0;   // where the search goes on
  std::uint64_t digested_ = 0;   // up to where the digest has come
  std::uint64_t line_ = 0;       // lines before position_
  std::vector<CsvRecord> block_;
  bool block_is_long_ = false;
  std::string long_raw_;
};

}  // namespace tranche
