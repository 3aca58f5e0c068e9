#include "connectors/time_windows.h"

#include <charconv>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/text.h"

namespace tranche {

Result<TimeWindows> find_time_windows(const Schema& schema, const WindowDivision& division) {
  const auto column = schema.find(division.column);
  if (!column) {
    const auto meant = nearest(division.column, schema.names());
    return make_error(
        ErrorKind::config,
        fmt::format("`batch: {{ on: {} }}` names no column of the input{}", division.column,
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

namespace {

constexpr std::int64_t microseconds_of_day = 86'400'000'000;

}  // namespace

std::int64_t time_of_text(const std::string& text, Type type) {
  std::int64_t microseconds = 0;
  ParseStatus status = ParseStatus::malformed;
  if (type.id == TypeId::date) {
    std::int32_t days = 0;
    status = parse_date(text, days);
    microseconds = Calendar::microseconds_of_date(days);
  } else if (type.id == TypeId::timestamp) {
    status = parse_timestamp(text, microseconds);
  } else {
    status = parse_timestamptz(text, microseconds);
  }
  if (status == ParseStatus::ok) return microseconds;
  const bool is_early = text.starts_with('-') || text.ends_with("BC") || text.ends_with("(BC)");
  return is_early ? INT64_MIN : INT64_MAX;
}

std::function<Result<std::string>(const std::string& key)> window_end_of(const TimeWindows& windows,
                                                                         Type type) {
  return [calendar = windows.calendar, type](const std::string& key) -> Result<std::string> {
    const TimeWindow window = calendar.window_of(time_of_text(key, type));
    if (window.end == INT64_MAX) return std::string();
    std::string text;
    if (type.id == TypeId::date) {
      const auto days = static_cast<std::int32_t>(window.end / microseconds_of_day);
      append_value_text(text, type, &days);
    } else {
      append_value_text(text, type, &window.end);
    }
    return text;
  };
}

}  // namespace tranche
