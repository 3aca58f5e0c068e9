// Numbers and times of day -> digits, many at once in a word and without a loop.
//
// How long a number is, is found out before its digits are: what follows it then need not wait for
// them. REQUIRES of every function: 8 writable bytes behind what it writes.
//
// Threads: pure.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include <tranche/core/value.h>

namespace tranche {

inline constexpr std::uint64_t eight_digits_limit = 100'000'000;
inline constexpr std::uint64_t eight_zeros = 0x3030303030303030ULL;  // as text

// The eight digits of a number below 10^8, the first one in the lowest byte, each as its value.
// Paul Khuong, "How to print integers really fast", https://pvk.ca/Blog/2017/12/22/.
inline std::uint64_t eight_digits(std::uint64_t value) {
  const std::uint64_t halves = (value / 10000) | ((value % 10000) << 32);
  const std::uint64_t hundreds = ((halves * 10486) >> 20) & 0x0000007F0000007FULL;
  const std::uint64_t pairs = hundreds | ((halves - 100 * hundreds) << 16);
  const std::uint64_t tens = ((pairs * 103) >> 10) & 0x000F000F000F000FULL;
  return tens | ((pairs - 10 * tens) << 8);
}

inline std::uint64_t eight_digits_text(std::uint64_t value) {
  return eight_digits(value) | eight_zeros;
}

// How many digits a number below 10^8 has: Daniel Lemire, "Computing the number of digits of an
// integer even faster", https://lemire.me/blog/2021/06/03/.
inline unsigned digit_count(std::uint64_t value) {
  struct Table {
    std::uint64_t of_bits[27] = {};
    constexpr Table() {
      for (unsigned bits = 0; bits < 27; ++bits) {  // of numbers with `bits` bits behind the first
        std::uint64_t power = 10;
        std::uint64_t digits = 1;
        for (; power <= std::uint64_t{1} << bits; power *= 10) ++digits;
        const bool grows = power < std::uint64_t{2} << bits;  // within these numbers
        of_bits[bits] = grows ? ((digits + 1) << 32) - power : digits << 32;
      }
    }
  };
  static constexpr Table table;
  return static_cast<unsigned>((value + table.of_bits[std::bit_width(value | 1) - 1]) >> 32);
}

// How many of eight digits are zeros before the last `kept` (1 to 8), which are not looked at.
inline unsigned zeros_in_front(std::uint64_t text, unsigned kept) {
  const std::uint64_t stop = std::uint64_t{1} << (8 * (8 - kept));
  return static_cast<unsigned>(std::countr_zero((text ^ eight_zeros) | stop)) / 8;
}

inline char* put_word(char* out, std::uint64_t word, unsigned bytes) {
  std::memcpy(out, &word, sizeof word);
  return out + bytes;
}

// Exactly `digits` digits, with zeros in front.
inline char* put_padded(char* out, std::uint64_t value, unsigned digits) {
  for (unsigned i = digits; i-- > 0; value /= 10) out[i] = static_cast<char>('0' + value % 10);
  return out + digits;
}

inline char* put_unsigned(char* out, std::uint64_t value) {
  if (value < eight_digits_limit) [[likely]] {
    const unsigned digits = digit_count(value);
    return put_word(out, eight_digits_text(value) >> (8 * (8 - digits)), digits);
  }
  std::uint64_t front = value / eight_digits_limit;
  const std::uint64_t back = value % eight_digits_limit;
  if (front >= eight_digits_limit) {
    out = put_unsigned(out, front / eight_digits_limit);
    out = put_word(out, eight_digits_text(front % eight_digits_limit), 8);
  } else {
    out = put_unsigned(out, front);
  }
  return put_word(out, eight_digits_text(back), 8);
}

inline char* put_sign(char* out, bool negative) {
  *out = '-';
  return out + (negative ? 1 : 0);
}

inline char* put_integer(char* out, std::int64_t value) {
  out = put_sign(out, value < 0);
  const auto magnitude = static_cast<std::uint64_t>(value);
  return put_unsigned(out, value < 0 ? 0 - magnitude : magnitude);
}

// A number with `scale` digits behind the point. REQUIRES 1 <= scale <= 18.
inline char* put_decimal64(char* out, std::int64_t scaled, unsigned scale) {
  out = put_sign(out, scaled < 0);
  auto magnitude = static_cast<std::uint64_t>(scaled);
  if (scaled < 0) magnitude = 0 - magnitude;
  if (magnitude < eight_digits_limit && scale < 8) [[likely]] {
    const unsigned counted = digit_count(magnitude);
    const unsigned digits = counted > scale ? counted : scale + 1;  // with a zero before the point
    const std::uint64_t text = eight_digits_text(magnitude);
    out = put_word(out, text >> (8 * (8 - digits)), digits - scale);
    *out++ = '.';
    return put_word(out, text >> (8 * (8 - scale)), scale);
  }
  const std::uint64_t unit = value_detail::powers_of_10[scale];
  out = put_unsigned(out, magnitude / unit);
  *out++ = '.';
  return put_padded(out, magnitude % unit, scale);
}

// The same for numbers whose eight digits are at hand as text; 0: they have more.
inline char* put_integer(char* out, std::int64_t value, std::uint64_t text) {
  if (text == 0) [[unlikely]]
    return put_integer(out, value);
  out = put_sign(out, value < 0);
  const unsigned zeros = zeros_in_front(text, 1);
  return put_word(out, text >> (8 * zeros), 8 - zeros);
}
inline char* put_decimal64(char* out, std::int64_t scaled, unsigned scale, std::uint64_t text) {
  if (text == 0 || scale > 7) [[unlikely]]
    return put_decimal64(out, scaled, scale);
  out = put_sign(out, scaled < 0);
  const unsigned zeros = zeros_in_front(text, scale + 1);
  out = put_word(out, text >> (8 * zeros), 8 - zeros - scale);
  *out++ = '.';
  return put_word(out, text >> (8 * (8 - scale)), scale);
}

// HH:MM:SS and 0, 3 or 6 digits behind a point, as the value needs. REQUIRES 0 to 24 hours.
inline char* put_time(char* out, std::int64_t microseconds) {
  const auto of_day = static_cast<std::uint64_t>(microseconds);
  const auto seconds = static_cast<std::uint32_t>(of_day / 1'000'000);
  const auto rest = static_cast<std::uint32_t>(of_day % 1'000'000);
  // Three numbers of two digits, each in the byte of its first digit.
  const std::uint64_t numbers = std::uint64_t{seconds / 3600} |
                                std::uint64_t{seconds / 60 % 60} << 24 |
                                std::uint64_t{seconds % 60} << 48;
  const std::uint64_t tens = ((numbers * 103) >> 10) & 0x000F00000F00000FULL;
  constexpr std::uint64_t form = 0x30303A30303A3030ULL;  // 00:00:00
  out = put_word(out, form | tens | ((numbers - 10 * tens) << 8), 8);
  const std::uint32_t thousandths = rest / 1000;
  if (thousandths * 1000 != rest) {
    const std::uint64_t six_digits = eight_digits_text(rest) >> 8 & ~std::uint64_t{0xFF};
    return put_word(out, six_digits | '.', 7);
  }
  if (thousandths == 0) return out;
  const std::uint32_t hundreds = (thousandths * 41) >> 12;
  const std::uint32_t below_hundred = thousandths - 100 * hundreds;
  const std::uint32_t tens_of_them = (below_hundred * 103) >> 10;
  const std::uint32_t ones = below_hundred - 10 * tens_of_them;
  const std::uint32_t text = 0x3030302E | hundreds << 8 | tens_of_them << 16 | ones << 24;  // .000
  std::memcpy(out, &text, sizeof text);
  return out + sizeof text;
}

}  // namespace tranche
