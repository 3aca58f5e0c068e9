// Hashes of JSON values that don't depend on how they are spelled: blanks, escapes, the order of an
// object's keys and the form of a number are left aside, and of a key that comes twice the last one
// counts, as a database makes it that keeps JSON as values rather than as text. Numbers are
// compared exactly: 1, 1.0 and 10e-1 are one number, 0.1 and 0.10000000000000001 are two.
//
// Threads: belongs to one thread. Lifetime: keeps its buffers from value to value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tranche {

class JsonDigest {
 public:
  // Text that is no JSON has the digest of its bytes.
  std::uint64_t of(std::string_view text);

 private:
  struct Member {
    std::uint64_t key = 0;
    std::size_t place = 0;
    std::uint64_t value = 0;
  };

  // All REQUIRE to stand at the beginning of what they hash, in valid JSON, and stop behind it.
  std::uint64_t value();
  std::uint64_t object();
  std::uint64_t array();
  std::uint64_t string();
  std::uint64_t number();
  std::uint64_t word();
  void skip_blanks();
  std::uint32_t code_unit();  // the four digits of \uXXXX

  const char* at_ = nullptr;
  const char* end_ = nullptr;
  std::string scratch_;          // of the string or the number at hand
  std::vector<Member> members_;  // of the objects that are open
};

}  // namespace tranche
