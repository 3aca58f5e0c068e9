// Numbers out of the middle of a text, eight digits at a time and without a loop over them.
//
// Eight ASCII digits in a 64-bit word become a number by three multiplications: Daniel Lemire,
// "Quickly parsing eight digits",
// https://lemire.me/blog/2022/01/21/swar-explained-parsing-eight-digits/.
// What is no plain number of the usual form (a plus sign, more digits, a mistake) is answered with
// false; core/value.h tells then.
//
// Threads: pure. REQUIRES of every function: number_padding_bytes readable before the text.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>

#include <tranche/core/value.h>

namespace tranche {

inline constexpr std::size_t number_padding_bytes = 16;

namespace number_detail {

inline std::uint64_t load64(const char* p) {
  std::uint64_t word = 0;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// The number that eight digits make, each the value of a byte, first digit lowest.
[[gnu::always_inline]] inline std::uint64_t join_digits(std::uint64_t word) {
  word = word * 10 + (word >> 8);
  constexpr std::uint64_t pairs = 0x000000FF000000FFULL;
  return ((word & pairs) * 0x000F424000000064ULL +
          ((word >> 16) & pairs) * 0x0000271000000001ULL) >> 32;
}

// The number that the last `length` (1 to 8) bytes of a word are, first digit lowest. False: one of
// them is no digit.
[[gnu::always_inline]] inline bool read_digits(std::uint64_t word, unsigned length,
                                               std::uint64_t& value) {
  constexpr std::uint64_t zeros = 0x3030303030303030ULL;
  const std::uint64_t kept = ~std::uint64_t{0} << (8 * (8 - length));
  word = (word & kept) | (zeros & ~kept);
  constexpr std::uint64_t high = 0xF0F0F0F0F0F0F0F0ULL;
  const std::uint64_t check = (word & high) | (((word + 0x0606060606060606ULL) & high) >> 4);
  value = join_digits(word - zeros);
  return check == 0x3333333333333333ULL;
}

// The number that the `length` (1 to 16) digits before `end` make.
[[gnu::always_inline]] inline bool read_digits_before(const char* end, unsigned length,
                                                      std::uint64_t& value) {
  if (length <= 8) [[likely]] return read_digits(load64(end - 8), length, value);
  std::uint64_t upper = 0;
  if (!read_digits(load64(end - 8), 8, value)) return false;
  if (!read_digits(load64(end - 16), length - 8, upper)) return false;
  value += upper * 100'000'000;
  return true;
}

template <class T>
bool store(std::uint64_t magnitude, bool negative, std::uint64_t magnitude_max, T& out) {
  if (magnitude > magnitude_max) return false;
  const auto value = static_cast<std::int64_t>(magnitude);
  out = static_cast<T>(negative ? -value : value);
  return true;
}

}  // namespace number_detail

template <class T>
[[gnu::always_inline]] inline bool read_integer(const char* text, unsigned length, T& out) {
  if (length == 0) return false;
  const bool negative = *text == '-';
  const unsigned digits = length - (negative ? 1U : 0U);
  std::uint64_t magnitude = 0;
  if (digits - 1 >= 16) return false;
  if (!number_detail::read_digits_before(text + length, digits, magnitude)) return false;
  if constexpr (std::is_unsigned_v<T>) {
    if (negative) return false;
  }
  constexpr std::uint64_t largest =
      sizeof(T) >= 8 ? UINT64_MAX : static_cast<std::uint64_t>(std::numeric_limits<T>::max());
  return number_detail::store(magnitude, negative, largest, out);
}

// A number of up to eight digits with exactly `scale` (1 to 7) of them behind a point, scaled.
template <class T>
[[gnu::always_inline]] inline bool read_decimal(const char* text, unsigned length, unsigned width,
                                                unsigned scale, T& out) {
  if (length == 0) return false;
  const bool negative = *text == '-';
  const unsigned digits = length - (negative ? 2U : 1U);
  if (digits - 1 >= 8 || digits < scale) return false;
  const char* const end = text + length;
  if (end[-1 - static_cast<int>(scale)] != '.') return false;
  // The digits before the point move one place up, over the point.
  const std::uint64_t fraction = ~std::uint64_t{0} << (8 * (8 - scale));
  const std::uint64_t word = (number_detail::load64(end - 8) & fraction) |
                             (number_detail::load64(end - 9) & ~fraction);
  std::uint64_t magnitude = 0;
  if (!number_detail::read_digits(word, digits, magnitude)) return false;
  const std::uint64_t largest = value_detail::powers_of_10[width < 18 ? width : 18] - 1;
  return number_detail::store(magnitude, negative, largest, out);
}

}  // namespace tranche
