// Where the records of JSON Lines end: one line is one record, whatever it holds.
//
// A line ends with LF or CRLF; a CR elsewhere is a blank of JSON. Lines of blanks are no records. A
// line that is longer than max_record_bytes is a broken record, even when it is all blanks. Planner
// and reader both use this scanner, so that they count alike, in windows of any size.
//
// Threads: a scanner is immutable, a cursor belongs to one thread. Lifetime and errors: those of
// record_cursor.h.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "formats/record_cursor.h"

namespace tranche {

class JsonlScanner {
 public:
  explicit JsonlScanner(std::uint64_t max_record_bytes)
      : limit_bytes_(static_cast<std::size_t>(max_record_bytes)) {}

  // The record that begins at `p` or behind the blank lines there. `final`: nothing follows `end`.
  // With window_bytes_min() bytes from span.begin on, `more` is not answered twice for one record.
  ScanStep next(const char* p, const char* end, bool final, RecordSpan& span) const;
  std::size_t window_bytes_min() const { return limit_bytes_ + 64; }

 private:
  std::size_t limit_bytes_;
};

// Finds line feeds many at a time; what is no plain line goes to the scanner. Both find the same
// records.
class JsonlCursor final : public RecordCursor {
 public:
  JsonlCursor(const TextFile& file, std::string name, std::uint64_t max_record_bytes,
              const Use& use);
  Result<std::span<const TextRecord>> next() override;
  Result<Passed> pass(const PassLimits& limits) override;

 private:
  // A record between line feeds, relative to the window; the CR of a CRLF is not in it.
  struct Line {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t next = 0;
    std::uint64_t line = 0;  // lines of the range before it
  };
  bool search();
  void find_feeds(std::uint32_t begin, std::uint32_t end);
  template <class Visit>
  bool for_each_line(Visit visit);

  JsonlScanner scanner_;
  const std::uint64_t max_record_bytes_;
  // Of the last search, relative to the window; those from feed_ on have not been taken.
  std::unique_ptr<std::uint32_t[]> feeds_;
  std::size_t feed_count_ = 0;
  std::size_t feed_ = 0;
};

}  // namespace tranche
