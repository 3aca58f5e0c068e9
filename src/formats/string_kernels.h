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
  if (length <= 12) {
    const __m128i kept = _mm_load_si128(
        reinterpret_cast<const __m128i*>(string_detail::kept_bytes.bytes[length]));
    const __m128i bytes =
        _mm_and_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(text)), kept);
    const __m128i whole =
        _mm_or_si128(_mm_slli_si128(bytes, 4), _mm_cvtsi32_si128(static_cast<int>(length)));
    StringRef ref;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(&ref), whole);
    return ref;
  }
#endif
  return StringRef::make({text, length});
}

}  // namespace tranche
