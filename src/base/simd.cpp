#include "base/simd.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

namespace tranche {
namespace {

SimdLevel choose() {
  const char* const wanted = std::getenv("TRANCHE_SIMD");
  if (wanted != nullptr && std::string_view(wanted) == "portable") return SimdLevel::portable;
  return best_simd_level();
}

std::atomic<SimdLevel>& level_in_use() {
  static std::atomic<SimdLevel> level(choose());
  return level;
}

}  // namespace

SimdLevel best_simd_level() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
      __builtin_cpu_supports("pclmul")) {
    return SimdLevel::avx2;
  }
#endif
  return SimdLevel::portable;
}

SimdLevel simd_level() { return level_in_use().load(std::memory_order_relaxed); }

void set_simd_level(SimdLevel level) {
  level_in_use().store(level == SimdLevel::avx2 ? best_simd_level() : level,
                       std::memory_order_relaxed);
}

}  // namespace tranche
