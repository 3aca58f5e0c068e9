// What a clock on the wall shows: microseconds since 1970-01-01 00:00:00 of some zone's own time.
//
// Threads: pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tranche::local_time {

inline constexpr std::int64_t second = 1'000'000;
inline constexpr std::int64_t day_microseconds = 86'400 * second;

constexpr std::int64_t floor_div(std::int64_t value, std::int64_t by) {
  const std::int64_t quotient = value / by;
  return quotient - (value % by < 0 ? 1 : 0);
}
constexpr std::int64_t floor_to(std::int64_t value, std::int64_t step) {
  return floor_div(value, step) * step;
}

std::string day_text(std::int64_t day);  // since 1970-01-01: "2026-01-31"
// "2026-01-31T02:00", with seconds where there are any; with how far the zone is ahead of UTC:
// "2026-01-31T02:00+01:00".
std::string local_text(std::int64_t shown, std::optional<std::int64_t> offset = std::nullopt);

}  // namespace tranche::local_time
