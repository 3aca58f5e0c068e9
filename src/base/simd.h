// Which vector instructions the hot loops use: the best that the machine has, chosen once at run
// time. Every level gives the same results.
//
// TRANCHE_SIMD=portable (or avx2) in the environment overrides the choice; a level that the machine
// lacks is never taken, but the next lower one that it has.
// Threads: set_simd_level is for tests, before other threads ask. Lifetime: none.
#pragma once

// A function that is compiled for a level, and called only there and above.
#if defined(__x86_64__)
#define TRANCHE_TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt,pclmul")))
#define TRANCHE_TARGET_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,bmi,bmi2,lzcnt,popcnt,pclmul")))
// A part of such functions.
#define TRANCHE_INLINE_AVX2 [[gnu::always_inline]] TRANCHE_TARGET_AVX2 inline
#endif

namespace tranche {

enum class SimdLevel {  // each with all of those before it
  portable,  // what every machine of the architecture has
  avx2,      // AVX2, BMI2 and PCLMUL
  avx512,    // AVX-512 with VBMI2: not the first ones, which slowed down for it
};

SimdLevel best_simd_level();  // that this machine has
SimdLevel simd_level();       // in use
void set_simd_level(SimdLevel level);

}  // namespace tranche
