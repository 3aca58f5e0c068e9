// Values of JSON in their usual form, without a loop over their bytes. What is anything else (an
// exponent, an escape, a mistake) is answered with nullptr, and json_text.h judges it from its
// beginning; so these only ever say yes to what it would take for the same value.
//
// Threads: pure. REQUIRES of every function: search_padding_bytes readable behind `end`.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "formats/byte_search.h"
#include "formats/number_kernels.h"

namespace tranche::json_kernels {

// The digits at `p`, up to 15 of them, as a number; returns the end, nullptr where there are none
// or more.
[[gnu::always_inline]] inline const char* read_digits(const char* p, std::uint64_t& value) {
  constexpr std::uint64_t zeros = 0x3030303030303030ULL;
  const auto values_at = [](const char* at) { return number_detail::load64(at) ^ zeros; };
  const auto digits_in = [](std::uint64_t values) {  // a byte above 9 has its high bit set
    const std::uint64_t others =
        ((values + 0x7676767676767676ULL) | values) & 0x8080808080808080ULL;
    return static_cast<unsigned>(std::countr_zero(others)) / 8;  // 8 where all of them are digits
  };
  const auto number_of = [](std::uint64_t values, unsigned count) {
    return number_detail::join_digits(values << (8 * (8 - count)));
  };
  const std::uint64_t first = values_at(p);
  const unsigned count = digits_in(first);
  if (count == 0) return nullptr;
  value = number_of(first, count);
  if (count < 8) [[likely]] return p + count;
  const std::uint64_t second = values_at(p + 8);
  const unsigned more = digits_in(second);
  if (more == 8) return nullptr;
  if (more > 0) value = value * value_detail::powers_of_10[more] + number_of(second, more);
  return p + 8 + more;
}

struct Number {
  std::uint64_t whole = 0;
  std::uint64_t fraction = 0;   // the digits behind the point, as a number
  unsigned whole_digits = 0;
  unsigned fraction_digits = 0;
  bool negative = false;
};

[[gnu::always_inline]] inline const char* read_number(const char* p, const char* end,
                                                      Number& number) {
  number.negative = *p == '-';
  if (number.negative) ++p;
  const char* stop = read_digits(p, number.whole);
  if (stop == nullptr) return nullptr;
  number.whole_digits = static_cast<unsigned>(stop - p);
  if (*p == '0' && number.whole_digits > 1) return nullptr;
  if (*stop == '.') {
    const char* const fraction = stop + 1;
    stop = read_digits(fraction, number.fraction);
    if (stop == nullptr) return nullptr;
    number.fraction_digits = static_cast<unsigned>(stop - fraction);
  }
  return (*stop | 0x20) == 'e' || stop > end ? nullptr : stop;
}

template <class T>
[[gnu::always_inline]] inline const char* read_integer(const char* p, const char* end, T& out) {
  const bool negative = *p == '-';
  if (negative) ++p;
  std::uint64_t magnitude = 0;
  const char* const stop = read_digits(p, magnitude);
  if (stop == nullptr || stop > end) return nullptr;
  if (*stop == '.' || (*stop | 0x20) == 'e' || (*p == '0' && stop - p > 1)) return nullptr;
  const std::int64_t value =
      negative ? -static_cast<std::int64_t>(magnitude) : static_cast<std::int64_t>(magnitude);
  if (!std::in_range<T>(value)) return nullptr;
  out = static_cast<T>(value);
  return stop;
}

// REQUIRES a width of at most 18.
template <class T>
[[gnu::always_inline]] inline const char* read_decimal(const char* p, const char* end,
                                                       unsigned width, unsigned scale, T& out) {
  Number number;
  const char* const stop = read_number(p, end, number);
  if (stop == nullptr || number.fraction_digits > scale || number.whole_digits + scale > 18) {
    return nullptr;
  }
  const std::uint64_t value =
      number.whole * value_detail::powers_of_10[scale] +
      number.fraction * value_detail::powers_of_10[scale - number.fraction_digits];
  if (value >= value_detail::powers_of_10[width]) return nullptr;
  const auto magnitude = static_cast<std::int64_t>(value);
  out = static_cast<T>(number.negative ? -magnitude : magnitude);
  return stop;
}

[[gnu::always_inline]] inline const char* read_double(const char* p, const char* end,
                                                      double& out) {
  Number number;
  const char* const stop = read_number(p, end, number);
  if (stop == nullptr || number.whole_digits + number.fraction_digits > 15) return nullptr;
  // Both the digits and the power are exact doubles: one division rounds once, and so rightly.
  const std::uint64_t power = value_detail::powers_of_10[number.fraction_digits];
  const double magnitude =
      static_cast<double>(number.whole * power + number.fraction) / static_cast<double>(power);
  out = number.negative ? -magnitude : magnitude;
  return stop;
}

// The quote that closes the string whose inside begins at `p`, where nothing in it is escaped.
[[gnu::always_inline]] inline const char* find_closing_quote(const char* p, const char* end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i control = _mm_set1_epi8(0x1F);
  const auto stops = [&](const char* at) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i found = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash)),
        _mm_cmpeq_epi8(_mm_min_epu8(block, control), block));
    return static_cast<unsigned>(_mm_movemask_epi8(found));
  };
  for (; p < end; p += 32) {  // two at a time: most strings end within them
    const unsigned mask = stops(p) | stops(p + 16) << 16;
    if (mask == 0) continue;
    p += std::countr_zero(mask);
    return p < end && *p == '"' ? p : nullptr;
  }
  return nullptr;
#else
  while (p < end && *p != '"' && *p != '\\' && static_cast<unsigned char>(*p) >= 0x20) ++p;
  return p < end && *p == '"' ? p : nullptr;
#endif
}

}  // namespace tranche::json_kernels
