// XXH3 digests (https://xxhash.com): fast checksums against accidents, not against attackers.
// Threads: a Digest belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tranche {

std::uint64_t digest64(std::string_view bytes);
std::string digest_hex(std::string_view bytes);       // 128 bits, 32 hexadecimal digits
std::string to_hex64(std::uint64_t value);            // 16 hexadecimal digits

// The digest of bytes that come piece by piece; equal to digest64 of all of them.
class Digest {
 public:
  Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  ~Digest();
  void update(std::string_view bytes);
  std::uint64_t value() const;
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// 128 random bits from the kernel, 32 hexadecimal digits.
std::string random_id();

}  // namespace tranche
