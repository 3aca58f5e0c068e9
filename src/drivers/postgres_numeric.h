// PostgreSQL's numeric in binary: digits to the base of 10000, next to our scaled integers.
//
//   i16 number of digits, i16 weight of the first one (10000^weight), u16 sign, u16 display scale,
//   then i16 a digit, all big-endian.
//
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tranche/core/type.h>

#include "drivers/big_endian.h"

namespace tranche::postgres_numeric {

inline constexpr std::uint16_t negative = 0x4000;
inline constexpr std::uint16_t not_a_number = 0xC000;
inline constexpr std::uint16_t infinity = 0xD000;
inline constexpr std::uint16_t minus_infinity = 0xF000;
inline constexpr std::size_t bytes_max = 8 + 2 * 12;  // 41 digits in 12 groups

template <class Magnitude>
char* write_magnitude(char* out, Magnitude magnitude, bool is_negative, unsigned scale) {
  constexpr unsigned powers[] = {1, 10, 100, 1000};
  const unsigned groups_behind_point = (scale + 3) / 4;
  std::uint16_t digits[12];  // last one first
  unsigned count = 0;
  if (const unsigned rest = scale % 4; rest != 0 && magnitude != 0) {  // the last group is short
    digits[count++] = static_cast<std::uint16_t>(magnitude % powers[rest] * powers[4 - rest]);
    magnitude /= powers[rest];
  }
  while (magnitude != 0) {
    digits[count++] = static_cast<std::uint16_t>(magnitude % 10000);
    magnitude /= 10000;
  }
  unsigned zeros = 0;  // digits at the end that nobody needs
  while (zeros < count && digits[zeros] == 0) ++zeros;
  out = put_big_endian(out, static_cast<std::uint16_t>(count - zeros));
  const int weight = static_cast<int>(count) - static_cast<int>(groups_behind_point) - 1;
  out = put_big_endian(out, static_cast<std::uint16_t>(count == 0 ? 0 : weight));
  out = put_big_endian(out, static_cast<std::uint16_t>(is_negative ? negative : 0));
  out = put_big_endian(out, static_cast<std::uint16_t>(scale));
  for (unsigned i = count; i > zeros; --i) out = put_big_endian(out, digits[i - 1]);
  return out;
}

// `value` / 10^scale. REQUIRES bytes_max of room; returns the end.
inline char* write(char* out, Int128 value, unsigned scale) {
  const bool is_negative = value < 0;
  const auto bits = static_cast<UInt128>(value);
  const UInt128 magnitude = is_negative ? -bits : bits;
  if (magnitude <= UINT64_MAX) [[likely]] {  // where division is quick
    return write_magnitude(out, static_cast<std::uint64_t>(magnitude), is_negative, scale);
  }
  return write_magnitude(out, magnitude, is_negative, scale);
}

enum class Status { ok, malformed, not_finite, too_precise, out_of_range };
// The value times 10^scale, exactly.
Status read(std::string_view bytes, unsigned scale, Int128& value);
// "-12.50", "NaN": as PostgreSQL writes it; nullopt: the bytes are malformed.
std::optional<std::string> to_text(std::string_view bytes);

}  // namespace tranche::postgres_numeric
