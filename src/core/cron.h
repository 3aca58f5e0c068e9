// Cron expressions: "0 2 * * 1-5" and the local minutes that they fire at.
//
// Five fields: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday). Each is
// "*", a number, a range, a list of those, with a step behind a slash; months and days of the week
// have names too. Where both days are restricted, either will do. "@hourly", "@daily", "@weekly",
// "@monthly" and "@yearly" stand for what they say.
//
// Where clocks are changed, an expression that names its hours keeps them: one that the clock skips
// fires as soon as the clock has gone on, one that comes twice fires the first time. One that
// leaves the hours open ("*", "*/2") fires whenever the clock shows its time.
//
// Threads: immutable, thread-safe. Lifetime: a value type.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <tranche/base/result.h>

#include "base/time_zone.h"

namespace tranche {

class CronExpression {
 public:
  // Errors: config, when it can't be read, or never fires.
  static Result<CronExpression> parse(std::string_view text);

  // Microseconds since the epoch. The first firing behind an instant, the last one up to it.
  // REQUIRES an instant in the years 1 to 9990.
  std::int64_t next_behind(std::int64_t instant, const TimeZone& zone) const;
  std::int64_t last_until(std::int64_t instant, const TimeZone& zone) const;

 private:
  CronExpression() = default;
  bool fires_on(std::int64_t day) const;
  // All of a local day, in order; one may be the first instant of the day behind it.
  std::vector<std::int64_t> firings_of(std::int64_t day, const TimeZone& zone) const;

  std::vector<std::int64_t> times_;  // of day, in seconds
  std::uint64_t days_ = 0;           // bits
  std::uint64_t months_ = 0;
  std::uint64_t week_days_ = 0;  // 0: Sunday
  bool hours_are_open_ = false;
  bool days_are_open_ = false;
  bool week_days_are_open_ = false;
};

}  // namespace tranche
