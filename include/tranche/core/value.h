// Values as text: what CSV fields, parameters and messages are made of.
//
// Parsing is strict: the whole text is consumed, without blanks around it, and a value that its
// type can't hold exactly is refused, never rounded (floats excepted: they take the nearest value).
// Writing is canonical, and what is written parses back to the same value.
//
// Threads: pure functions, thread-safe. Lifetime: strings point into the text or into the arena.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include <tranche/core/page.h>
#include <tranche/core/type.h>

namespace tranche {

enum class ParseStatus : std::uint8_t {
  ok,
  malformed,     // not of the type's form, or no such day in the calendar
  out_of_range,  // of the form, but beyond what the type holds
  too_precise,   // digits other than 0 behind the decimal's scale, or beyond microseconds
};

// Parses `text` into `out`, which has room for physical_bytes(physical_type(type)). Nothing is null
// here: an empty text is malformed, or the empty string. A varchar or json refers to `text` itself
// (UTF-8 is the caller's business); a blob with escapes is made in `arena`. REQUIRES no nested one.
ParseStatus parse_value(Type type, std::string_view text, void* out, Arena& arena);

// true false t f yes no y n 1 0, in any case.
ParseStatus parse_boolean(std::string_view text, std::uint8_t& out);
// Digits with an optional sign, of any integer type up to Int128.
template <class T> ParseStatus parse_integer(std::string_view text, T& out);
// The value scaled by 10^scale: an optional sign, digits, and digits behind a point. REQUIRES a T
// of at least the physical type of decimal(width,scale).
template <class T>
ParseStatus parse_decimal(std::string_view text, unsigned width, unsigned scale, T& out);
ParseStatus parse_decimal128(std::string_view text, unsigned width, unsigned scale, Int128& out);
// Decimal notation with an optional exponent, inf, infinity, nan; the nearest float.
ParseStatus parse_float(std::string_view text, float& out);
ParseStatus parse_float(std::string_view text, double& out);
// YYYY-MM-DD; a year beyond 9999 or before 0 has a sign: +12026-01-31.
ParseStatus parse_date(std::string_view text, std::int32_t& days);
// HH:MM:SS, up to six digits behind a point.
ParseStatus parse_time(std::string_view text, std::int64_t& microseconds);
// A date and a time with a blank or a T between them; a zone is malformed.
ParseStatus parse_timestamp(std::string_view text, std::int64_t& microseconds);
// The same with an optional zone behind it: Z, +hh, +hhmm or +hh:mm; without one it is UTC.
ParseStatus parse_timestamptz(std::string_view text, std::int64_t& microseconds);
// 8-4-4-4-12 hexadecimal digits.
ParseStatus parse_uuid(std::string_view text, Int128& out);
// Bytes as they are; \xHH is one byte, a backslash otherwise is malformed (as DuckDB writes blobs).
ParseStatus parse_blob(std::string_view text, Arena& arena, StringRef& out);

// What is wrong, for a person: `"12,x" is not a decimal(12,2)`. No full stop. REQUIRES not ok.
std::string describe_parse(ParseStatus status, Type type, std::string_view text);

// One value of JSON, with blanks around it or not; UTF-8 is the caller's business.
ParseStatus parse_json(std::string_view text, StringRef& out);

// The longest text of a value that is neither string nor nested.
inline constexpr std::size_t value_text_bytes_max = 64;
// Writes a value that is neither string nor nested; returns the end. REQUIRES value_text_bytes_max
// bytes of room. ISO 8601 (2026-01-31T12:34:56.789, 0, 3 or 6 digits behind the point, a Z behind a
// timestamptz), decimals with their full scale, shortest floats that parse back, true and false.
char* write_value_text(char* out, Type type, const void* value);
// The same for the commonest types, without a look at the type: a whole number, one with `scale`
// (at most 18) digits behind the point, a timestamp.
char* write_integer(char* out, std::int64_t value);
char* write_decimal(char* out, std::int64_t scaled, unsigned scale);
char* write_timestamp(char* out, std::int64_t microseconds);
// The value as CSV output writes it; blobs with \xHH escapes, nested ones as JSON. Nulls: nothing.
void append_value_text(std::string& out, const Column& column, std::size_t row);
// The same for a single value. REQUIRES no nested type.
void append_value_text(std::string& out, Type type, const void* value);
// The value as JSON in UTF-8: numbers and booleans as such, lists as arrays, structs as objects,
// json as it is, everything else as strings, blobs in hexadecimal; nulls as null.
void append_json_value(std::string& out, const Column& column, std::size_t row);

// Days since 1970-01-01 of a day in the proleptic Gregorian calendar, and back. Howard Hinnant,
// "chrono-Compatible Low-Level Date Algorithms":
// https://howardhinnant.github.io/date_algorithms.html
struct CivilDay {
  std::int64_t year = 1970;  // astronomical: the year before 1 is 0
  unsigned month = 1;
  unsigned day = 1;
};
constexpr std::int64_t days_from_civil(CivilDay civil) {
  const std::int64_t year = civil.year - (civil.month <= 2 ? 1 : 0);
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year =
      (153 * (civil.month > 2 ? civil.month - 3 : civil.month + 9) + 2) / 5 + civil.day - 1;
  const unsigned day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}
CivilDay civil_from_days(std::int64_t days);
unsigned days_of_month(std::int64_t year, unsigned month);  // REQUIRES 1 <= month <= 12

// ---- What follows are the inline bodies that the column kernels need.

namespace value_detail {
ParseStatus parse_integer128(std::string_view text, Int128& out);
constexpr unsigned digit(char c) {  // 10 or more: no digit
  return static_cast<unsigned>(static_cast<unsigned char>(c)) - '0';
}
inline constexpr std::uint64_t powers_of_10[19] = {1ULL,
                                                   10ULL,
                                                   100ULL,
                                                   1000ULL,
                                                   10000ULL,
                                                   100000ULL,
                                                   1000000ULL,
                                                   10000000ULL,
                                                   100000000ULL,
                                                   1000000000ULL,
                                                   10000000000ULL,
                                                   100000000000ULL,
                                                   1000000000000ULL,
                                                   10000000000000ULL,
                                                   100000000000000ULL,
                                                   1000000000000000ULL,
                                                   10000000000000000ULL,
                                                   100000000000000000ULL,
                                                   1000000000000000000ULL};
}  // namespace value_detail

template <class T>
ParseStatus parse_integer(std::string_view text, T& out) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const bool negative = p != end && *p == '-';
  if (p != end && (*p == '-' || *p == '+')) ++p;
  const std::size_t digits = static_cast<std::size_t>(end - p);
  if (digits == 0) return ParseStatus::malformed;
  if (sizeof(T) > 8 || digits > 18) [[unlikely]] {  // beyond what 64 bits surely hold
    Int128 wide = 0;
    const ParseStatus status = value_detail::parse_integer128(text, wide);
    if (status != ParseStatus::ok) return status;
    const Int128 low = std::is_same_v<T, Int128> ? wide : Int128{std::numeric_limits<T>::min()};
    const Int128 high = std::is_same_v<T, Int128> ? wide : Int128{std::numeric_limits<T>::max()};
    if (wide < low || wide > high) return ParseStatus::out_of_range;
    out = static_cast<T>(wide);
    return ParseStatus::ok;
  }
  std::int64_t value = 0;
  for (; p != end; ++p) {
    const unsigned d = value_detail::digit(*p);
    if (d > 9) return ParseStatus::malformed;
    value = value * 10 + static_cast<std::int64_t>(d);
  }
  if (negative) value = -value;
  if constexpr (std::is_same_v<T, std::uint64_t>) {
    if (value < 0) return ParseStatus::out_of_range;
  } else if constexpr (sizeof(T) < 8) {
    if (value < std::int64_t{std::numeric_limits<T>::min()} ||
        value > std::int64_t{std::numeric_limits<T>::max()})
      return ParseStatus::out_of_range;
  }
  out = static_cast<T>(value);
  return ParseStatus::ok;
}

template <class T>
ParseStatus parse_decimal(std::string_view text, unsigned width, unsigned scale, T& out) {
  const char* p = text.data();
  const char* const end = p + text.size();
  if (width <= 18 && text.size() <= 18) [[likely]] {  // all its digits fit into 64 bits
    const bool negative = p != end && *p == '-';
    if (p != end && (*p == '-' || *p == '+')) ++p;
    const char* const first = p;
    std::uint64_t value = 0;
    unsigned d = 0;
    while (p != end && (d = value_detail::digit(*p)) <= 9) value = value * 10 + d, ++p;
    std::size_t digits = static_cast<std::size_t>(p - first);
    std::size_t fraction = 0;
    if (p != end && *p == '.') {
      const char* const point = p++;
      while (p != end && (d = value_detail::digit(*p)) <= 9) value = value * 10 + d, ++p;
      fraction = static_cast<std::size_t>(p - point) - 1;
      digits += fraction;
    }
    if (p != end || digits == 0) return ParseStatus::malformed;
    if (fraction <= scale && scale - fraction + digits <= 19 - 1) [[likely]] {
      value *= value_detail::powers_of_10[scale - fraction];
      if (value >= value_detail::powers_of_10[width]) return ParseStatus::out_of_range;
      out = negative ? static_cast<T>(-static_cast<std::int64_t>(value)) : static_cast<T>(value);
      return ParseStatus::ok;
    }
  }
  Int128 wide = 0;
  const ParseStatus status = parse_decimal128(text, width, scale, wide);
  if (status == ParseStatus::ok) out = static_cast<T>(wide);
  return status;
}

}  // namespace tranche
