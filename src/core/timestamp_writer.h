// Many timestamps -> text. What a day is called takes longer to find out than the rest of a
// timestamp, and a file has few days for its many rows: so some of those written last are kept.
//
// Threads: belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <limits>

#include <tranche/core/value.h>

#include "core/digits.h"

namespace tranche {

class TimestampWriter {
 public:
  // As write_timestamp of core/value.h. REQUIRES value_text_bytes_max bytes of room.
  char* write(char* out, std::int64_t microseconds) {
    constexpr std::int64_t microseconds_per_day = 86'400'000'000;
    std::int64_t number = microseconds / microseconds_per_day;
    std::int64_t of_day = microseconds - number * microseconds_per_day;
    if (of_day < 0) --number, of_day += microseconds_per_day;
    const Day* day = &days_[static_cast<std::uint64_t>(number) % days_count];
    if (day->number != number) [[unlikely]] {
      day = name_day(number);
      if (day == nullptr) return write_timestamp(out, microseconds);
    }
    std::memcpy(out, day->text, sizeof day->text);
    return put_time(out + day_bytes, of_day);
  }

 private:
  static constexpr std::size_t days_count = 64;
  static constexpr unsigned day_bytes = 11;  // of one with four digits of year, and the T behind it
  struct Day {
    std::int64_t number = std::numeric_limits<std::int64_t>::min();  // no timestamp's day
    char text[16] = {};                                              // 2026-01-31T
  };
  // Keeps the day; nothing for one whose name is longer.
  const Day* name_day(std::int64_t number);

  std::array<Day, days_count> days_;  // each in the place of its number's last bits
};

}  // namespace tranche
