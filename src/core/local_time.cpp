#include "core/local_time.h"

#include <fmt/format.h>

#include <tranche/core/value.h>

namespace tranche::local_time {

std::string day_text(std::int64_t day) {
  const CivilDay civil = civil_from_days(day);
  return fmt::format("{:04}-{:02}-{:02}", civil.year, civil.month, civil.day);
}

std::string local_text(std::int64_t shown, std::optional<std::int64_t> offset) {
  const std::int64_t of_day = shown - floor_to(shown, day_microseconds);
  std::string text = day_text(floor_div(shown, day_microseconds));
  text += fmt::format("T{:02}:{:02}", of_day / (3600 * second), of_day / (60 * second) % 60);
  if (of_day % (60 * second) != 0) text += fmt::format(":{:02}", of_day / second % 60);
  if (!offset) return text;
  const std::int64_t minutes = (*offset < 0 ? -*offset : *offset) / (60 * second);
  return text + fmt::format("{}{:02}:{:02}", *offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

}  // namespace tranche::local_time
