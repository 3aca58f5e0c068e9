#include "transforms/http_pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <queue>
#include <vector>

namespace tranche {
namespace {

using namespace std::chrono_literals;
using Time = HttpPace::Time;

// A service on a clock of its own: each call takes `takes`, and longer where more than `serves` are
// in flight. Returns the calls that were in flight at most in the last quarter.
unsigned drive(HttpPace& pace, std::size_t calls, std::chrono::microseconds takes,
               unsigned serves) {
  pace.join();
  Time now{1s};
  std::priority_queue<Time, std::vector<Time>, std::greater<>> ends;
  std::size_t begun = 0;
  std::size_t most = 0;
  while (begun < calls || !ends.empty()) {
    while (begun < calls && !pace.begin(now, ends.size())) {
      ++begun;
      const auto load = std::max<std::size_t>(1, (ends.size() + serves) / serves);
      ends.push(now + takes * static_cast<int>(load));
      if (begun > calls / 4 * 3) most = std::max(most, ends.size());
    }
    if (ends.empty()) {
      now += 1ms;
      continue;
    }
    now = std::max(now, ends.top());
    ends.pop();
    pace.end(HttpPace::End::answered, now);
  }
  pace.leave();
  return static_cast<unsigned>(most);
}

TEST(HttpPace, FindsOutHowManyCallsAtOncePay) {
  HttpPace wide({.at_once = 0, .at_once_max = 512, .calls_per_second = 0});
  EXPECT_GE(drive(wide, 200'000, 20ms, 4096), 256U);
  HttpPace narrow({.at_once = 0, .at_once_max = 512, .calls_per_second = 0});
  const unsigned most = drive(narrow, 50'000, 20ms, 32);
  EXPECT_GE(most, 16U);
  EXPECT_LE(most, 128U);
}

TEST(HttpPace, HalvesTheCallsAtOnceForAServiceThatHasTooMuchToDoOnceASecondAtMost) {
  HttpPace pace({.at_once = 0, .at_once_max = 512, .calls_per_second = 0});
  const unsigned before = pace.at_once();
  Time now{10s};
  for (unsigned i = 0; i < before; ++i) ASSERT_FALSE(pace.begin(now, i));
  for (unsigned i = 0; i < before; ++i) pace.end(HttpPace::End::busy, now);
  EXPECT_EQ(pace.at_once(), before / 2);
  ASSERT_FALSE(pace.begin(now, 0));
  pace.end(HttpPace::End::busy, now + 2s);
  EXPECT_EQ(pace.at_once(), before / 4);
}

TEST(HttpPace, KeepsToTheNumberAndSharesItBetweenWorkers) {
  HttpPace pace({.at_once = 6, .at_once_max = 512, .calls_per_second = 0});
  pace.join();
  pace.join();
  const Time now{10s};
  for (unsigned i = 0; i < 3; ++i) EXPECT_FALSE(pace.begin(now, i));
  EXPECT_TRUE(pace.begin(now, 3));  // the other half is the other worker's
  pace.leave();
  for (unsigned i = 3; i < 6; ++i) EXPECT_FALSE(pace.begin(now, i));
  EXPECT_TRUE(pace.begin(now, 6));
  EXPECT_TRUE(pace.begin(now, 0));
}

TEST(HttpPace, BeginsNoMoreCallsThanTheRateAllows) {
  HttpPace pace({.at_once = 1000, .at_once_max = 512, .calls_per_second = 100});
  unsigned begun = 0;
  for (Time now{10s}; now < Time{15s}; now += 1ms) {
    while (!pace.begin(now, 0)) {
      ++begun;
      pace.end(HttpPace::End::answered, now);
    }
  }
  EXPECT_GE(begun, 499U);
  EXPECT_LE(begun, 502U);
}

TEST(HttpPace, PausesForAll) {
  HttpPace pace({.at_once = 4, .at_once_max = 512, .calls_per_second = 0});
  const Time now{10s};
  pace.pause_until(now + 3s);
  EXPECT_EQ(pace.begin(now, 0), 3000ms);
  EXPECT_FALSE(pace.begin(now + 3s, 0));
}

}  // namespace
}  // namespace tranche
