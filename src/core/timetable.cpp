#include <tranche/core/timetable.h>

#include <array>
#include <utility>

#include <fmt/format.h>

#include <tranche/core/value.h>
#include "base/text.h"
#include "base/time_zone.h"
#include "core/cron.h"
#include "core/local_time.h"

namespace tranche {

using namespace local_time;  // NOLINT: of this file only

namespace {

using Unit = Period::Unit;

constexpr std::int64_t minute = 60 * second;

bool is_day_or_longer(const Period& period) { return period.unit >= Unit::day; }

Error bad_time(std::string_view text) {
  return make_error(
      ErrorKind::usage,
      fmt::format("\"{}\" is no time; expected a day, a month, a year or a minute, as "
                  "in 2026-01-31, 2026-01 or 2026-01-31T10:00, with +01:00 behind it "
                  "where it is not local time",
                  excerpt(text, 40)));
}

// What a text names, as a stretch of what a local clock shows. `has_zone`: of UTC.
struct NamedSpan {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool has_zone = false;
};

std::optional<NamedSpan> span_of_days(std::int64_t begin, std::int64_t end) {
  return NamedSpan{begin * day_microseconds, end * day_microseconds};
}

std::optional<NamedSpan> read_span(std::string_view given) {
  std::string text(trim(given));
  std::int32_t day = 0;
  if (parse_date(text, day) == ParseStatus::ok) return span_of_days(day, day + 1);
  if (text.size() == 7 && parse_date(text + "-01", day) == ParseStatus::ok) {
    const CivilDay civil = civil_from_days(day);
    return span_of_days(day, day + days_of_month(civil.year, civil.month));
  }
  if (text.size() == 4 && parse_date(text + "-01-01", day) == ParseStatus::ok)
    return span_of_days(day, days_from_civil({civil_from_days(day).year + 1, 1, 1}));
  if (text.size() < 16) return std::nullopt;
  const bool has_seconds = text.size() > 16 && text[16] == ':';
  if (!has_seconds) text.insert(16, ":00");
  const std::int64_t length = has_seconds ? second : minute;
  std::int64_t at = 0;
  if (parse_timestamp(text, at) == ParseStatus::ok) return NamedSpan{at, at + length};
  if (parse_timestamptz(text, at) == ParseStatus::ok) return NamedSpan{at, at + length, true};
  return std::nullopt;
}

}  // namespace

struct Timetable::Rules {
  ScheduleSpec spec;
  TimeZone zone;
  std::optional<Calendar> calendar;
  std::optional<CronExpression> cron;
  std::int64_t delay = 0;
};

Timetable::Timetable(std::shared_ptr<const Rules> rules) : rules_(std::move(rules)) {}

Result<Timetable> Timetable::make(const ScheduleSpec& schedule) {
  Rules rules;
  rules.spec = schedule;
  rules.delay = schedule.delay.count() * 1000;
  TRANCHE_ASSIGN(rules.zone, TimeZone::find(schedule.timezone));
  if (schedule.every.empty() == schedule.cron.empty())
    return make_error(ErrorKind::config, "A schedule has either \"every\" or \"cron\"");
  if (!schedule.every.empty()) {
    TRANCHE_ASSIGN(const Period period, parse_period(schedule.every));
    TRANCHE_ASSIGN(rules.calendar,
                   Calendar::make(period, Type{TypeId::timestamptz}, schedule.timezone));
  } else {
    TRANCHE_ASSIGN(rules.cron, CronExpression::parse(schedule.cron));
  }
  if (schedule.at && (rules.cron || !is_day_or_longer(rules.calendar->period())))
    return make_error(ErrorKind::config,
                      "\"at\" is for windows of days and longer; say \"delay: 5m\" for how long "
                      "after its end a shorter one is run");
  if (schedule.at && schedule.delay.count() > 0)
    return make_error(ErrorKind::config,
                      "\"at\" and \"delay\" both say when a window is run; keep one");
  Timetable made(std::make_shared<const Rules>(std::move(rules)));
  TRANCHE_ASSIGN(const std::int64_t from, made.instant_of(schedule.from));
  made.first_ = made.window_of(from);
  if (made.first_.begin < from) made.first_ = made.behind(made.first_);
  return made;
}

std::int64_t Timetable::local(std::int64_t instant) const {
  return instant + rules_->zone.span_at(floor_div(instant, second)).offset_seconds * second;
}

std::string Timetable::instant_text(std::int64_t instant) const {
  const std::int64_t shown = local(instant);
  return local_text(shown, shown - instant);
}

TimeWindow Timetable::window_of(std::int64_t instant) const {
  if (rules_->calendar) return rules_->calendar->window_of(instant);
  return {rules_->cron->last_until(instant, rules_->zone),
          rules_->cron->next_behind(instant, rules_->zone)};
}

std::int64_t Timetable::due_at(const TimeWindow& window) const {
  if (!rules_->spec.at) return window.end + rules_->delay;
  const std::int64_t midnight = floor_to(local(window.end), day_microseconds) / second;
  const std::chrono::seconds at = *rules_->spec.at;
  return std::max(window.end, rules_->zone.first_instant(midnight + at.count()) * second);
}

std::optional<TimeWindow> Timetable::latest_due(std::int64_t now) const {
  if (now < first_.end) return std::nullopt;
  TimeWindow window = window_of(now - rules_->delay);
  while (window.begin >= first_.begin && due_at(window) > now) window = before(window);
  return window.begin < first_.begin ? std::nullopt : std::optional(window);
}

std::string Timetable::name_of(const TimeWindow& window) const {
  if (!rules_->calendar || !is_day_or_longer(rules_->calendar->period())) {
    std::string text = instant_text(window.begin);
    const bool has_seconds = rules_->calendar && rules_->calendar->period().unit == Unit::second;
    if (has_seconds && text[16] != ':') text.insert(16, ":00");
    return text;
  }
  const std::string day = day_text(floor_div(local(window.begin), day_microseconds));
  switch (rules_->calendar->period().unit) {
    case Unit::month:
      return day.substr(0, 7);
    case Unit::year:
      return day.substr(0, 4);
    default:
      return day;
  }
}

Result<TimeWindow> Timetable::span_of(std::string_view text) const {
  const auto named = read_span(text);
  if (!named) return bad_time(text);
  if (named->has_zone) return TimeWindow{named->begin, named->end};
  return TimeWindow{rules_->zone.first_instant(named->begin / second) * second,
                    rules_->zone.first_instant(named->end / second) * second};
}

Result<std::int64_t> Timetable::instant_of(std::string_view text) const {
  TRANCHE_ASSIGN(const TimeWindow span, span_of(text));
  return span.begin;
}

Result<TimeWindow> Timetable::find(std::string_view text) const {
  TRANCHE_ASSIGN(const TimeWindow span, span_of(text));
  TimeWindow window = window_of(span.begin);
  const TimeWindow around = window;
  if (window.begin < span.begin) window = behind(window);
  if (window.begin >= span.end) {
    return make_error(ErrorKind::usage,
                      fmt::format("No window begins with {}: it lies in that of {}",
                                  excerpt(text, 40), name_of(around)));
  }
  const TimeWindow next = behind(window);
  if (next.begin >= span.end) return window;
  return make_error(ErrorKind::usage,
                    fmt::format("Several windows begin within {}, those of {} and {} among them; "
                                "name one of them",
                                excerpt(text, 40), name_of(window), name_of(next)));
}

Result<std::string> Timetable::value_text(std::int64_t instant, Type type) const {
  switch (type.id) {
    case TypeId::date:
      return day_text(floor_div(local(instant), day_microseconds));
    case TypeId::timestamp: {
      std::string text = local_text(local(instant));
      return text.size() == 16 ? text + ":00" : text;
    }
    case TypeId::timestamptz: {
      std::string text = local_text(instant);
      return (text.size() == 16 ? text + ":00" : text) + "Z";
    }
    case TypeId::varchar:
      return instant_text(instant);
    default:
      return make_error(ErrorKind::config,
                        fmt::format("{} can't hold the bound of a window; a date, a timestamp, a "
                                    "timestamptz or a varchar can",
                                    to_string(type)));
  }
}

}  // namespace tranche
