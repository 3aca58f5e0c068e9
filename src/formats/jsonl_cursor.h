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

class JsonlCursor final : public RecordCursor {
 public:
  JsonlCursor(const TextFile& file, std::string name, std::uint64_t max_record_bytes,
              const Use& use)
      : RecordCursor(file, std::move(name), use, false), scanner_(max_record_bytes) {}
  Result<std::span<const TextRecord>> next() override {
    return walk(scanner_, use().block_records);
  }

 private:
  JsonlScanner scanner_;
};

}  // namespace tranche
