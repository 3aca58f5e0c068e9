// Strings of columns out of the middle of a text, without a call or a branch for each length.
//
// Threads: pure.
#pragma once

#include <cstdint>

#include <tranche/core/page.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tranche {
namespace string_detail {

// Masks that keep the first 0 to 12 of 16 bytes.
struct KeptBytes {
  alignas(16) unsigned char bytes[13][16] = {};
  constexpr KeptBytes() {
    for (unsigned length = 0; length <= 12; ++length) {
      for (unsigned i = 0; i < length; ++i) bytes[length][i] = 0xFF;
    }
  }
};
inline constexpr KeptBytes kept_bytes;

}  // namespace string_detail

// StringRef::make. REQUIRES 16 readable bytes at `text`.
inline StringRef make_string(const char* text, std::uint32_t length) {
#if defined(__SSE2__)
  // Short or long, the first 8 bytes are the same: the length and 4 bytes of text. Of the others
  // both forms are made, since which one it is can't be foretold.
  const unsigned char* const kept = string_detail::kept_bytes.bytes[length < 12 ? length : 12];
  const __m128i bytes = _mm_and_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(text)),
                                      _mm_load_si128(reinterpret_cast<const __m128i*>(kept)));
  const __m128i whole =
      _mm_or_si128(_mm_slli_si128(bytes, 4), _mm_cvtsi32_si128(static_cast<int>(length)));
  const std::uint64_t is_long = length > 12 ? ~std::uint64_t{0} : 0;
  const __m128i pointer = _mm_set_epi64x(
      static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(text)), 0);
  const __m128i chosen = _mm_set_epi64x(static_cast<std::int64_t>(is_long), 0);
  const __m128i made =
      _mm_or_si128(_mm_andnot_si128(chosen, whole), _mm_and_si128(chosen, pointer));
  StringRef ref;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(&ref), made);
  return ref;
#else
  return StringRef::make({text, length});
#endif
}

}  // namespace tranche
