#include "core/cron.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include <tranche/core/value.h>
#include "base/text.h"
#include "core/local_time.h"
#include "core/option_value.h"

namespace tranche {

using namespace local_time;  // NOLINT: of this file only

namespace {

// From one 29th of February to the next there may be eight years.
constexpr std::int64_t days_searched_max = 9 * 366;
constexpr std::int64_t day_seconds = 86'400;

struct Field {
  std::string_view name;
  unsigned first;
  unsigned last;
  std::span<const std::string_view> names;  // of its values, from the first on
};

constexpr std::array<std::string_view, 12> month_names{"jan", "feb", "mar", "apr", "may", "jun",
                                                       "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> week_day_names{"sun", "mon", "tue", "wed",
                                                         "thu", "fri", "sat"};
constexpr std::array<Field, 5> fields{{
    {"minute", 0, 59, {}},
    {"hour", 0, 23, {}},
    {"day of the month", 1, 31, {}},
    {"month", 1, 12, month_names},
    {"day of the week", 0, 7, week_day_names},
}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> nicknames{{
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
    {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
}};

Error bad_field(const Field& field, std::string_view text) {
  return make_error(ErrorKind::config,
                    fmt::format("\"{}\" is no {} of a cron expression; expected \"*\", numbers "
                                "from {} to {}, ranges and lists of them, and steps, as in \"*/2\"",
                                excerpt(text, 40), field.name, field.first, field.last));
}

std::optional<unsigned> value_of(const Field& field, std::string_view text) {
  const std::string lower = to_lower(text);
  for (std::size_t i = 0; i < field.names.size(); ++i)
    if (field.names[i] == lower) return field.first + static_cast<unsigned>(i);
  const auto number = option_value::parse_count(text);
  if (!number || *number < field.first || *number > field.last) return std::nullopt;
  return static_cast<unsigned>(*number);
}

// One of a list: "*", "5", "1-5", each maybe with "/2" behind it.
std::optional<std::uint64_t> bits_of_item(const Field& field, std::string_view item) {
  const std::size_t slash = item.find('/');
  std::uint64_t step = 1;
  if (slash != std::string_view::npos) {
    const auto given = option_value::parse_count(item.substr(slash + 1));
    if (!given || *given == 0 || *given > field.last) return std::nullopt;
    step = *given;
  }
  const std::string_view range = item.substr(0, slash);
  unsigned first = field.first;
  unsigned last = field.last;
  if (range != "*") {
    const std::size_t dash = range.find('-');
    const auto from = value_of(field, range.substr(0, dash));
    if (!from) return std::nullopt;
    first = *from;
    if (dash != std::string_view::npos) {
      const auto to = value_of(field, range.substr(dash + 1));
      if (!to || *to < first) return std::nullopt;
      last = *to;
    } else if (slash == std::string_view::npos) {
      last = first;
    }
  }
  std::uint64_t bits = 0;
  for (std::uint64_t at = first; at <= last; at += step) bits |= std::uint64_t{1} << at;
  return bits;
}

Result<std::uint64_t> bits_of(const Field& field, std::string_view text) {
  std::uint64_t bits = 0;
  for (const std::string& item : split(text, ',')) {
    const auto more = bits_of_item(field, item);
    if (!more) return bad_field(field, text);
    bits |= *more;
  }
  return bits;
}

std::int64_t local_day(std::int64_t instant, const TimeZone& zone) {
  const std::int64_t seconds = floor_div(instant, second);
  return floor_div(seconds + zone.span_at(seconds).offset_seconds, day_seconds);
}

bool has(std::uint64_t bits, std::uint64_t value) { return (bits >> value & 1) != 0; }

}  // namespace

Result<CronExpression> CronExpression::parse(std::string_view text) {
  std::string_view whole = trim(text);
  for (const auto& [nickname, meaning] : nicknames)
    if (to_lower(whole) == nickname) whole = meaning;
  std::vector<std::string> words;
  for (std::string& word : split(whole, ' '))
    if (!word.empty()) words.push_back(std::move(word));
  if (words.size() != fields.size()) {
    return make_error(ErrorKind::config,
                      fmt::format("\"{}\" is no cron expression; expected minute, hour, day of "
                                  "the month, month and day of the week, as in \"0 2 * * 1-5\"",
                                  excerpt(text, 40)));
  }
  CronExpression made;
  TRANCHE_ASSIGN(const std::uint64_t minutes, bits_of(fields[0], words[0]));
  TRANCHE_ASSIGN(const std::uint64_t hours, bits_of(fields[1], words[1]));
  TRANCHE_ASSIGN(made.days_, bits_of(fields[2], words[2]));
  TRANCHE_ASSIGN(made.months_, bits_of(fields[3], words[3]));
  TRANCHE_ASSIGN(made.week_days_, bits_of(fields[4], words[4]));
  for (std::int64_t minute = 0; minute < 24 * 60; ++minute)
    if (has(hours, static_cast<std::uint64_t>(minute / 60)) &&
        has(minutes, static_cast<std::uint64_t>(minute % 60)))
      made.times_.push_back(minute * 60);
  if (has(made.week_days_, 7)) made.week_days_ |= 1;
  made.hours_are_open_ = words[1].front() == '*';
  made.days_are_open_ = words[2].front() == '*';
  made.week_days_are_open_ = words[4].front() == '*';
  for (std::int64_t day = 0; day < days_searched_max; ++day)
    if (made.fires_on(day)) return made;
  return make_error(ErrorKind::config,
                    fmt::format("The cron expression \"{}\" never fires: no month that it names "
                                "has such a day",
                                excerpt(text, 40)));
}

bool CronExpression::fires_on(std::int64_t day) const {
  const CivilDay civil = civil_from_days(day);
  if (!has(months_, civil.month)) return false;
  const bool is_day = has(days_, civil.day);
  const auto week_day = static_cast<std::uint64_t>(day + 4 - floor_to(day + 4, 7));
  const bool is_week_day = has(week_days_, week_day);
  if (days_are_open_ || week_days_are_open_) return is_day && is_week_day;
  return is_day || is_week_day;
}

std::vector<std::int64_t> CronExpression::firings_of(std::int64_t day, const TimeZone& zone) const {
  std::vector<std::int64_t> firings;
  if (!hours_are_open_) {
    if (!fires_on(day)) return firings;
    for (const std::int64_t time : times_) {
      const std::int64_t instant = zone.first_instant(day * day_seconds + time) * second;
      if (firings.empty() || firings.back() < instant) firings.push_back(instant);
    }
    return firings;
  }
  // As the clock goes: over the stretches in which it runs evenly.
  std::int64_t from = zone.first_instant(day * day_seconds);
  const std::int64_t end = zone.first_instant((day + 1) * day_seconds);
  while (from < end) {
    const TimeZone::Span span = zone.span_at(from);
    const std::int64_t until = std::min(span.end_seconds, end);
    const std::int64_t shown_from = from + span.offset_seconds;
    const std::int64_t shown_until = until + span.offset_seconds;
    for (std::int64_t shown_day = floor_div(shown_from, day_seconds);
         shown_day * day_seconds < shown_until; ++shown_day) {
      if (!fires_on(shown_day)) continue;
      for (const std::int64_t time : times_) {
        const std::int64_t shown = shown_day * day_seconds + time;
        if (shown >= shown_from && shown < shown_until)
          firings.push_back((shown - span.offset_seconds) * second);
      }
    }
    from = until;
  }
  return firings;
}

std::int64_t CronExpression::next_behind(std::int64_t instant, const TimeZone& zone) const {
  const std::int64_t today = local_day(instant, zone);
  for (std::int64_t day = today; day < today + days_searched_max; ++day) {
    const auto firings = firings_of(day, zone);
    const auto next = std::upper_bound(firings.begin(), firings.end(), instant);
    if (next != firings.end()) return *next;
  }
  return INT64_MAX;
}

std::int64_t CronExpression::last_until(std::int64_t instant, const TimeZone& zone) const {
  std::int64_t today = local_day(instant, zone);
  // A clock that is put back over midnight shows the day before again.
  if (zone.first_instant((today + 1) * day_seconds) * second <= instant) ++today;
  for (std::int64_t day = today; day > today - days_searched_max; --day) {
    const auto firings = firings_of(day, zone);
    const auto behind = std::upper_bound(firings.begin(), firings.end(), instant);
    if (behind != firings.begin()) return *std::prev(behind);
  }
  return INT64_MIN;
}

}  // namespace tranche
