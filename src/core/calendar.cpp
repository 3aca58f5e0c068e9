#include <tranche/core/calendar.h>

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include <tranche/core/value.h>
#include "base/text.h"
#include "base/time_zone.h"
#include "core/local_time.h"
#include "core/option_value.h"

namespace tranche {

using namespace local_time;  // NOLINT: of this file only

namespace {

using Unit = Period::Unit;

constexpr std::int64_t first_monday = 4;  // 1970-01-05
constexpr std::int64_t count_max = 10'000;

constexpr std::array<std::pair<std::string_view, std::int64_t>, 7> units{{
    {"second", second}, {"minute", 60 * second}, {"hour", 3600 * second},
    {"day", 0}, {"week", 0}, {"month", 0}, {"year", 0},
}};

bool is_below_day(Unit unit) { return unit < Unit::day; }

std::int64_t ceil_to(std::int64_t value, std::int64_t step) {
  return -floor_to(-value, step);
}

Error bad_period(std::string_view text) {
  return make_error(ErrorKind::config,
                    fmt::format("\"{}\" is no period; expected a number and second, minute, hour, "
                                "day, week, month or year, as in \"1 day\" or \"15 minutes\"",
                                excerpt(text, 40)));
}

std::int64_t month_number(std::int64_t day) {
  const CivilDay civil = civil_from_days(day);
  return (civil.year - 1970) * 12 + civil.month - 1;
}
std::int64_t day_of_month_number(std::int64_t month) {
  CivilDay civil;
  civil.year = 1970 + floor_div(month, 12);
  civil.month = static_cast<unsigned>(month - floor_to(month, 12)) + 1;
  return days_from_civil(civil);
}

}  // namespace

Result<Period> parse_period(std::string_view text) {
  const std::string_view whole = trim(text);
  const std::size_t digits = std::min(whole.find_first_not_of("0123456789"), whole.size());
  Period period;
  if (digits > 0) {
    const auto count = option_value::parse_count(whole.substr(0, digits));
    if (!count || *count == 0 || *count > static_cast<std::uint64_t>(day_microseconds / second)) {
      return bad_period(text);
    }
    period.count = static_cast<std::int64_t>(*count);
  }
  const std::string name = to_lower(trim(whole.substr(digits)));
  const auto unit = std::find_if(units.begin(), units.end(), [&](const auto& one) {
    return name == one.first || (name.size() == one.first.size() + 1 && name.back() == 's' &&
                                 name.starts_with(one.first));
  });
  if (unit == units.end()) return bad_period(text);
  period.unit = static_cast<Unit>(unit - units.begin());
  const bool is_too_long = is_below_day(period.unit)
                               ? period.count * unit->second > day_microseconds
                               : period.count > count_max;
  if (!is_too_long) return period;
  if (!is_below_day(period.unit)) return bad_period(text);
  return make_error(ErrorKind::config,
                    fmt::format("\"{}\" is longer than a day; {}s begin anew at midnight, so say "
                                "days", excerpt(text, 40), unit->first));
}

std::string to_string(const Period& period) {
  return fmt::format("{} {}{}", period.count, units[static_cast<std::size_t>(period.unit)].first,
                     period.count == 1 ? "" : "s");
}

Result<void> check_timezone(std::string_view name) {
  const auto found = TimeZone::find(name);
  return found ? Result<void>() : Result<void>(found.error());
}

Calendar::Calendar(const Period& period, std::shared_ptr<const TimeZone> zone)
    : period_(period), zone_(std::move(zone)) {
  step_ = period.count * units[static_cast<std::size_t>(period.unit)].second;
  years_.begin = first_instant(period_begin(days_from_civil({1, 1, 1})));
  years_.end = first_instant(days_from_civil({10'000, 1, 1}));
}

Result<Calendar> Calendar::make(const Period& period, Type type, std::string_view timezone) {
  const bool has_zone = type.id == TypeId::timestamptz;
  if (type.id != TypeId::date && type.id != TypeId::timestamp && !has_zone) {
    return make_error(ErrorKind::config,
                      fmt::format("Windows of time need a date, a timestamp or a timestamptz, not "
                                  "a {}", tranche::to_string(type)));
  }
  if (type.id == TypeId::date && is_below_day(period.unit)) {
    return make_error(ErrorKind::config,
                      fmt::format("A date has no {}s: its windows are days at least, not {}",
                                  units[static_cast<std::size_t>(period.unit)].first,
                                  tranche::to_string(period)));
  }
  if (!has_zone || timezone.empty() || timezone == "UTC") return Calendar(period, nullptr);
  TRANCHE_ASSIGN(TimeZone zone, TimeZone::find(timezone));
  return Calendar(period, std::make_shared<const TimeZone>(std::move(zone)));
}

std::int64_t Calendar::microseconds_of_date(std::int32_t days) {
  if (days == INT32_MAX) return INT64_MAX;  // infinity
  if (days == -INT32_MAX) return -INT64_MAX;
  std::int64_t microseconds = 0;
  if (!__builtin_mul_overflow(std::int64_t{days}, day_microseconds, &microseconds))
    return microseconds;
  return days > 0 ? INT64_MAX : INT64_MIN;
}

std::int64_t Calendar::local(std::int64_t microseconds) const {
  if (zone_ == nullptr) return microseconds;
  return microseconds + zone_->span_at(floor_div(microseconds, second)).offset_seconds * second;
}

// The first instant at which a local calendar shows `day` or a later one.
std::int64_t Calendar::first_instant(std::int64_t day) const {
  if (zone_ == nullptr) return day * day_microseconds;
  return zone_->first_instant(day * (day_microseconds / second)) * second;
}

// The first day of the period that `day` lies in, and that of the next period.
std::int64_t Calendar::period_begin(std::int64_t day) const {
  switch (period_.unit) {
    case Unit::week: return floor_to(day - first_monday, 7 * period_.count) + first_monday;
    case Unit::month: return day_of_month_number(floor_to(month_number(day), period_.count));
    case Unit::year: return day_of_month_number(floor_to(month_number(day), 12 * period_.count));
    case Unit::day: return floor_to(day, period_.count);
    default: return day;
  }
}
std::int64_t Calendar::period_end(std::int64_t begin_day) const {
  switch (period_.unit) {
    case Unit::week: return begin_day + 7 * period_.count;
    case Unit::month: return day_of_month_number(month_number(begin_day) + period_.count);
    case Unit::year: return day_of_month_number(month_number(begin_day) + 12 * period_.count);
    case Unit::day: return begin_day + period_.count;
    default: return begin_day + 1;
  }
}

TimeWindow Calendar::window_of(std::int64_t microseconds) const {
  if (microseconds < years_.begin) return {INT64_MIN, years_.begin};
  if (microseconds >= years_.end) return {years_.end, INT64_MAX};
  const std::int64_t day = floor_div(local(microseconds), day_microseconds);
  TimeWindow window = window_of_days(microseconds, period_begin(day));
  if (is_below_day(period_.unit)) window = window_of_hours(microseconds, window);
  window.end = std::min(window.end, years_.end);
  return window;
}

TimeWindow Calendar::window_of_days(std::int64_t microseconds, std::int64_t begin_day) const {
  while (true) {
    const std::int64_t end_day = period_end(begin_day);
    const TimeWindow window{first_instant(begin_day), first_instant(end_day)};
    // A clock that is put back over midnight shows the day before again.
    if (microseconds < window.end) return window;
    begin_day = end_day;
  }
}

// Goes over the stretches of the day in which the clock runs evenly. In each there is a first cut
// (maybe none), and the others follow in steps.
TimeWindow Calendar::window_of_hours(std::int64_t microseconds, const TimeWindow& day) const {
  if (zone_ == nullptr) {
    const std::int64_t begin = day.begin + floor_to(microseconds - day.begin, step_);
    return {begin, std::min(begin + step_, day.end)};
  }
  // Local times are counted from the midnight of the day that the window begins with.
  const std::int64_t midnight = floor_to(local(day.begin), day_microseconds);
  TimeWindow window{day.begin, day.end};
  std::int64_t shown = floor_div(local(day.begin) - midnight, step_);  // the latest multiple so far
  std::int64_t at = day.begin;
  while (at < day.end) {
    const TimeZone::Span span = zone_->span_at(floor_div(at, second));
    const std::int64_t to_clock = span.offset_seconds * second - midnight;
    const std::int64_t span_end = std::min(span.end_seconds, day.end / second) * second;
    std::int64_t cut = at;  // put forward over a multiple
    if (floor_div(at + to_clock, step_) <= shown) {
      cut = ceil_to(at + to_clock, step_) - to_clock;
      const bool is_later = floor_div(cut + to_clock, step_) > shown;
      if (!is_later && cut - window.begin < step_) cut += step_;
    }
    while (cut < span_end) {
      if (cut > microseconds) return {window.begin, cut};
      // The last cut that is not behind the instant; the others follow in steps of the clock.
      window.begin = cut;
      const std::int64_t next = floor_to(cut + to_clock, step_) + step_ - to_clock;
      const std::int64_t last = std::min(microseconds, span_end - 1);
      cut = next > last ? next : next + floor_to(last - next, step_);
      if (cut <= microseconds && cut < span_end) {
        window.begin = cut;
        cut += step_;
      }
    }
    shown = std::max(shown, floor_div(span_end - 1 + to_clock, step_));
    at = span_end;
  }
  return window;
}

std::string Calendar::instant_text(std::int64_t microseconds) const {
  const std::int64_t shown = local(microseconds);
  return zone_ == nullptr ? local_text(shown) : local_text(shown, shown - microseconds);
}

std::string Calendar::describe(const TimeWindow& window) const {
  if (window.begin < years_.begin) return "before the year 1";
  if (window.begin >= years_.end) return "after the year 9999";
  if (is_below_day(period_.unit)) {
    return fmt::format("{} to {}", instant_text(window.begin), instant_text(window.end));
  }
  const std::int64_t day = floor_div(local(window.begin), day_microseconds);
  const CivilDay civil = civil_from_days(day);
  if (period_ == Period{1, Unit::day}) return day_text(day);
  if (period_ == Period{1, Unit::month}) return fmt::format("{:04}-{:02}", civil.year, civil.month);
  if (period_ == Period{1, Unit::year}) return fmt::format("{:04}", civil.year);
  return fmt::format("{} to {}", day_text(day),
                     day_text(floor_div(local(window.end - 1), day_microseconds)));
}

}  // namespace tranche
