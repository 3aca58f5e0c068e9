#include "base/clock.h"

#include <limits>

#include <gtest/gtest.h>

namespace tranche {
namespace {

TEST(ClockTest, FormatsInUtcWithMilliseconds) {
  EXPECT_EQ(format_utc(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_utc(1'769'862'896'123'999), "2026-01-31T12:34:56.123Z");
  EXPECT_EQ(format_utc(951'782'400'000'000), "2000-02-29T00:00:00.000Z");
}

TEST(ClockTest, FormatsTimesBeforeTheEpoch) {
  EXPECT_EQ(format_utc(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(format_utc(-1'000'000), "1969-12-31T23:59:59.000Z");
}

TEST(ClockTest, TheSystemsClockGoesForward) {
  Clock& clock = system_clock();
  const std::chrono::nanoseconds before = clock.monotonic();
  clock.sleep(std::chrono::milliseconds(2));
  EXPECT_GE(clock.monotonic() - before, std::chrono::milliseconds(2));
  EXPECT_GT(clock.now_microseconds(), 1'700'000'000'000'000);
  clock.sleep(std::chrono::nanoseconds(-5));
}

}  // namespace
}  // namespace tranche
