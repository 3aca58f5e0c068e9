// Walks over the records of a range of a text file with a bounded window of bytes. What a record
// is, a scanner of the format says; the window, the digest and lines that are longer than any
// window are the same for all formats.
//
// Threads: a cursor belongs to one thread. Lifetime: the file outlives it; a block of records and
// what at() points to are valid until the next call of next(), except where somebody holds
// window().
// Errors: failed, when the file can't be read or is shorter than the range.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "formats/record_scan.h"
#include "formats/text_file.h"

namespace tranche {

struct TextRecord {
  std::uint64_t offset = 0;     // of its first byte in the text
  std::uint64_t bytes = 0;      // without the line end
  std::uint64_t next = 0;       // offset behind its line end
  std::uint64_t line = 0;       // lines of the range before it
  std::uint32_t lines = 0;      // line ends in it
  std::uint32_t fault_at = 0;   // of the quote or CR in question, from `offset`
  RecordFault fault = RecordFault::none;
  bool quoted = false;
};

// Finds the end of a record that no window holds, from pieces of it, behind each of which
// search_padding_bytes are readable.
class LongEnd {
 public:
  virtual ~LongEnd() = default;
  // The end, in bytes from the record's beginning on, once it can be told.
  virtual std::optional<std::uint64_t> feed(const char* begin, const char* end) = 0;
};

class RecordCursor {
 public:
  struct Use {
    std::uint64_t begin = 0;           // REQUIRES a record's beginning
    std::uint64_t end = 0;             // REQUIRES a record's beginning or the end of the text,
                                       // or TextFile::unknown_end: wherever the text ends
    std::size_t window_bytes = std::size_t{256} << 10;  // grows when a record needs it
    std::size_t block_records = 1024;
    bool keep_windows = false;         // a new window each time, since others hold the old ones
    bool keep_long_raw = false;        // fill long_raw()
    Digest* digest = nullptr;          // takes all bytes of the range, once each, in order
  };
  // What is kept of the bytes of one endless line.
  static constexpr std::size_t long_raw_bytes_max = std::size_t{64} << 20;

  RecordCursor(const RecordCursor&) = delete;
  RecordCursor& operator=(const RecordCursor&) = delete;
  virtual ~RecordCursor() = default;

  // How far pass() goes: up to the record that makes it `records_max`, or that ends `bytes_max`
  // bytes or more behind `begin`.
  struct PassLimits {
    std::uint64_t begin = 0;
    std::uint64_t bytes_max = 0;
    std::uint64_t records_max = 0;
    bool reached(std::uint64_t records, std::uint64_t end) const {
      return records >= records_max || end - begin >= bytes_max;
    }
  };
  // What it went over: how many records there were, where the last one ends, and the lines of the
  // range before that place.
  struct Passed {
    std::uint64_t records = 0;
    std::uint64_t end = 0;
    std::uint64_t lines = 0;
  };

  // The next records, all in one window; none at the end of the range. A broken record whose first
  // line is longer than the window comes alone in its block, and its bytes are in long_raw().
  virtual Result<std::span<const TextRecord>> next() = 0;
  // For those who only cut: goes over the same records without telling them one by one. It stops at
  // a limit, or earlier, and has gone over none at the end of the range. REQUIRES records_max > 0,
  // and that next() is never called of the same cursor.
  virtual Result<Passed> pass(const PassLimits& limits);

  // The byte at `offset` of the text. REQUIRES an offset inside the window; search_padding_bytes
  // before and behind the window may be read.
  const char* at(std::uint64_t offset) const { return window_.get() + (offset - window_begin_); }
  std::uint64_t window_begin() const { return window_begin_; }
  std::uint64_t window_end() const { return window_begin_ + window_length_; }
  const std::shared_ptr<char[]>& window() const { return window_; }
  bool block_is_long() const { return block_is_long_; }
  const std::string& long_raw() const { return long_raw_; }

 protected:
  // `return_ends_lines`: a CR that no LF follows ends a line too.
  RecordCursor(const TextFile& file, std::string name, const Use& use, bool return_ends_lines);
  // next() by means of the format's scanner, with at most `records_max` records.
  template <class Scanner>
  Result<std::span<const TextRecord>> walk(Scanner& scanner, std::size_t records_max);
  // Fills the first window, so that not even its first record is for the scanner.
  template <class Scanner>
  Result<void> open_window(const Scanner& scanner) {
    if (window_ != nullptr || use_.begin == use_.end) return {};
    return fill(position_, scanner.window_bytes_min());
  }
  // Where the endless record ends that the scanner has just found. nullptr: with its line.
  virtual std::unique_ptr<LongEnd> long_end() const { return nullptr; }

  // For formats that find many records at once: the block in work, and where the next record is
  // looked for, with the lines before that place.
  const Use& use() const { return use_; }
  std::vector<TextRecord>& begin_block() {
    block_.clear();
    block_is_long_ = false;
    return block_;
  }
  bool has_passed_block() const { return passed_ == block_.size(); }
  std::uint64_t position() const { return position_; }
  std::uint64_t line() const { return line_; }
  void go_on_at(std::uint64_t position, std::uint64_t line) {
    position_ = position;
    line_ = line;
  }

 private:
  Result<void> fill(std::uint64_t begin, std::size_t window_bytes_min);
  Result<void> read_long_line(const RecordSpan& span, bool is_record);
  Result<void> read_long_record(const RecordSpan& span, LongEnd& end);
  // REQUIRES few bytes: they are read at once.
  Result<std::uint32_t> count_line_ends(std::uint64_t begin, std::uint64_t end);
  Result<void> pass_line_end(char found, std::uint64_t at, TextRecord& record);
  Result<std::size_t> read(char* buffer, std::size_t bytes, std::uint64_t offset);
  void add(const RecordSpan& span);

  const TextFile& file_;
  std::string name_;
  Use use_;
  bool return_ends_lines_;
  std::shared_ptr<char[]> window_;
  std::size_t window_capacity_ = 0;
  std::size_t window_length_ = 0;
  std::uint64_t window_begin_ = 0;
  std::uint64_t position_ = 0;   // where the search goes on
  std::uint64_t digested_ = 0;   // up to where the digest has come
  std::uint64_t line_ = 0;       // lines before position_
  std::vector<TextRecord> block_;
  std::size_t passed_ = 0;       // records of the block that pass() has gone over
  bool block_is_long_ = false;
  std::string long_raw_;
};

// The offset behind a byte order mark, where the text of a file begins. Errors: config, when it is
// no text but UTF-16 or compressed, naming the option that reads it.
Result<std::uint64_t> find_text_begin(const TextFile& file, const std::string& name);

template <class Scanner>
Result<std::span<const TextRecord>> RecordCursor::walk(Scanner& scanner, std::size_t records_max) {
  begin_block();
  RecordSpan span;
  while (true) {
    const bool final = window_end() == use_.end;
    if (window_ == nullptr) {
      if (use_.begin == use_.end) break;
      TRANCHE_TRY(fill(position_, scanner.window_bytes_min()));
      continue;
    }
    const auto step = scanner.next(at(position_), at(window_end()), final, span);
    if (step == ScanStep::record) {
      add(span);
      if (block_.size() == records_max) break;
      continue;
    }
    if (step == ScanStep::end || !block_.empty()) break;  // the rest is for the next call
    position_ = window_begin_ + static_cast<std::uint64_t>(span.begin - window_.get());
    line_ += span.lines_before;
    span.lines_before = 0;
    if (step == ScanStep::more) {
      TRANCHE_TRY(fill(position_, scanner.window_bytes_min()));
      continue;
    }
    const bool is_record = step == ScanStep::endless;
    TRANCHE_TRY(read_long_line(span, is_record));
    TRANCHE_TRY(fill(position_, scanner.window_bytes_min()));
    if (is_record) break;
  }
  return std::span<const TextRecord>(block_);
}

inline void RecordCursor::add(const RecordSpan& span) {
  TextRecord record;
  const auto offset_of = [&](const char* p) {
    return window_begin_ + static_cast<std::uint64_t>(p - window_.get());
  };
  record.offset = offset_of(span.begin);
  record.bytes = static_cast<std::uint64_t>(span.end - span.begin);
  record.next = position_ = offset_of(span.next);
  record.line = line_ + span.lines_before;
  record.lines = span.lines;
  record.fault = span.fault;
  record.quoted = span.quoted;
  if (span.fault_at != nullptr) {
    record.fault_at = static_cast<std::uint32_t>(span.fault_at - span.begin);
  }
  line_ = record.line + span.lines;
  block_.push_back(record);
}

}  // namespace tranche
