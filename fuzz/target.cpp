// The entry that libFuzzer calls, one program a target: TRANCHE_FUZZ_CHECK is its check.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "checks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  const std::string wrong =
      tranche::TRANCHE_FUZZ_CHECK({reinterpret_cast<const char*>(data), bytes});
  if (wrong.empty()) return 0;
  std::fprintf(stderr, "%s\n", wrong.c_str());
  std::abort();
}
