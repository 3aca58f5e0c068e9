#include "base/simd.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string_view>

namespace tranche {
namespace {

SimdLevel choose() {
  const char* const wanted = std::getenv("TRANCHE_SIMD");
  const std::string_view level = wanted == nullptr ? "" : wanted;
  if (level == "portable") return SimdLevel::portable;
  return level == "avx2" ? std::min(SimdLevel::avx2, best_simd_level()) : best_simd_level();
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
    const bool has_avx512 =
        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi2");
    return has_avx512 ? SimdLevel::avx512 : SimdLevel::avx2;
  }
#endif
  return SimdLevel::portable;
}

SimdLevel simd_level() { return level_in_use().load(std::memory_order_relaxed); }

void set_simd_level(SimdLevel level) {
  level_in_use().store(std::min(level, best_simd_level()), std::memory_order_relaxed);
}

}  // namespace tranche
