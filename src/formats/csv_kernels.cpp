#include "formats/csv_kernels.h"

#include <cstring>

#include <tranche/core/value.h>

#include "base/simd.h"
#include "formats/number_kernels.h"

#if defined(TRANCHE_TARGET_AVX2)
#include <immintrin.h>
#endif

namespace tranche {
namespace {

#if defined(TRANCHE_TARGET_AVX2)

using number_detail::load64;

TRANCHE_INLINE_AVX2 __m256i in_each(std::uint64_t word) {
  return _mm256_set1_epi64x(static_cast<long long>(word));
}

// The fields of four rows.
struct Quad {
  const CsvField* rows[4];

  TRANCHE_INLINE_AVX2 static Quad at(const CsvFieldColumn& column, std::size_t row) {
    const CsvField* const first = &column.at(row);
    const std::size_t stride = column.stride;
    return {{first, first + stride, first + 2 * stride, first + 3 * stride}};
  }
  TRANCHE_INLINE_AVX2 __m128i marks() const {
    return _mm_setr_epi32(static_cast<int>(rows[0]->marks), static_cast<int>(rows[1]->marks),
                          static_cast<int>(rows[2]->marks), static_cast<int>(rows[3]->marks));
  }
  // The 8 bytes that end `before` bytes before each field's end. REQUIRES fields without marks.
  TRANCHE_INLINE_AVX2 __m256i words(const char* base, std::uint32_t before) const {
    const char* const from = base - 8 - before;
    return _mm256_setr_epi64x(
        static_cast<long long>(load64(from + rows[0]->begin + rows[0]->marks)),
        static_cast<long long>(load64(from + rows[1]->begin + rows[1]->marks)),
        static_cast<long long>(load64(from + rows[2]->begin + rows[2]->marks)),
        static_cast<long long>(load64(from + rows[3]->begin + rows[3]->marks)));
  }
};

// Whether each of four numbers is one from `least` to `most`.
TRANCHE_INLINE_AVX2 bool all_within(__m128i numbers, std::uint32_t least, std::uint32_t most) {
  const __m128i above = _mm_sub_epi32(numbers, _mm_set1_epi32(static_cast<int>(least)));
  const __m128i largest = _mm_set1_epi32(static_cast<int>(most - least));
  return _mm_movemask_epi8(_mm_cmpeq_epi32(_mm_min_epu32(above, largest), above)) == 0xFFFF;
}

// The bytes of a number as the values of its digits, where all of them are digits.
TRANCHE_INLINE_AVX2 __m256i digits_of(__m256i words) {
  return _mm256_xor_si256(words, _mm256_set1_epi8('0'));
}

// All bits of each byte that is `minus` where `first` allows one.
TRANCHE_INLINE_AVX2 __m256i find_minus(__m256i digits, __m256i first) {
  return _mm256_and_si256(_mm256_cmpeq_epi8(digits, _mm256_set1_epi8('-' ^ '0')), first);
}

// Zero where bytes are digits, the first one lowest; they make the number.
TRANCHE_INLINE_AVX2 __m256i beyond_nine(__m256i digits) {
  return _mm256_subs_epu8(digits, _mm256_set1_epi8(9));
}
TRANCHE_INLINE_AVX2 __m256i join_digits(__m256i digits) {
  const __m256i pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010A));
  const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00010064));
  return _mm256_add_epi64(_mm256_mul_epu32(fours, in_each(10'000)), _mm256_srli_epi64(fours, 32));
}

TRANCHE_INLINE_AVX2 __m256i negate(__m256i numbers, __m256i negative) {
  return _mm256_sub_epi64(_mm256_xor_si256(numbers, negative), negative);
}

TRANCHE_INLINE_AVX2 void store(__m256i numbers, std::int64_t* out) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), numbers);
}
TRANCHE_INLINE_AVX2 void store(__m256i numbers, std::int32_t* out) {
  const __m256i low =
      _mm256_permutevar8x32_epi32(numbers, _mm256_setr_epi32(0, 2, 4, 6, 0, 0, 0, 0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(low));
}

// Reads the last `lengths` (1 to 8) bytes of each word; a minus may stand first, but for where
// `never_minus` has bits. False: something else stands there.
template <class T>
TRANCHE_INLINE_AVX2 bool read_words(__m256i words, __m128i lengths, __m256i never_minus, T* out) {
  const __m256i shifts =
      _mm256_sub_epi64(in_each(64), _mm256_slli_epi64(_mm256_cvtepu32_epi64(lengths), 3));
  const __m256i first = _mm256_sllv_epi64(in_each(0xFF), shifts);
  const __m256i kept = _mm256_sllv_epi64(in_each(~std::uint64_t{0}), shifts);
  __m256i digits = _mm256_and_si256(digits_of(words), kept);
  const __m256i minus = find_minus(digits, first);
  digits = _mm256_andnot_si256(minus, digits);
  const __m256i wrong = _mm256_or_si256(beyond_nine(digits), _mm256_and_si256(minus, never_minus));
  if (!_mm256_testz_si256(wrong, wrong)) return false;
  store(negate(join_digits(digits), _mm256_cmpeq_epi64(minus, first)), out);
  return true;
}

// The same for lengths of 1 to 16, in two words each.
TRANCHE_INLINE_AVX2 bool read_long_words(__m256i front, __m256i back, __m128i lengths,
                                         std::int64_t* out) {
  const __m256i bits = _mm256_slli_epi64(_mm256_cvtepu32_epi64(lengths), 3);
  // A shift by 64 or more, or by less than nothing, leaves nothing.
  const __m256i back_shifts = _mm256_sub_epi64(in_each(64), bits);
  const __m256i front_shifts = _mm256_sub_epi64(in_each(128), bits);
  const __m256i all = in_each(~std::uint64_t{0});
  const __m256i is_long = _mm256_cmpgt_epi64(bits, in_each(64));
  const __m256i back_kept = _mm256_or_si256(_mm256_sllv_epi64(all, back_shifts), is_long);
  const __m256i back_first = _mm256_sllv_epi64(in_each(0xFF), back_shifts);
  const __m256i front_first = _mm256_sllv_epi64(in_each(0xFF), front_shifts);
  __m256i back_digits = _mm256_and_si256(digits_of(back), back_kept);
  __m256i front_digits = _mm256_and_si256(digits_of(front), _mm256_sllv_epi64(all, front_shifts));
  const __m256i back_minus = find_minus(back_digits, back_first);
  const __m256i front_minus = find_minus(front_digits, front_first);
  back_digits = _mm256_andnot_si256(back_minus, back_digits);
  front_digits = _mm256_andnot_si256(front_minus, front_digits);
  const __m256i alone = _mm256_and_si256(back_minus, in_each(std::uint64_t{0xFF} << 56));
  const __m256i wrong =
      _mm256_or_si256(alone, _mm256_or_si256(beyond_nine(back_digits), beyond_nine(front_digits)));
  if (!_mm256_testz_si256(wrong, wrong)) return false;
  // Below 10^8, so that the product of two halves of a word is the whole product.
  const __m256i upper = _mm256_mul_epu32(join_digits(front_digits), in_each(100'000'000));
  const __m256i negative = _mm256_and_si256(_mm256_cmpeq_epi64(back_minus, back_first),
                                            _mm256_cmpeq_epi64(front_minus, front_first));
  store(negate(_mm256_add_epi64(upper, join_digits(back_digits)), negative), out);
  return true;
}

template <class T>
TRANCHE_TARGET_AVX2 std::size_t read_integers_avx2(const CsvFieldColumn& column, std::size_t row,
                                                   T* out) {
  const __m256i last_byte = in_each(std::uint64_t{0xFF} << 56);
  for (; row + 4 <= column.rows; row += 4) {
    const Quad quad = Quad::at(column, row);
    const __m128i lengths = quad.marks();
    if (all_within(lengths, 1, 8)) [[likely]] {
      if (!read_words(quad.words(column.base, 0), lengths, last_byte, out + row)) return row;
      continue;
    }
    if constexpr (sizeof(T) == 8) {
      if (all_within(lengths, 1, 16) &&
          read_long_words(quad.words(column.base, 8), quad.words(column.base, 0), lengths,
                          out + row)) {
        continue;
      }
    }
    return row;
  }
  return row;
}

template <class T>
TRANCHE_TARGET_AVX2 std::size_t read_decimals_avx2(const CsvFieldColumn& column, std::size_t row,
                                                   unsigned scale, T* out) {
  const std::uint64_t fraction_bits = ~std::uint64_t{0} << (8 * (8 - scale));
  const __m256i fraction = in_each(fraction_bits);
  const __m256i point_place = in_each((fraction_bits >> 8) & ~fraction_bits);
  const __m256i point = _mm256_and_si256(point_place, _mm256_set1_epi8('.'));
  for (; row + 4 <= column.rows; row += 4) {
    const Quad quad = Quad::at(column, row);
    const __m128i lengths = _mm_sub_epi32(quad.marks(), _mm_set1_epi32(1));  // without the point
    if (!all_within(lengths, scale, 8)) return row;
    const __m256i behind = quad.words(column.base, 0);
    const __m256i no_point = _mm256_xor_si256(_mm256_and_si256(behind, point_place), point);
    if (!_mm256_testz_si256(no_point, no_point)) return row;
    // The digits before the point move one place up, over the point.
    const __m256i words = _mm256_blendv_epi8(quad.words(column.base, 1), behind, fraction);
    if (!read_words(words, lengths, fraction, out + row)) return row;
  }
  return row;
}

#endif

}  // namespace

#if defined(TRANCHE_TARGET_AVX2)

class CsvTimestamps::Reading {
 public:
  TRANCHE_TARGET_AVX2 static std::size_t read(CsvTimestamps& timestamps,
                                              const CsvFieldColumn& column, std::size_t row,
                                              std::int64_t* out) {
    const CsvField* field = &column.at(row);
    for (; row < column.rows; ++row, field += column.stride) {
      const bool has_fraction = field->marks == 23;
      if (!has_fraction && field->marks != 19) return row;
      const char* const text = column.base + field->begin;
      const Month* const month = timestamps.find_month(load64(text));
      if (month == nullptr || !add_rest(text, has_fraction, *month, out[row])) return row;
    }
    return row;
  }

 private:
  // What stands behind the month: -DD hh:mm:ss.fff. False: it is no day of it, or no time.
  TRANCHE_INLINE_AVX2 static bool add_rest(const char* text, bool has_fraction, const Month& month,
                                           std::int64_t& out) {
    constexpr char usual[] = "-00 00:00:00.000";
    constexpr char with_t[] = "-00T00:00:00.000";
    const __m128i rest = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + 7));
    const __m128i pattern =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(text[10] == 'T' ? with_t : usual));
    const __m128i kept =
        _mm_cmpgt_epi8(_mm_set1_epi8(has_fraction ? 16 : 12),
                       _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    const __m128i digits = _mm_and_si128(_mm_xor_si128(rest, pattern), kept);
    const __m128i largest = _mm_setr_epi8(0, 9, 9, 0, 9, 9, 0, 9, 9, 0, 9, 9, 0, 9, 9, 9);
    // Hours, minutes, seconds, days, tens and ones of milliseconds: a number of two digits each.
    const __m128i order = _mm_setr_epi8(4, 5, 7, 8, 10, 11, 1, 2, 13, 14, 15, -1, -1, -1, -1, -1);
    const __m128i places = _mm_setr_epi8(10, 1, 10, 1, 10, 1, 10, 1, 100, 10, 1, 0, 0, 0, 0, 0);
    const __m128i numbers = _mm_maddubs_epi16(_mm_shuffle_epi8(digits, order), places);
    const __m128i wrong =
        _mm_or_si128(_mm_subs_epu8(digits, largest),
                     _mm_subs_epu16(numbers, _mm_setr_epi16(23, 59, 59, 99, 990, 9, 0, 0)));
    const auto day = static_cast<std::uint32_t>(_mm_extract_epi16(numbers, 3)) - 1;
    if (!_mm_testz_si128(wrong, wrong) || day >= month.days) return false;
    const __m128i sums = _mm_madd_epi16(numbers, _mm_setr_epi16(3600, 60, 1, 0, 1000, 1000, 0, 0));
    const auto time = static_cast<std::uint64_t>(_mm_cvtsi128_si64(sums));
    const std::int64_t seconds = static_cast<std::uint32_t>(time) + (time >> 32);
    out = month.begin + std::int64_t{day} * 86'400'000'000 + seconds * 1'000'000 +
          _mm_extract_epi32(sums, 2);
    return true;
  }
};

#endif

const CsvTimestamps::Month* CsvTimestamps::find_month(std::uint64_t text) {
  constexpr std::uint64_t multiplier = 0x9E3779B97F4A7C15ULL;  // spreads what differs in few bits
  Month& month = months_[text * multiplier >> (64 - month_bits)];
  if (month.text == text) [[likely]]
    return &month;
  char first_day[] = "YYYY-MM-01";
  std::memcpy(first_day, &text, sizeof text);
  std::int32_t day = 0;
  if (parse_date({first_day, 10}, day) != ParseStatus::ok) return nullptr;
  const CivilDay civil = civil_from_days(day);
  month = {text, std::int64_t{day} * 86'400'000'000, days_of_month(civil.year, civil.month)};
  return &month;
}

#if defined(TRANCHE_TARGET_AVX2)
std::size_t CsvTimestamps::read(const CsvFieldColumn& column, std::size_t row, std::int64_t* out) {
  return simd_level() >= SimdLevel::avx2 ? Reading::read(*this, column, row, out) : row;
}
std::size_t read_integers(const CsvFieldColumn& column, std::size_t row, std::int32_t* out) {
  return simd_level() >= SimdLevel::avx2 ? read_integers_avx2(column, row, out) : row;
}
std::size_t read_integers(const CsvFieldColumn& column, std::size_t row, std::int64_t* out) {
  return simd_level() >= SimdLevel::avx2 ? read_integers_avx2(column, row, out) : row;
}
std::size_t read_decimals(const CsvFieldColumn& column, std::size_t row, unsigned scale,
                          std::int32_t* out) {
  return simd_level() >= SimdLevel::avx2 ? read_decimals_avx2(column, row, scale, out) : row;
}
std::size_t read_decimals(const CsvFieldColumn& column, std::size_t row, unsigned scale,
                          std::int64_t* out) {
  return simd_level() >= SimdLevel::avx2 ? read_decimals_avx2(column, row, scale, out) : row;
}
#else
std::size_t CsvTimestamps::read(const CsvFieldColumn&, std::size_t row, std::int64_t*) {
  return row;
}
std::size_t read_integers(const CsvFieldColumn&, std::size_t row, std::int32_t*) { return row; }
std::size_t read_integers(const CsvFieldColumn&, std::size_t row, std::int64_t*) { return row; }
std::size_t read_decimals(const CsvFieldColumn&, std::size_t row, unsigned, std::int32_t*) {
  return row;
}
std::size_t read_decimals(const CsvFieldColumn&, std::size_t row, unsigned, std::int64_t*) {
  return row;
}
#endif

}  // namespace tranche
