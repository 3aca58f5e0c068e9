// Numbers in network byte order. Threads: pure functions.
#pragma once

#include <cstdint>
#include <cstring>

namespace tranche {

inline std::uint16_t swap_bytes(std::uint16_t value) { return __builtin_bswap16(value); }
inline std::uint32_t swap_bytes(std::uint32_t value) { return __builtin_bswap32(value); }
inline std::uint64_t swap_bytes(std::uint64_t value) { return __builtin_bswap64(value); }

// REQUIRES an unsigned integer of 16, 32 or 64 bits and room for it; returns the end.
template <class Unsigned> char* put_big_endian(char* out, Unsigned value) {
  value = swap_bytes(value);
  std::memcpy(out, &value, sizeof value);
  return out + sizeof value;
}

template <class Unsigned> Unsigned get_big_endian(const char* bytes) {
  Unsigned value;
  std::memcpy(&value, bytes, sizeof value);
  return swap_bytes(value);
}

}  // namespace tranche
