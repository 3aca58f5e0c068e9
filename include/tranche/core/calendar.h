// Cuts time into windows of a calendar: "1 day", "15 minutes", "1 month".
//
// Windows are half-open and follow each other without a gap; every instant lies in exactly one.
// What they are counted from never changes, so that the same period makes the same windows for
// ever:
//   days     from 1970-01-01, from local midnight to local midnight
//   weeks    from Monday, 1970-01-05
//   months   from January 1970; years from 1970
//   hours, minutes, seconds   begin anew at each local midnight; the last window of a day ends with
//            it, so those of 7 hours are 7, 7, 7 and 3 hours long
// A date and a timestamp are local time by themselves. For a timestamptz local time is that of a
// zone, and its days have 23 or 25 hours where clocks are changed:
//   - A midnight that does not exist is the first instant behind it. A day that does not exist has
//     no window.
//   - Hours and shorter ones are cut where the local clock shows a multiple of the period. Where
//     the clock is put forward over one, there is a cut. Where it is put back, it shows one twice,
//     and the second time counts only if the window has lasted for its period: an hour that comes
//     twice is two windows of an hour, but 6 hours stay one window, of 7 hours.
// What lies before the year 1 is one window, and what lies behind the year 9999 is another.
//
// Threads: immutable, thread-safe. Lifetime: value types.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <tranche/core/type.h>

namespace tranche {

struct Period {
  enum class Unit : std::uint8_t { second, minute, hour, day, week, month, year };
  std::int64_t count = 1;  // greater than 0
  Unit unit = Unit::day;
  bool operator==(const Period&) const = default;
};

// "1 day", "15 minutes", "2weeks"; a unit alone is one of it. Seconds, minutes and hours are a day
// at most. Errors: config, says what was expected.
Result<Period> parse_period(std::string_view text);
std::string to_string(const Period& period);  // "15 minutes"

// Errors: config, when the system has no such zone; empty is UTC.
Result<void> check_timezone(std::string_view name);

// Half-open, in microseconds since 1970-01-01 00:00:00, in the time that the calendar's values
// have: that of UTC for a timestamptz.
struct TimeWindow {
  std::int64_t begin = INT64_MIN;
  std::int64_t end = INT64_MAX;  // INT64_MAX itself, infinity, lies in it
  bool contains(std::int64_t microseconds) const {
    return microseconds >= begin && (microseconds < end || end == INT64_MAX);
  }
  bool operator==(const TimeWindow&) const = default;
};

class TimeZone;

class Calendar {
 public:
  // `type`: of the column whose values are cut; `timezone`: whose calendar cuts a timestamptz,
  // empty: UTC; it does not matter to the others. Errors: config, when the type is none of date,
  // timestamp and timestamptz, when a date is to be cut into hours, when there is no such zone.
  static Result<Calendar> make(const Period& period, Type type, std::string_view timezone = {});

  TimeWindow window_of(std::int64_t microseconds) const;
  // REQUIRES a window of this calendar that does not end with time.
  TimeWindow behind(const TimeWindow& window) const { return window_of(window.end); }

  // "2026-01-17", "2026-01", "2026-01-17T10:00 to 2026-01-17T11:00", in local time; with the zone's
  // offset where it has one: "2026-10-25T02:00+02:00 to 2026-10-25T02:00+01:00".
  std::string describe(const TimeWindow& window) const;

  const Period& period() const { return period_; }
  // The value of a column as the microseconds that the methods take: a date's midnight.
  static std::int64_t microseconds_of_date(std::int32_t days);

 private:
  Calendar(const Period& period, std::shared_ptr<const TimeZone> zone);
  std::int64_t period_begin(std::int64_t day) const;
  std::int64_t period_end(std::int64_t begin_day) const;
  std::int64_t first_instant(std::int64_t day) const;
  std::int64_t local(std::int64_t microseconds) const;
  TimeWindow window_of_days(std::int64_t microseconds, std::int64_t begin_day) const;
  TimeWindow window_of_hours(std::int64_t microseconds, const TimeWindow& day) const;
  std::string instant_text(std::int64_t microseconds) const;

  Period period_;
  std::int64_t step_ = 0;  // of hours and shorter: their microseconds
  TimeWindow years_;       // 1 to 9999
  std::shared_ptr<const TimeZone> zone_;  // nullptr: the values are local time, or UTC
};

}  // namespace tranche
