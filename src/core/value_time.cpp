// The calendar: text -> dates, times and timestamps.
#include <cstring>

#include <tranche/core/value.h>

namespace tranche {
namespace {

using value_detail::digit;

constexpr std::int64_t microseconds_per_second = 1'000'000;
constexpr std::int64_t microseconds_per_day = 86'400 * microseconds_per_second;
// DuckDB's range of dates, which are 32-bit days with an infinity at either end.
constexpr std::int64_t year_max = 5'881'580;
constexpr std::int64_t year_min = -5'877'641;
constexpr std::int32_t date_infinity = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t timestamp_infinity = std::numeric_limits<std::int64_t>::max();

// Two digits at `p`; 100 or more when they are none.
unsigned two_digits(const char* p) {
  const unsigned tens = digit(p[0]);
  const unsigned ones = digit(p[1]);
  return tens > 9 || ones > 9 ? 100 : tens * 10 + ones;
}

// The length of the date at the head of `text`, or 0 when there is none of the form; `out` is
// checked against the calendar and `good` says the result of that.
std::size_t read_date(std::string_view text, std::int64_t& days, bool& good) {
  std::size_t at = 0;
  CivilDay civil;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    std::int64_t year = 0;
    for (at = 1; at < text.size() && at <= 7 && digit(text[at]) <= 9; ++at) {
      year = year * 10 + static_cast<std::int64_t>(digit(text[at]));
    }
    if (at < 5) return 0;
    civil.year = text[0] == '-' ? -year : year;
  } else {
    if (text.size() < 10) return 0;
    const unsigned century = two_digits(text.data());
    const unsigned rest = two_digits(text.data() + 2);
    if (century > 99 || rest > 99) return 0;
    civil.year = century * 100 + rest;
    at = 4;
  }
  if (text.size() < at + 6 || text[at] != '-' || text[at + 3] != '-') return 0;
  civil.month = two_digits(text.data() + at + 1);
  civil.day = two_digits(text.data() + at + 4);
  good = civil.month >= 1 && civil.month <= 12 && civil.day >= 1 &&
         civil.day <= days_of_month(civil.year, civil.month) && civil.year >= year_min &&
         civil.year <= year_max;
  if (good) days = days_from_civil(civil);
  return at + 6;
}

// Reads HH:MM:SS[.f] at the head of `text` and shortens `text` to what is behind it.
ParseStatus read_time(std::string_view& text, std::int64_t& microseconds) {
  if (text.size() < 8 || text[2] != ':' || text[5] != ':') return ParseStatus::malformed;
  const unsigned hour = two_digits(text.data());
  const unsigned minute = two_digits(text.data() + 3);
  const unsigned second = two_digits(text.data() + 6);
  if (hour > 23 || minute > 59 || second > 59) return ParseStatus::malformed;
  microseconds = std::int64_t{hour * 3600 + minute * 60 + second} * microseconds_per_second;
  text.remove_prefix(8);
  if (text.empty() || text[0] != '.') return ParseStatus::ok;
  std::int64_t unit = microseconds_per_second;
  bool lost = false;
  std::size_t at = 1;
  for (; at < text.size() && digit(text[at]) <= 9; ++at) {
    const auto d = static_cast<std::int64_t>(digit(text[at]));
    unit /= 10;
    lost = lost || (unit == 0 && d != 0);
    microseconds += d * unit;
  }
  if (at == 1) return ParseStatus::malformed;
  text.remove_prefix(at);
  return lost ? ParseStatus::too_precise : ParseStatus::ok;
}

// Reads a zone, all of `text`: Z, +hh, +hhmm or +hh:mm.
bool read_zone(std::string_view text, std::int64_t& offset_microseconds) {
  if (text == "Z") return offset_microseconds = 0, true;
  if (text.size() < 3 || (text[0] != '+' && text[0] != '-')) return false;
  const unsigned hour = two_digits(text.data() + 1);
  unsigned minute = 0;
  if (text.size() == 5) {
    minute = two_digits(text.data() + 3);
  } else if (text.size() == 6 && text[3] == ':') {
    minute = two_digits(text.data() + 4);
  } else if (text.size() != 3) {
    return false;
  }
  if (hour > 15 || minute > 59) return false;
  const std::int64_t offset = std::int64_t{hour * 60 + minute} * 60 * microseconds_per_second;
  offset_microseconds = text[0] == '-' ? -offset : offset;
  return true;
}

// Date, separator and time; `text` becomes what is behind them.
ParseStatus read_timestamp(std::string_view& text, std::int64_t& microseconds) {
  std::int64_t days = 0;
  bool good = false;
  const std::size_t length = read_date(text, days, good);
  if (length == 0 || !good || text.size() <= length) return ParseStatus::malformed;
  if (text[length] != ' ' && text[length] != 'T') return ParseStatus::malformed;
  text.remove_prefix(length + 1);
  std::int64_t of_day = 0;
  const ParseStatus status = read_time(text, of_day);
  if (status == ParseStatus::malformed) return status;
  std::int64_t start = 0;
  if (__builtin_mul_overflow(days, microseconds_per_day, &start) ||
      __builtin_add_overflow(start, of_day, &microseconds)) {
    return ParseStatus::out_of_range;
  }
  return status;
}

std::uint64_t load64(const char* p) {
  std::uint64_t word = 0;
  std::memcpy(&word, p, sizeof word);
  return word;
}

constexpr std::uint64_t word_of(const char (&text)[9]) {
  std::uint64_t word = 0;
  for (unsigned i = 8; i-- > 0;) word = word << 8 | static_cast<unsigned char>(text[i]);
  return word;
}

// Compares eight bytes with a pattern in which 0 stands for any digit: pairs of digits become their
// numbers, each in the byte of its first digit. False: something else stands there.
bool match_digits(std::uint64_t word, std::uint64_t pattern, std::uint64_t& pairs) {
  constexpr std::uint64_t sevens = 0x7F7F7F7F7F7F7F7FULL;
  const std::uint64_t values = word ^ pattern;  // 0 to 9 for a digit, 0 for the pattern's own byte
  const std::uint64_t own = pattern ^ word_of("00000000");  // not 0 where no digit is meant
  const std::uint64_t own_bytes = (((own & sevens) + sevens) & 0x8080808080808080ULL) / 0x80 * 0xFF;
  const std::uint64_t above_nine = (values + 0x7676767676767676ULL) | values;
  if ((above_nine & 0x8080808080808080ULL) != 0 || (values & own_bytes) != 0) return false;
  pairs = values * 10 + (values >> 8);
  return true;
}

unsigned byte_of(std::uint64_t word, unsigned index) {
  return static_cast<unsigned>(word >> (8 * index)) & 0xFF;
}

// The usual form, YYYY-MM-DD HH:MM:SS with 0, 3 or 6 digits of fraction, without a loop over its
// bytes. False: it is not that, or not a day or a time.
bool read_usual_timestamp(std::string_view text, std::int64_t& microseconds) {
  if (text.size() != 19 && text.size() != 23 && text.size() != 26) return false;
  const char* const p = text.data();
  std::uint64_t date = 0;
  std::uint64_t middle = 0;
  std::uint64_t end = 0;
  constexpr std::uint64_t to_blank = std::uint64_t{'T' ^ ' '} << 16;
  const std::uint64_t separator = p[10] == 'T' ? to_blank : 0;
  if (!match_digits(load64(p), word_of("0000-00-"), date) ||
      !match_digits(load64(p + 8) ^ separator, word_of("00 00:00"), middle) ||
      !match_digits(load64(p + 11), word_of("00:00:00"), end)) {
    return false;
  }
  const CivilDay civil{byte_of(date, 0) * 100 + byte_of(date, 2), byte_of(date, 5),
                       byte_of(middle, 0)};
  const unsigned hour = byte_of(end, 0);
  const unsigned minute = byte_of(end, 3);
  const unsigned second = byte_of(end, 6);
  if (civil.month - 1 > 11 || civil.day == 0 || hour > 23 || minute > 59 || second > 59 ||
      (civil.day > 28 && civil.day > days_of_month(civil.year, civil.month))) {
    return false;
  }
  std::uint64_t fraction = 0;
  if (text.size() == 23) {  // seconds and milliseconds
    if (!match_digits(load64(p + 15), word_of("0:00.000"), fraction)) return false;
    fraction = (byte_of(fraction, 5) * 10 + (static_cast<unsigned>(p[22]) - '0')) * 1000;
  } else if (text.size() == 26) {
    if (!match_digits(load64(p + 18), word_of("0.000000"), fraction)) return false;
    fraction = (byte_of(fraction, 2) * 100 + byte_of(fraction, 4)) * 100 + byte_of(fraction, 6);
  }
  const std::int64_t seconds = std::int64_t{hour * 3600 + minute * 60 + second};
  microseconds = days_from_civil(civil) * microseconds_per_day +
                 seconds * microseconds_per_second + static_cast<std::int64_t>(fraction);
  return true;
}

// "infinity" and "-infinity", as DuckDB and PostgreSQL write them.
template <class T>
bool read_infinity(std::string_view text, T infinity, T& out) {
  if (text == "infinity") return out = infinity, true;
  if (text == "-infinity") return out = -infinity, true;
  return false;
}

}  // namespace

unsigned days_of_month(std::int64_t year, unsigned month) {
  constexpr unsigned char days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : days[month - 1];
}

CivilDay civil_from_days(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted_month = (5 * day_of_year + 2) / 153;
  CivilDay civil;
  civil.day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  civil.month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  civil.year = static_cast<std::int64_t>(year_of_era) + era * 400 + (civil.month <= 2 ? 1 : 0);
  return civil;
}

ParseStatus parse_date(std::string_view text, std::int32_t& days) {
  std::int64_t wide = 0;
  bool good = false;
  const std::size_t length = read_date(text, wide, good);
  if (length == 0 || length != text.size()) {
    return read_infinity(text, date_infinity, days) ? ParseStatus::ok : ParseStatus::malformed;
  }
  if (!good) return ParseStatus::malformed;
  if (wide >= date_infinity || wide <= -date_infinity) return ParseStatus::out_of_range;
  days = static_cast<std::int32_t>(wide);
  return ParseStatus::ok;
}

ParseStatus parse_time(std::string_view text, std::int64_t& microseconds) {
  const ParseStatus status = read_time(text, microseconds);
  return text.empty() ? status : ParseStatus::malformed;
}

ParseStatus parse_timestamp(std::string_view text, std::int64_t& microseconds) {
  if (read_usual_timestamp(text, microseconds)) return ParseStatus::ok;
  if (read_infinity(text, timestamp_infinity, microseconds)) return ParseStatus::ok;
  const ParseStatus status = read_timestamp(text, microseconds);
  return status == ParseStatus::malformed || text.empty() ? status : ParseStatus::malformed;
}

ParseStatus parse_timestamptz(std::string_view text, std::int64_t& microseconds) {
  if (read_usual_timestamp(text, microseconds)) return ParseStatus::ok;  // without a zone: UTC
  if (read_infinity(text, timestamp_infinity, microseconds)) return ParseStatus::ok;
  const ParseStatus status = read_timestamp(text, microseconds);
  if (status == ParseStatus::malformed || text.empty()) return status;
  std::int64_t offset = 0;
  if (!read_zone(text, offset)) return ParseStatus::malformed;
  if (status != ParseStatus::ok) return status;
  return __builtin_sub_overflow(microseconds, offset, &microseconds) ? ParseStatus::out_of_range
                                                                     : ParseStatus::ok;
}

}  // namespace tranche
