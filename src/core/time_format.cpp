#include "core/time_format.h"

#include <array>
#include <cstring>

#include <fmt/format.h>

namespace tranche {

using value_detail::digit;

// What a text says, and what is written.
struct TimeFormat::Moment {
  CivilDay civil;
  unsigned day_of_year = 0;  // 0: not said
  unsigned weekday = 0;      // Monday is 1; 0: not said
  unsigned hour = 0;
  unsigned half = 0;         // 1: AM, 2: PM; 0: the hour is of 24
  unsigned minute = 0;
  unsigned second = 0;
  std::uint32_t microsecond = 0;
  bool is_too_precise = false;
  std::int64_t zone_minutes = 0;
};

namespace {

constexpr std::int64_t microseconds_per_second = 1'000'000;
constexpr std::int64_t microseconds_per_day = 86'400 * microseconds_per_second;

constexpr std::array<std::string_view, 12> months{
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> weekdays{
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
constexpr std::size_t short_length = 3;

unsigned weekday_of(std::int64_t days) {  // Monday is 1; 1970-01-01 was a Thursday
  const std::int64_t rest = (days + 3) % 7;
  return static_cast<unsigned>(rest < 0 ? rest + 7 : rest) + 1;
}

bool begins_with(std::string_view text, std::string_view word) {
  if (text.size() < word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if ((text[i] | 0x20) != (word[i] | 0x20)) return false;
  }
  return true;
}

// The number from 1 of the name that `text` begins with, which is taken off it; 0: none.
template <std::size_t count>
unsigned take_name(const std::array<std::string_view, count>& names, bool is_short,
                   std::string_view& text) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view name = is_short ? names[i].substr(0, short_length) : names[i];
    if (!begins_with(text, name)) continue;
    text.remove_prefix(name.size());
    return static_cast<unsigned>(i) + 1;
  }
  return 0;
}

// Takes up to `digits` digits off the text, at least `least`.
bool take_number(std::string_view& text, unsigned least, unsigned digits, unsigned& out) {
  unsigned value = 0;
  unsigned count = 0;
  for (; count < digits && count < text.size() && digit(text[count]) <= 9; ++count) {
    value = value * 10 + digit(text[count]);
  }
  if (count < least) return false;
  text.remove_prefix(count);
  out = value;
  return true;
}

// Four digits, or, where more than four may come, a sign and four to `digits`.
bool take_year(std::string_view& text, unsigned digits, std::int64_t& year) {
  const bool is_signed = digits > 4 && !text.empty() && (text[0] == '-' || text[0] == '+');
  const bool is_negative = is_signed && text[0] == '-';
  if (is_signed) text.remove_prefix(1);
  unsigned value = 0;
  if (!take_number(text, 4, is_signed ? digits : 4, value)) return false;
  year = is_negative ? -std::int64_t{value} : std::int64_t{value};
  return true;
}

// One to six digits, more when they are zeros.
bool take_fraction(std::string_view& text, std::uint32_t& microsecond, bool& is_too_precise) {
  std::uint32_t unit = 1'000'000;
  std::size_t count = 0;
  for (; count < text.size() && digit(text[count]) <= 9; ++count) {
    unit /= 10;
    microsecond += digit(text[count]) * unit;
    is_too_precise = is_too_precise || (unit == 0 && text[count] != '0');
  }
  text.remove_prefix(count);
  return count > 0;
}

bool take_zone(std::string_view& text, std::int64_t& minutes) {
  if (!text.empty() && text[0] == 'Z') {
    text.remove_prefix(1);
    return true;
  }
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return false;
  const bool is_negative = text[0] == '-';
  text.remove_prefix(1);
  unsigned hour = 0;
  unsigned minute = 0;
  if (!take_number(text, 2, 2, hour)) return false;
  const bool has_colon = !text.empty() && text[0] == ':';
  if (has_colon) text.remove_prefix(1);
  if (!take_number(text, 2, 2, minute) && has_colon) return false;
  if (hour > 15 || minute > 59) return false;
  minutes = std::int64_t{hour} * 60 + minute;
  if (is_negative) minutes = -minutes;
  return true;
}

char* put_number(char* out, std::uint64_t value, unsigned digits, bool is_padded) {
  char reversed[24];
  unsigned count = 0;
  do {
    reversed[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  for (; is_padded && count < digits;) reversed[count++] = '0';
  while (count > 0) *out++ = reversed[--count];
  return out;
}

char* put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* put_year(char* out, std::int64_t year) {  // as ISO 8601 has it
  if (year < 0) *out++ = '-';
  if (year > 9999) *out++ = '+';
  return put_number(out, static_cast<std::uint64_t>(year < 0 ? -year : year), 4, true);
}

}  // namespace

ParseStatus TimeFormat::read(std::string_view text, Moment& moment) const {
  unsigned number = 0;
  for (const Item& item : items_) {
    const unsigned least = item.padded ? item.digits : 1;
    bool good = true;
    switch (item.part) {
      case Part::literal: {
        const std::string_view literal(literals_.data() + item.begin, item.length);
        good = text.starts_with(literal);
        if (good) text.remove_prefix(literal.size());
        break;
      }
      case Part::year: good = take_year(text, item.digits, moment.civil.year); break;
      case Part::year_of_century:
        good = take_number(text, least, item.digits, number);
        moment.civil.year = number < 69 ? 2000 + number : 1900 + number;
        break;
      case Part::month: good = take_number(text, least, item.digits, moment.civil.month); break;
      case Part::month_name:
      case Part::month_short:
        moment.civil.month = take_name(months, item.part == Part::month_short, text);
        good = moment.civil.month > 0;
        break;
      case Part::day: good = take_number(text, least, item.digits, moment.civil.day); break;
      case Part::day_of_year:
        good = take_number(text, least, item.digits, moment.day_of_year) && moment.day_of_year > 0;
        break;
      case Part::weekday:
        good = take_number(text, least, item.digits, moment.weekday) && moment.weekday > 0 &&
               moment.weekday <= 7;
        break;
      case Part::weekday_name:
      case Part::weekday_short:
        moment.weekday = take_name(weekdays, item.part == Part::weekday_short, text);
        good = moment.weekday > 0;
        break;
      case Part::hour:
        good = take_number(text, least, item.digits, moment.hour) && moment.hour < 24;
        break;
      case Part::hour_of_twelve:
        good = take_number(text, least, item.digits, moment.hour) && moment.hour >= 1 &&
               moment.hour <= 12;
        break;
      case Part::half_of_day:
        moment.half = begins_with(text, "AM") ? 1 : begins_with(text, "PM") ? 2 : 0;
        good = moment.half > 0;
        if (good) text.remove_prefix(2);
        break;
      case Part::minute:
        good = take_number(text, least, item.digits, moment.minute) && moment.minute < 60;
        break;
      case Part::second:
        good = take_number(text, least, item.digits, moment.second) && moment.second < 60;
        break;
      case Part::microsecond:
        good = take_fraction(text, moment.microsecond, moment.is_too_precise);
        break;
      case Part::millisecond:
        good = take_number(text, least, item.digits, number);
        moment.microsecond = number * 1000;
        break;
      case Part::zone: good = take_zone(text, moment.zone_minutes); break;
    }
    if (!good) return ParseStatus::malformed;
  }
  return text.empty() ? ParseStatus::ok : ParseStatus::malformed;
}

namespace {

// Days since 1970 of a day that is in the calendar; false: it is not.
bool find_day(CivilDay civil, unsigned day_of_year, unsigned weekday, std::int64_t& days) {
  if (day_of_year > 0) {
    if (day_of_year > (days_of_month(civil.year, 2) == 29 ? 366U : 365U)) return false;
    days = days_from_civil({civil.year, 1, 1}) + day_of_year - 1;
  } else {
    if (civil.month < 1 || civil.month > 12 || civil.day < 1 ||
        civil.day > days_of_month(civil.year, civil.month)) {
      return false;
    }
    days = days_from_civil(civil);
  }
  return weekday == 0 || weekday == weekday_of(days);
}

}  // namespace

ParseStatus TimeFormat::parse(std::string_view text, std::int32_t& days) const {
  Moment moment;
  std::int64_t wide = 0;
  if (read(text, moment) != ParseStatus::ok ||
      !find_day(moment.civil, moment.day_of_year, moment.weekday, wide)) {
    return ParseStatus::malformed;
  }
  constexpr std::int32_t infinity = std::numeric_limits<std::int32_t>::max();
  if (wide >= infinity || wide <= -infinity) return ParseStatus::out_of_range;
  days = static_cast<std::int32_t>(wide);
  return ParseStatus::ok;
}

ParseStatus TimeFormat::parse(std::string_view text, std::int64_t& microseconds) const {
  Moment moment;
  std::int64_t days = 0;
  if (read(text, moment) != ParseStatus::ok ||
      !find_day(moment.civil, moment.day_of_year, moment.weekday, days)) {
    return ParseStatus::malformed;
  }
  if (moment.half > 0) moment.hour = moment.hour % 12 + (moment.half == 2 ? 12 : 0);
  const std::int64_t seconds =
      std::int64_t{moment.hour * 3600 + moment.minute * 60 + moment.second} -
      moment.zone_minutes * 60;
  std::int64_t start = 0;
  std::int64_t value = 0;
  constexpr std::int64_t infinity = std::numeric_limits<std::int64_t>::max();
  if (__builtin_mul_overflow(days, microseconds_per_day, &start) ||
      __builtin_add_overflow(start, seconds * microseconds_per_second + moment.microsecond,
                             &value) ||
      value == infinity || value <= -infinity) {
    return ParseStatus::out_of_range;
  }
  if (moment.is_too_precise) return ParseStatus::too_precise;
  microseconds = value;
  return ParseStatus::ok;
}

char* TimeFormat::write(char* out, const Moment& moment) const {
  const auto name = [&out](std::string_view word, bool is_short) {
    return put(out, is_short ? word.substr(0, short_length) : word);
  };
  for (const Item& item : items_) {
    const auto number = [&](std::uint64_t value) {
      return put_number(out, value, item.digits, item.padded);
    };
    switch (item.part) {
      case Part::literal: out = put(out, {literals_.data() + item.begin, item.length}); break;
      case Part::year: out = put_year(out, moment.civil.year); break;
      case Part::year_of_century:
        out = number(static_cast<std::uint64_t>((moment.civil.year % 100 + 100) % 100));
        break;
      case Part::month: out = number(moment.civil.month); break;
      case Part::month_name: out = name(months[moment.civil.month - 1], false); break;
      case Part::month_short: out = name(months[moment.civil.month - 1], true); break;
      case Part::day: out = number(moment.civil.day); break;
      case Part::day_of_year: out = number(moment.day_of_year); break;
      case Part::weekday: out = number(moment.weekday); break;
      case Part::weekday_name: out = name(weekdays[moment.weekday - 1], false); break;
      case Part::weekday_short: out = name(weekdays[moment.weekday - 1], true); break;
      case Part::hour: out = number(moment.hour); break;
      case Part::hour_of_twelve: out = number((moment.hour + 11) % 12 + 1); break;
      case Part::half_of_day: out = put(out, moment.hour < 12 ? "AM" : "PM"); break;
      case Part::minute: out = number(moment.minute); break;
      case Part::second: out = number(moment.second); break;
      case Part::microsecond: out = put_number(out, moment.microsecond, 6, true); break;
      case Part::millisecond: out = put_number(out, moment.microsecond / 1000, 3, true); break;
      case Part::zone: out = put(out, "+00:00"); break;
    }
  }
  return out;
}

char* TimeFormat::write_date(char* out, std::int32_t days) const {
  Moment moment;
  moment.civil = civil_from_days(days);
  moment.day_of_year =
      static_cast<unsigned>(days - days_from_civil({moment.civil.year, 1, 1})) + 1;
  moment.weekday = weekday_of(days);
  return write(out, moment);
}

char* TimeFormat::write_timestamp(char* out, std::int64_t microseconds) const {
  std::int64_t days = microseconds / microseconds_per_day;
  std::int64_t of_day = microseconds % microseconds_per_day;
  if (of_day < 0) --days, of_day += microseconds_per_day;
  const auto seconds = static_cast<unsigned>(of_day / microseconds_per_second);
  Moment moment;
  moment.civil = civil_from_days(days);
  moment.day_of_year =
      static_cast<unsigned>(days - days_from_civil({moment.civil.year, 1, 1})) + 1;
  moment.weekday = weekday_of(days);
  moment.hour = seconds / 3600;
  moment.minute = seconds / 60 % 60;
  moment.second = seconds % 60;
  moment.microsecond = static_cast<std::uint32_t>(of_day % microseconds_per_second);
  return write(out, moment);
}

const TimeFormat* TimeFormats::of(Type type) const {
  switch (type.id) {
    case TypeId::date: return date ? &*date : nullptr;
    case TypeId::timestamp:
    case TypeId::timestamptz: return timestamp ? &*timestamp : nullptr;
    default: return nullptr;
  }
}

Result<void> check_zone(const TimeFormat& format, const Field& field, std::string_view key) {
  if (field.type.id != TypeId::timestamp || !format.has_zone()) return {};
  return make_error(ErrorKind::config,
                    fmt::format("{} \"{}\" has a zone (%z), but column \"{}\" is a timestamp, "
                                "which has none; make it a timestamptz.", key, format.text(),
                                field.name));
}

char* write_time_by(const TimeFormat& format, char* out, Type type, const void* value) {
  const auto word = [out](bool is_negative) {
    return put(out, is_negative ? "-infinity" : "infinity");
  };
  if (type.id == TypeId::date) {
    std::int32_t days = 0;
    std::memcpy(&days, value, sizeof(days));
    constexpr std::int32_t infinity = std::numeric_limits<std::int32_t>::max();
    if (days == infinity || days == -infinity) return word(days < 0);
    return format.write_date(out, days);
  }
  std::int64_t microseconds = 0;
  std::memcpy(&microseconds, value, sizeof(microseconds));
  constexpr std::int64_t infinity = std::numeric_limits<std::int64_t>::max();
  if (microseconds == infinity || microseconds == -infinity) return word(microseconds < 0);
  return format.write_timestamp(out, microseconds);
}

}  // namespace tranche
