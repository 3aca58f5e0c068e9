#include "base/digest.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>
#include <xxhash.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>  // the same functions with the machine's vector instructions
#endif

namespace tranche {

std::uint64_t digest64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string digest_hex(std::string_view bytes) {
  const XXH128_hash_t digest = XXH3_128bits(bytes.data(), bytes.size());
  return to_hex64(digest.high64) + to_hex64(digest.low64);
}

std::string to_hex64(std::uint64_t value) { return fmt::format("{:016x}", value); }

// By XXH3_createState, which aligns the state as its vector code needs it.
struct Digest::State {
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> hash{XXH3_createState()};
};

Digest::Digest() : state_(std::make_unique<State>()) { reset(); }
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

// XXH3 fails only on a null state: out of memory, which elsewhere throws bad_alloc.
void Digest::reset() {
  if (XXH3_64bits_reset(state_->hash.get()) != XXH_OK) throw std::bad_alloc();
}

void Digest::update(std::string_view bytes) {
  if (bytes.empty()) return;
  static_cast<void>(XXH3_64bits_update(state_->hash.get(), bytes.data(), bytes.size()));
}

std::uint64_t Digest::value() const { return XXH3_64bits_digest(state_->hash.get()); }

std::string random_id() {
  std::array<std::uint64_t, 2> bits{};
  ssize_t count = -1;
  do {
    count = ::getrandom(bits.data(), sizeof bits, 0);
  } while (count < 0 && errno == EINTR);
  // A kernel without randomness (older than 3.17): ids that might repeat would mix up two runs.
  if (count != ssize_t{sizeof bits}) std::abort();
  return to_hex64(bits[0]) + to_hex64(bits[1]);
}

}  // namespace tranche
