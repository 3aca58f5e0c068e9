// Numbers: text -> integers, decimals and floats.
#include <cmath>

#include <fast_float/fast_float.h>

#include <tranche/core/value.h>

namespace tranche {
namespace {

using value_detail::digit;

constexpr UInt128 int128_magnitude_max = UInt128{1} << 127;  // of the lowest value

// Appends a digit. False: more than 128 bits.
bool push_digit(UInt128& value, unsigned d) {
  UInt128 times_ten = 0;
  return !__builtin_mul_overflow(value, UInt128{10}, &times_ten) &&
         !__builtin_add_overflow(times_ten, UInt128{d}, &value);
}

template <class T>
ParseStatus parse_float_of(std::string_view text, T& out) {
  const char* p = text.data();
  const char* const end = p + text.size();
  if (p != end && *p == '+') {  // fast_float takes no plus sign
    ++p;
    if (p != end && *p == '-') return ParseStatus::malformed;
  }
  T value = 0;
  const auto answer = fast_float::from_chars(p, end, value);
  if (answer.ec != std::errc() || answer.ptr != end) return ParseStatus::malformed;
  if (end[-1] == ')') return ParseStatus::malformed;  // C's nan(1): its payload would be lost
  // An infinity that was written as digits is a number that the type can't hold.
  if (std::isinf(value) && (digit(end[-1]) <= 9 || end[-1] == '.')) {
    return ParseStatus::out_of_range;
  }
  out = value;
  return ParseStatus::ok;
}

}  // namespace

ParseStatus parse_float(std::string_view text, float& out) { return parse_float_of(text, out); }
ParseStatus parse_float(std::string_view text, double& out) { return parse_float_of(text, out); }

ParseStatus value_detail::parse_integer128(std::string_view text, Int128& out) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const bool negative = p != end && *p == '-';
  if (p != end && (*p == '-' || *p == '+')) ++p;
  if (p == end) return ParseStatus::malformed;
  UInt128 magnitude = 0;
  bool fits = true;
  for (; p != end; ++p) {  // to the end even when it is too large: a letter makes it malformed
    const unsigned d = digit(*p);
    if (d > 9) return ParseStatus::malformed;
    fits = fits && push_digit(magnitude, d);
  }
  if (!fits || magnitude > int128_magnitude_max - (negative ? 0 : 1)) {
    return ParseStatus::out_of_range;
  }
  out = static_cast<Int128>(negative ? UInt128{0} - magnitude : magnitude);
  return ParseStatus::ok;
}

ParseStatus parse_decimal128(std::string_view text, unsigned width, unsigned scale, Int128& out) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const bool negative = p != end && *p == '-';
  if (p != end && (*p == '-' || *p == '+')) ++p;
  UInt128 value = 0;
  bool fits = true;
  bool any = false;
  bool lost = false;
  unsigned d = 0;
  for (; p != end && (d = digit(*p)) <= 9; ++p) {
    fits = fits && push_digit(value, d);
    any = true;
  }
  unsigned fraction = 0;
  if (p != end && *p == '.') {
    for (++p; p != end && (d = digit(*p)) <= 9; ++p) {
      any = true;
      if (fraction == scale) {
        lost = lost || d != 0;
        continue;
      }
      fits = fits && push_digit(value, d);
      ++fraction;
    }
  }
  if (p != end || !any) return ParseStatus::malformed;
  for (; fraction < scale; ++fraction) fits = fits && push_digit(value, 0);
  UInt128 limit = 1;
  for (unsigned i = 0; i < width; ++i) limit *= 10;
  if (!fits || value >= limit) return ParseStatus::out_of_range;
  if (lost) return ParseStatus::too_precise;
  out = negative ? -static_cast<Int128>(value) : static_cast<Int128>(value);
  return ParseStatus::ok;
}

}  // namespace tranche
