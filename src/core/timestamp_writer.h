// Many timestamps -> text. What a day is called takes longer to find out than the rest of a
// timestamp, and a file has few days for its many rows: so some of those written last are kept.
//
// Threads: belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

namespace tranche {

class TimestampWriter {
 public:
  // As write_timestamp of core/value.h. REQUIRES value_text_bytes_max bytes of room.
  char* write(char* out, std::int64_t microseconds);

 private:
  struct Day {
    std::int64_t number = std::numeric_limits<std::int64_t>::min();  // no timestamp's day
    char text[16] = {};  // 2026-01-31T
  };
  std::array<Day, 64> days_;  // each in the place of its number's last bits
};

}  // namespace tranche
