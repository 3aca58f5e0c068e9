#include "formats/digit_kernels.h"

#include "base/simd.h"
#include "core/digits.h"

#if defined(TRANCHE_TARGET_AVX2)
#include <immintrin.h>
#endif

namespace tranche {
namespace {

template <class T> void write_portable(const T* values, std::size_t count, std::uint64_t* texts) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<std::uint64_t>(std::int64_t{values[i]});
    const std::uint64_t magnitude = values[i] < 0 ? 0 - value : value;
    texts[i] = magnitude < eight_digits_limit ? eight_digits_text(magnitude) : 0;
  }
}

#if defined(TRANCHE_TARGET_AVX2)

TRANCHE_INLINE_AVX2 __m256i load(const std::int64_t* values) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values));
}
TRANCHE_INLINE_AVX2 __m256i load(const std::int32_t* values) {
  return _mm256_cvtepi32_epi64(_mm_loadu_si128(reinterpret_cast<const __m128i*>(values)));
}

// The steps of eight_digits() of core/digits.h, in four words at once.
template <class T>
TRANCHE_TARGET_AVX2 void write_avx2(const T* values, std::size_t count, std::uint64_t* texts) {
  const __m256i zero = _mm256_setzero_si256();
  for (std::size_t i = 0; i < count; i += 4) {
    const __m256i value = load(values + i);
    const __m256i negative = _mm256_cmpgt_epi64(zero, value);
    const __m256i magnitude = _mm256_sub_epi64(_mm256_xor_si256(value, negative), negative);
    const __m256i is_long = _mm256_or_si256(
        _mm256_cmpgt_epi64(magnitude,
                           _mm256_set1_epi64x(static_cast<long long>(eight_digits_limit) - 1)),
        _mm256_cmpgt_epi64(zero, magnitude));  // the least number has no magnitude
    const __m256i front = _mm256_srli_epi64(
        _mm256_mul_epu32(magnitude, _mm256_set1_epi64x(3'518'437'209)), 45);  // by 10,000
    const __m256i back =
        _mm256_sub_epi64(magnitude, _mm256_mul_epu32(front, _mm256_set1_epi64x(10'000)));
    const __m256i halves = _mm256_or_si256(front, _mm256_slli_epi64(back, 32));
    const __m256i hundreds =
        _mm256_srli_epi16(_mm256_mulhi_epu16(halves, _mm256_set1_epi16(5243)), 3);
    const __m256i below_hundred =
        _mm256_sub_epi16(halves, _mm256_mullo_epi16(hundreds, _mm256_set1_epi16(100)));
    const __m256i pairs = _mm256_or_si256(hundreds, _mm256_slli_epi32(below_hundred, 16));
    const __m256i tens = _mm256_mulhi_epu16(pairs, _mm256_set1_epi16(6554));
    const __m256i ones = _mm256_sub_epi16(pairs, _mm256_mullo_epi16(tens, _mm256_set1_epi16(10)));
    const __m256i digits = _mm256_or_si256(tens, _mm256_slli_epi16(ones, 8));
    const __m256i text = _mm256_or_si256(digits, _mm256_set1_epi8('0'));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(texts + i), _mm256_andnot_si256(is_long, text));
  }
}

#endif

template <class T> void write_by_level(const T* values, std::size_t count, std::uint64_t* texts) {
#if defined(TRANCHE_TARGET_AVX2)
  if (simd_level() >= SimdLevel::avx2) return write_avx2(values, count, texts);
#endif
  write_portable(values, count, texts);
}

}  // namespace

void write_eight_digits(const std::int32_t* values, std::size_t count, std::uint64_t* texts) {
  write_by_level(values, count, texts);
}
void write_eight_digits(const std::int64_t* values, std::size_t count, std::uint64_t* texts) {
  write_by_level(values, count, texts);
}

}  // namespace tranche
