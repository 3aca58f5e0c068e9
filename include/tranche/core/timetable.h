// The windows of time that a job is run for, and when each is due. Which of them are done is the
// ledger's business.
//
// Windows are half-open and follow each other without a gap. Those of `every` are the calendar's
// (calendar.h), in the local time of `timezone`; those of `cron` lie between two firings. A window
// is due when it is closed: `delay` after its end, or when the local clock first shows `at` on the
// day that it ends with. A time that the clock skips is due as soon as the clock has gone on, one
// that comes twice is due the first time.
//
// Threads: immutable, thread-safe. Lifetime: value types. Times are microseconds since the epoch.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/calendar.h>

namespace tranche {

// When a job is run; what a job file says at `schedule:`.
struct ScheduleSpec {
  std::string every;                       // a period, as in "1 day"; or:
  std::string cron;                        // as in "0 2 * * 1-5"
  std::string timezone;                    // empty: UTC
  std::string from;                        // local time: "2026-01-01", "2026-01-01 06:00"
  std::optional<std::chrono::minutes> at;  // since midnight; of days and longer
  std::chrono::milliseconds delay{0};
  std::optional<std::uint64_t> catch_up;  // so many missed windows, the latest; nullopt: all
  std::uint32_t failures_max = 3;         // in a row; 0: no limit
  std::chrono::milliseconds retry_delay{std::chrono::minutes(5)};
  std::vector<std::string> on_failure;  // a program and its arguments; empty: none
};

// The window that a run is for. Runs for the same window are the same work, unless parameters were
// given by hand, which make it another variant of the job.
struct RunWindow {
  TimeWindow times;
  std::string name;     // for people: "2026-01-31"
  std::string variant;  // those parameters; empty: none
};

class Timetable {
 public:
  // Errors: config, a sentence about what is wrong with a part of it.
  static Result<Timetable> make(const ScheduleSpec& schedule);

  // REQUIRES, as the others do, an instant in the years 1 to 9990.
  TimeWindow window_of(std::int64_t instant) const;
  TimeWindow behind(const TimeWindow& window) const { return window_of(window.end); }
  TimeWindow before(const TimeWindow& window) const { return window_of(window.begin - 1); }
  // The first one that begins at `from` or later.
  const TimeWindow& first() const { return first_; }
  std::int64_t due_at(const TimeWindow& window) const;
  // The latest one that is due at `now`; nullopt: not even the first is.
  std::optional<TimeWindow> latest_due(std::int64_t now) const;

  // How a person calls it, by what it begins with: "2026-01-17", "2026-01",
  // "2026-01-17T10:00+01:00".
  std::string name_of(const TimeWindow& window) const;
  // The window that begins within what `text` says: a year, a month, a day, a local minute, or an
  // instant with its zone. Errors: usage, when none does, or several.
  Result<TimeWindow> find(std::string_view text) const;
  // The first instant of what `text` says. Errors: usage.
  Result<std::int64_t> instant_of(std::string_view text) const;

  // A bound of a window as the value of a parameter: local time for a date, a timestamp or a text,
  // the instant for a timestamptz. Errors: config, for another type.
  Result<std::string> value_text(std::int64_t instant, Type type) const;

 private:
  struct Rules;
  explicit Timetable(std::shared_ptr<const Rules> rules);
  std::int64_t local(std::int64_t instant) const;
  std::string instant_text(std::int64_t instant) const;
  Result<TimeWindow> span_of(std::string_view text) const;

  std::shared_ptr<const Rules> rules_;
  TimeWindow first_;
};

}  // namespace tranche
