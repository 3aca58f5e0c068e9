// Windows of time over text files: what `batch: { every: 1 day, on: sold_at }` does to them.
//
// The files in their order are one time line. A window begins with the first record whose time lies
// behind the one before it, and holds what follows up to the next such record: records whose time
// is null or can't be read, and late ones, of an earlier window, among them. Where a late record is
// to be a reject, its reader finds it by the window that the slice carries.
//
// Threads: a TimeLine belongs to one thread. Lifetime: the source outlives it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include <tranche/core/source.h>

#include "connectors/time_windows.h"
#include "formats/record_cursor.h"

namespace tranche {

class TextSource;

// Reads ahead of whoever cuts, and tells how many records are left in the present window.
class TimeLine {
 public:
  // Goes on behind `after`; nullptr: from the beginning.
  TimeLine(const TextSource& source, const TimeWindows& windows, const Slice* after);

  // The next records that lie in one window; none at the end of the input. REQUIRES that all those
  // before them were taken.
  struct Stretch {
    std::uint64_t records = 0;
    bool begins_window = false;  // the first of them ends the window before
  };
  Result<Stretch> ahead(std::size_t input);
  void take(std::uint64_t records);
  // Whether what comes next, in this input or a later one, begins a window.
  Result<bool> is_at_window_end(std::size_t input);
  // The window of the records that were taken last, for Slice.range.
  std::string range() const;

 private:
  struct Part {
    std::uint64_t records = 0;
    bool begins_window = false;
    std::optional<TimeWindow> window;  // none: no time was seen yet
  };
  Result<void> open(std::size_t input);
  Result<void> read_on();
  void add(std::uint64_t records, bool begins_window);
  Result<void> add_times(Reader& times, std::uint64_t records);

  const TextSource& source_;
  const TimeWindows& windows_;
  std::optional<Slice> resumed_;
  std::size_t input_ = 0;
  TextFile file_;
  std::unique_ptr<RecordCursor> cursor_;  // finds where what is read at once begins and ends
  std::uint64_t position_ = 0;            // of the cursor
  bool ended_ = false;                    // the input
  std::deque<Part> parts_;                // read, not taken
  std::optional<TimeWindow> window_;      // of the last record that was read
  std::optional<TimeWindow> taken_;       // of the last that was taken
};

// A reader of the slice that makes late records of it rejects.
std::unique_ptr<Reader> reject_late_records(std::unique_ptr<Reader> reader,
                                            const TimeWindows& windows, const Slice& slice);

}  // namespace tranche
