// Finds the next of a few bytes, 16 at a time with SSE2, one at a time elsewhere: the one seam
// under all text formats behind which a wider instruction set would go.
//
// Threads: pure. REQUIRES of every function that is given addresses: 16 readable bytes behind
// `end`, whatever they hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tranche {

// How many bytes behind a buffer must be readable.
inline constexpr std::size_t search_padding_bytes = 64;

template <std::size_t count>
class ByteSearch {
 public:
  template <class... Bytes>
  explicit ByteSearch(Bytes... bytes) : bytes_{bytes...} {
    static_assert(sizeof...(bytes) == count);
#if defined(__SSE2__)
    for (std::size_t i = 0; i < count; ++i) needles_[i] = _mm_set1_epi8(bytes_[i]);
#endif
  }

  // The first of the bytes in [p, end); `end` when there is none.
  const char* find(const char* p, const char* end) const {
#if defined(__SSE2__)
    for (; p < end; p += 16) {
      const unsigned mask = matches(p);
      if (mask != 0) {
        p += __builtin_ctz(mask);
        return p < end ? p : end;
      }
    }
    return end;
#else
    for (; p < end; ++p) {
      for (const char byte : bytes_) {
        if (*p == byte) return p;
      }
    }
    return end;
#endif
  }

  // Bit i is set where p[i] is one of the bytes; of the 16 bytes at `p`.
  unsigned matches(const char* p) const {
#if defined(__SSE2__)
    return matches(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#else
    unsigned mask = 0;
    for (unsigned i = 0; i < 16; ++i) {
      for (const char byte : bytes_) mask |= p[i] == byte ? 1U << i : 0U;
    }
    return mask;
#endif
  }
  // The same of the bytes of two words, the lowest one first.
  unsigned matches(std::uint64_t low, std::uint64_t high) const {
#if defined(__SSE2__)
    return matches(_mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low)));
#else
    char bytes[16];
    std::memcpy(bytes, &low, sizeof low);
    std::memcpy(bytes + sizeof low, &high, sizeof high);
    return matches(bytes);
#endif
  }

 private:
#if defined(__SSE2__)
  unsigned matches(__m128i block) const {
    __m128i found = _mm_cmpeq_epi8(block, needles_[0]);
    for (std::size_t i = 1; i < count; ++i) {
      found = _mm_or_si128(found, _mm_cmpeq_epi8(block, needles_[i]));
    }
    return static_cast<unsigned>(_mm_movemask_epi8(found));
  }
#endif
  char bytes_[count];
#if defined(__SSE2__)
  __m128i needles_[count];
#endif
};

// True when no byte of [p, end) is beyond ASCII.
inline bool is_ascii(const char* p, const char* end) {
#if defined(__SSE2__)
  __m128i all = _mm_setzero_si128();
  for (; end - p >= 16; p += 16) {
    all = _mm_or_si128(all, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  if (_mm_movemask_epi8(all) != 0) return false;
#endif
  unsigned char rest = 0;
  for (; p < end; ++p) rest = static_cast<unsigned char>(rest | static_cast<unsigned char>(*p));
  return rest < 0x80;
}

}  // namespace tranche
