// What sources that cut by time have alike: the column that tells when and its calendar, and the
// window that a slice carries in its `range`.
//
// Threads: value types and pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <tranche/core/calendar.h>
#include <tranche/core/page.h>
#include <tranche/core/plan.h>

namespace tranche {

struct TimeWindows {
  std::size_t column = 0;  // of the schema
  std::string column_name;
  Calendar calendar;
  bool rejects_late = false;
};

// Errors: config, when the division's window can't be had of this schema.
Result<TimeWindows> find_time_windows(const Schema& schema, const WindowDivision& division);

// "begin end", in microseconds; what follows behind a blank or a line end is the source's.
std::string window_range(const TimeWindow& window);
std::optional<TimeWindow> window_of_range(std::string_view range);

// Microseconds of a value as text. What is no time of the years 1 to 9999 as databases write it
// (44 BC, infinity) lies before or behind them, and there windows have no end that matters.
std::int64_t time_of_text(const std::string& text, Type type);

// For tables, whose keys are texts: where the window of a key ends, exclusive, as a text that the
// database takes for a value of the column; empty: with time.
std::function<Result<std::string>(const std::string& key)> window_end_of(const TimeWindows& windows,
                                                                         Type type);

// Microseconds of a row of a date, timestamp or timestamptz column. REQUIRES that it is not null.
inline std::int64_t time_of(const Column& column, std::size_t row) {
  if (column.type().id == TypeId::date)
    return Calendar::microseconds_of_date(column.values<std::int32_t>()[row]);
  return column.values<std::int64_t>()[row];
}

}  // namespace tranche
