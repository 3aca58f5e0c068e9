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

// Masks that keep what a StringRef holds of a text, behind the place of its length: all of one of
// 0 to 12 bytes, the first 4 of a longer one.
struct KeptBytes {
  alignas(16) unsigned char bytes[14][16] = {};
  constexpr KeptBytes() {
    for (unsigned length = 0; length <= 13; ++length) {
      for (unsigned i = 0; i < (length <= 12 ? length : 4); ++i) bytes[length][4 + i] = 0xFF;
    }
  }
};
inline constexpr KeptBytes kept_bytes;

}  // namespace string_detail

// StringRef::make. REQUIRES 4 readable bytes before `text` and 12 from there on.
inline StringRef make_string(const char* text, std::uint32_t length) {
#if defined(__SSE2__)
  // Short or long, which can't be foretold: the same steps for both.
  const unsigned char* const kept = string_detail::kept_bytes.bytes[length < 13 ? length : 13];
  const __m128i bytes = _mm_and_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(text - 4)),
                                      _mm_load_si128(reinterpret_cast<const __m128i*>(kept)));
  const std::uint64_t is_long = length > 12 ? ~std::uint64_t{0} : 0;
  const std::uint64_t pointer = reinterpret_cast<std::uintptr_t>(text) & is_long;
  const __m128i made =
      _mm_or_si128(bytes, _mm_set_epi64x(static_cast<long long>(pointer), length));
  StringRef ref;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(&ref), made);
  return ref;
#else
  return StringRef::make({text, length});
#endif
}

}  // namespace tranche
