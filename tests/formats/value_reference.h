// Parsers of values that are slow and obvious, against which the fast ones are compared. None of
// them uses what it judges.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <tranche/core/type.h>

namespace tranche::reference {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Takes a sign off the text; true: it was a minus.
inline bool take_sign(std::string_view& text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  return is_negative;
}

inline std::string_view take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

// The value of digits, when it is at most `most`.
inline std::optional<UInt128> natural(std::string_view digits, UInt128 most) {
  UInt128 value = 0;
  for (const char c : digits) {
    const auto digit = static_cast<unsigned>(c - '0');
    if (digit > most || value > (most - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

inline std::optional<Int128> integer(std::string_view text, Int128 least, Int128 most) {
  const bool is_negative = take_sign(text);
  const std::string_view digits = take_digits(text);
  if (digits.empty() || !text.empty()) return std::nullopt;
  const UInt128 magnitude_most = is_negative ? UInt128{0} - static_cast<UInt128>(least)
                                             : static_cast<UInt128>(most);
  const auto magnitude = natural(digits, magnitude_most);
  if (!magnitude) return std::nullopt;
  return static_cast<Int128>(is_negative ? UInt128{0} - *magnitude : *magnitude);
}

inline std::optional<Int128> decimal(std::string_view text, unsigned width, unsigned scale) {
  const bool is_negative = take_sign(text);
  std::string digits(take_digits(text));
  std::string fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_digits(text);
  }
  if (!text.empty() || digits.size() + fraction.size() == 0) return std::nullopt;
  while (fraction.size() > scale) {
    if (fraction.back() != '0') return std::nullopt;
    fraction.pop_back();
  }
  digits += fraction + std::string(scale - fraction.size(), '0');
  UInt128 most = 1;
  for (unsigned i = 0; i < width; ++i) most *= 10;
  const auto magnitude = natural(digits, most - 1);
  if (!magnitude) return std::nullopt;
  return is_negative ? -static_cast<Int128>(*magnitude) : static_cast<Int128>(*magnitude);
}

inline double nearest(const char* text, double) { return std::strtod(text, nullptr); }
inline float nearest(const char* text, float) { return std::strtof(text, nullptr); }

template <class T>
std::optional<T> floating(std::string_view text) {
  const std::string whole(text);
  const bool is_negative = take_sign(text);
  const std::string word = lower(text);
  if (word == "inf" || word == "infinity") return is_negative ? -INFINITY : INFINITY;
  if (word == "nan") return NAN;
  const std::size_t digits = take_digits(text).size();
  std::size_t fraction = 0;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_digits(text).size();
  }
  if (digits + fraction == 0) return std::nullopt;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    take_sign(text);
    if (take_digits(text).empty()) return std::nullopt;
  }
  if (!text.empty()) return std::nullopt;
  const T value = nearest(whole.c_str(), T());
  if (std::isinf(value)) return std::nullopt;
  return value;
}

struct Day {
  long long year = 0;
  int month = 0;
  int day = 0;
};

inline bool is_leap(long long year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}
inline int days_in(long long year, int month) {
  constexpr int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

// Days since 1970-01-01, by counting.
inline long long count_days(const Day& day) {
  long long year = 1970;
  long long days = 0;
  while (day.year - year >= 400) year += 400, days += 146097;
  while (day.year < year) year -= 400, days -= 146097;
  for (; year < day.year; ++year) days += is_leap(year) ? 366 : 365;
  for (int month = 1; month < day.month; ++month) days += days_in(day.year, month);
  return days + day.day - 1;
}

// Exactly `count` digits at the head of the text.
inline std::optional<int> number(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_digit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

inline bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

inline std::optional<long long> take_date(std::string_view& text) {
  Day day;
  if (text.starts_with('-') || text.starts_with('+')) {
    const bool is_negative = take_sign(text);
    const std::string_view digits = take_digits(text);
    if (digits.size() < 4 || digits.size() > 7) return std::nullopt;
    day.year = std::atoll(std::string(digits).c_str());
    if (is_negative) day.year = -day.year;
  } else {
    const auto year = number(text, 4);
    if (!year) return std::nullopt;
    day.year = *year;
  }
  if (!take(text, '-')) return std::nullopt;
  const auto month = number(text, 2);
  if (!month || *month < 1 || *month > 12 || !take(text, '-')) return std::nullopt;
  day.month = *month;
  const auto number_of_day = number(text, 2);
  if (!number_of_day || *number_of_day < 1 || *number_of_day > days_in(day.year, day.month)) {
    return std::nullopt;
  }
  day.day = *number_of_day;
  return count_days(day);
}

inline std::optional<long long> take_time(std::string_view& text) {
  const auto hour = number(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = number(text, 2);
  if (!minute || *minute > 59 || !take(text, ':')) return std::nullopt;
  const auto second = number(text, 2);
  if (!second || *second > 59) return std::nullopt;
  long long microseconds = ((*hour * 60LL + *minute) * 60 + *second) * 1'000'000;
  if (!take(text, '.')) return microseconds;
  std::string fraction(take_digits(text));
  if (fraction.empty()) return std::nullopt;
  while (fraction.size() < 6) fraction += '0';
  if (fraction.find_first_not_of('0', 6) != std::string::npos) return std::nullopt;
  return microseconds + std::atoll(fraction.substr(0, 6).c_str());
}

inline std::optional<long long> take_zone(std::string_view& text) {  // in minutes
  if (take(text, 'Z')) return 0;
  if (!text.starts_with('+') && !text.starts_with('-')) return std::nullopt;
  const bool is_negative = take_sign(text);
  const auto hour = number(text, 2);
  if (!hour || *hour > 15) return std::nullopt;
  long long minutes = *hour * 60LL;
  if (!text.empty()) {
    take(text, ':');
    const auto minute = number(text, 2);
    if (!minute || *minute > 59) return std::nullopt;
    minutes += *minute;
  }
  return is_negative ? -minutes : minutes;
}

inline std::optional<std::int32_t> date(std::string_view text) {
  if (text == "infinity") return INT32_MAX;
  if (text == "-infinity") return -INT32_MAX;
  const auto days = take_date(text);
  if (!days || !text.empty() || *days >= INT32_MAX || *days <= -INT32_MAX) return std::nullopt;
  return static_cast<std::int32_t>(*days);
}

inline std::optional<std::int64_t> timestamp(std::string_view text, bool with_zone) {
  if (text == "infinity") return INT64_MAX;
  if (text == "-infinity") return -INT64_MAX;
  const auto days = take_date(text);
  if (!days || (!take(text, ' ') && !take(text, 'T'))) return std::nullopt;
  const auto time = take_time(text);
  if (!time) return std::nullopt;
  long long minutes = 0;
  if (with_zone && !text.empty()) {
    const auto zone = take_zone(text);
    if (!zone) return std::nullopt;
    minutes = *zone;
  }
  if (!text.empty()) return std::nullopt;
  const Int128 value = Int128{*days} * 86'400'000'000LL + *time - Int128{minutes} * 60'000'000;
  if (value >= INT64_MAX || value <= -INT64_MAX) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

inline int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const std::string l = lower({&c, 1});
  return l[0] >= 'a' && l[0] <= 'f' ? l[0] - 'a' + 10 : -1;
}

inline std::optional<Int128> uuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  UInt128 value = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    const int digit = hex_digit(text[i]);
    if (is_dash ? text[i] != '-' : digit < 0) return std::nullopt;
    if (!is_dash) value = value * 16 + static_cast<unsigned>(digit);
  }
  return static_cast<Int128>(value ^ (UInt128{1} << 127));
}

inline std::optional<std::string> blob(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    if (!take(text, '\\')) {
      bytes += text[0];
      text.remove_prefix(1);
      continue;
    }
    if (text.size() < 3 || text[0] != 'x') return std::nullopt;
    const int high = hex_digit(text[1]);
    const int low = hex_digit(text[2]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
    text.remove_prefix(3);
  }
  return bytes;
}

template <class T, class Value>
std::optional<std::string> bytes_of(const std::optional<Value>& value) {
  if (!value) return std::nullopt;
  const T stored = static_cast<T>(*value);
  return std::string(reinterpret_cast<const char*>(&stored), sizeof(stored));
}

template <class T>
std::optional<std::string> integer_bytes(std::string_view text) {
  return bytes_of<T>(integer(text, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

// The bytes of the value in memory, or of the string; nullopt: it is no such value.
inline std::optional<std::string> parse(Type type, std::string_view text) {
  switch (type.id) {
    case TypeId::boolean: {
      const std::string word = lower(text);
      for (const char* yes : {"true", "t", "yes", "y", "1"}) {
        if (word == yes) return std::string(1, '\1');
      }
      for (const char* no : {"false", "f", "no", "n", "0"}) {
        if (word == no) return std::string(1, '\0');
      }
      return std::nullopt;
    }
    case TypeId::tinyint: return integer_bytes<std::int8_t>(text);
    case TypeId::smallint: return integer_bytes<std::int16_t>(text);
    case TypeId::integer: return integer_bytes<std::int32_t>(text);
    case TypeId::bigint: return integer_bytes<std::int64_t>(text);
    case TypeId::utinyint: return integer_bytes<std::uint8_t>(text);
    case TypeId::usmallint: return integer_bytes<std::uint16_t>(text);
    case TypeId::uinteger: return integer_bytes<std::uint32_t>(text);
    case TypeId::ubigint: return integer_bytes<std::uint64_t>(text);
    case TypeId::hugeint: {
      const Int128 most = static_cast<Int128>((UInt128{1} << 127) - 1);
      return bytes_of<Int128>(integer(text, -most - 1, most));
    }
    case TypeId::real: return bytes_of<float>(floating<float>(text));
    case TypeId::double_: return bytes_of<double>(floating<double>(text));
    case TypeId::decimal: {
      const auto value = decimal(text, type.width, type.scale);
      switch (physical_bytes(physical_type(type))) {
        case 2: return bytes_of<std::int16_t>(value);
        case 4: return bytes_of<std::int32_t>(value);
        case 8: return bytes_of<std::int64_t>(value);
        default: return bytes_of<Int128>(value);
      }
    }
    case TypeId::date: return bytes_of<std::int32_t>(date(text));
    case TypeId::time: {
      const auto time = take_time(text);
      return text.empty() ? bytes_of<std::int64_t>(time) : std::nullopt;
    }
    case TypeId::timestamp: return bytes_of<std::int64_t>(timestamp(text, false));
    case TypeId::timestamptz: return bytes_of<std::int64_t>(timestamp(text, true));
    case TypeId::uuid: return bytes_of<Int128>(uuid(text));
    case TypeId::blob: return blob(text);
    case TypeId::varchar: return std::string(text);
    case TypeId::json:  // these have suites of their own
    case TypeId::list:
    case TypeId::struct_: return std::nullopt;
  }
  return std::nullopt;
}

// The offset of the first byte that is not part of a character of UTF-8.
inline std::optional<std::size_t> find_not_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = [&](std::size_t i) -> unsigned {
      return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const unsigned lead = byte(at);
    const std::size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3
                               : lead >> 3 == 30 ? 4 : 0;
    if (length == 0) return at;
    unsigned character = length == 1 ? lead : lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
      if (byte(at + i) >> 6 != 2) return at;
      character = character << 6 | (byte(at + i) & 0x3F);
    }
    constexpr unsigned least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const bool is_surrogate = character >= 0xD800 && character < 0xE000;
    if (character < least[length] || character > 0x10FFFF || is_surrogate) return at;
    at += length;
  }
  return std::nullopt;
}

}  // namespace tranche::reference
