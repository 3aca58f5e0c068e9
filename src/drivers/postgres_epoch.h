// Days and microseconds: PostgreSQL's, since 2000-01-01, and ours, since 1970-01-01. The infinities
// are the ends of the integers, theirs the very last ones.
//
// Threads: pure functions. False: what has no counterpart on the other side.
#pragma once

#include <cstdint>
#include <limits>

namespace tranche::postgres_epoch {

inline constexpr std::int32_t days = 10957;
inline constexpr std::int64_t microseconds = 946'684'800'000'000;

template <class Integer> bool to(Integer ours, Integer epoch, Integer& theirs) {
  constexpr Integer infinity = std::numeric_limits<Integer>::max();
  constexpr Integer minus_infinity = std::numeric_limits<Integer>::min();
  if (ours == infinity || ours == -infinity) {
    theirs = ours < 0 ? minus_infinity : infinity;
    return true;
  }
  return !__builtin_sub_overflow(ours, epoch, &theirs) && theirs != minus_infinity;
}

template <class Integer> bool from(Integer theirs, Integer epoch, Integer& ours) {
  constexpr Integer infinity = std::numeric_limits<Integer>::max();
  constexpr Integer minus_infinity = std::numeric_limits<Integer>::min();
  if (theirs == infinity || theirs == minus_infinity) {
    ours = theirs < 0 ? -infinity : infinity;
    return true;
  }
  return !__builtin_add_overflow(theirs, epoch, &ours) && ours != infinity;
}

inline bool date_to(std::int32_t ours, std::int32_t& theirs) { return to(ours, days, theirs); }
inline bool date_from(std::int32_t theirs, std::int32_t& ours) { return from(theirs, days, ours); }
inline bool timestamp_to(std::int64_t ours, std::int64_t& theirs) {
  return to(ours, microseconds, theirs);
}
inline bool timestamp_from(std::int64_t theirs, std::int64_t& ours) {
  return from(theirs, microseconds, ours);
}

}  // namespace tranche::postgres_epoch
