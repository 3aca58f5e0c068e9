#include "base/time_zone.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tranche {
namespace {

TimeZone zone(const char* name) {
  auto found = TimeZone::find(name);
  EXPECT_TRUE(found) << (found ? "" : found.error().message);
  return found ? *found : *TimeZone::find("UTC");
}

TEST(TimeZoneTest, KnowsTheClocksOfTheWorld) {
  struct Case {
    const char* name;
    std::int64_t utc_seconds;
    std::int64_t offset_seconds;
  };
  for (const Case& c : {
           Case{"Europe/Berlin", 1'768'600'000, 3600},          // January 2026
           Case{"Europe/Berlin", 1'784'500'000, 7200},          // July 2026
           Case{"America/New_York", 1'768'600'000, -18'000},
           Case{"America/New_York", 1'784'500'000, -14'400},
           Case{"Asia/Kolkata", 1'768'600'000, 19'800},
           Case{"Australia/Lord_Howe", 1'768'600'000, 39'600},
           Case{"Australia/Lord_Howe", 1'784'500'000, 37'800},  // half an hour
           Case{"Pacific/Apia", 1'325'239'199, -36'000},        // up to here east of the date line
           Case{"Pacific/Apia", 1'325'239'200, 50'400},
           Case{"Etc/GMT+5", 0, -18'000},
           Case{"UTC", 1'784'500'000, 0},
       }) {
    EXPECT_EQ(zone(c.name).span_at(c.utc_seconds).offset_seconds, c.offset_seconds)
        << c.name << " " << c.utc_seconds;
  }
}

// The list of changes ends in 2037, or earlier; the rule behind it does not.
TEST(TimeZoneTest, KnowsTheRuleForTheTimeBehindTheList) {
  const TimeZone berlin = zone("Europe/Berlin");
  EXPECT_EQ(berlin.span_at(2'150'000'000).offset_seconds, 3600);   // February 2038
  EXPECT_EQ(berlin.span_at(2'162'592'000).offset_seconds, 7200);   // July 2038
  EXPECT_EQ(berlin.span_at(16'741'000'000).offset_seconds, 7200);  // July 2500
  EXPECT_EQ(zone("Australia/Lord_Howe").span_at(16'741'000'000).offset_seconds, 37'800);
  EXPECT_EQ(zone("Asia/Kolkata").span_at(16'741'000'000).offset_seconds, 19'800);
}

TEST(TimeZoneTest, SpansFollowEachOther) {
  for (const char* name : {"Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "America/Nuuk",
                           "Asia/Jerusalem", "Africa/Casablanca", "Pacific/Apia"}) {
    const TimeZone of = zone(name);
    std::int64_t at = -5'000'000'000;
    for (int i = 0; i < 500 && at < 8'000'000'000; ++i) {
      const TimeZone::Span span = of.span_at(at);
      ASSERT_LE(span.begin_seconds, at) << name;
      ASSERT_GT(span.end_seconds, at) << name;
      ASSERT_EQ(of.span_at(span.end_seconds - 1).offset_seconds, span.offset_seconds) << name;
      at = span.end_seconds;
    }
  }
}

TEST(TimeZoneTest, RefusesWhatItDoesNotKnow) {
  const auto typo = TimeZone::find("Europe/Berln");
  ASSERT_FALSE(typo);
  EXPECT_EQ(typo.error().kind, ErrorKind::config);
  EXPECT_EQ(typo.error().message,
            "There is no time zone \"Europe/Berln\" in the system's database; did you mean "
            "\"Europe/Berlin\"?");
  EXPECT_FALSE(TimeZone::find("../../etc/passwd"));
  EXPECT_FALSE(TimeZone::find("europe"));
  EXPECT_EQ(TimeZone::find("")->name(), "UTC");
}

TEST(TimeZoneTest, IsReadByManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::vector<std::int64_t> offsets(8);
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    threads.emplace_back([&offsets, i] {
      for (const char* name : {"Asia/Tokyo", "America/Denver", "Europe/Paris"}) {
        offsets[i] += zone(name).span_at(1'768'600'000).offset_seconds;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const std::int64_t offset : offsets) EXPECT_EQ(offset, 32'400 - 25'200 + 3600);
}

}  // namespace
}  // namespace tranche
