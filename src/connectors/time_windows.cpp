#include "connectors/time_windows.h"

#include <charconv>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {

Result<TimeWindows> find_time_windows(const Schema& schema, const WindowDivision& division) {
  const auto column = schema.find(division.column);
  if (!column) {
    const auto meant = nearest(division.column, schema.names());
    return make_error(ErrorKind::config,
                      fmt::format("`batch: {{ on: {} }}` names no column of the input{}",
                                  division.column,
                                  meant ? fmt::format("; did you mean \"{}\"?", *meant) : "."));
  }
  TRANCHE_ASSIGN(const Period period, parse_period(division.every));
  const Type type = schema.fields[*column].type;
  auto calendar = Calendar::make(period, type, division.timezone);
  if (!calendar) {
    return make_error(ErrorKind::config,
                      fmt::format("`batch: {{ on: {} }}` can't divide by that column: {}.{}",
                                  division.column, calendar.error().message,
                                  type.id == TypeId::varchar
                                      ? " Declare its type in `columns:` where the guess is wrong."
                                      : ""));
  }
  return TimeWindows{*column, schema.fields[*column].name, *std::move(calendar),
                     division.rejects_late};
}

std::string window_range(const TimeWindow& window) {
  return fmt::format("{} {}", window.begin, window.end);
}

std::optional<TimeWindow> window_of_range(std::string_view range) {
  TimeWindow window;
  const char* const end = range.data() + range.size();
  const auto begin = std::from_chars(range.data(), end, window.begin);
  if (begin.ec != std::errc() || begin.ptr == end) return std::nullopt;
  const auto rest = std::from_chars(begin.ptr + 1, end, window.end);
  return rest.ec == std::errc() ? std::optional(window) : std::nullopt;
}

}  // namespace tranche
