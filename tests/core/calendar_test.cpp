#include <tranche/core/calendar.h>

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include <tranche/core/value.h>

namespace tranche {
namespace {

constexpr std::int64_t hour = 3'600'000'000;

std::int64_t at(std::string_view text) {
  std::int64_t microseconds = 0;
  EXPECT_EQ(parse_timestamptz(text, microseconds), ParseStatus::ok) << text;
  return microseconds;
}

Calendar calendar(std::string_view every, TypeId type = TypeId::timestamp,
                  std::string_view zone = {}) {
  const auto period = parse_period(every);
  EXPECT_TRUE(period) << every;
  auto made = Calendar::make(period.value(), Type{type}, zone);
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return *made;
}

TEST(PeriodTest, IsANumberAndAUnit) {
  using Unit = Period::Unit;
  EXPECT_EQ(*parse_period("1 day"), (Period{1, Unit::day}));
  EXPECT_EQ(*parse_period("15 minutes"), (Period{15, Unit::minute}));
  EXPECT_EQ(*parse_period(" 2Weeks "), (Period{2, Unit::week}));
  EXPECT_EQ(*parse_period("month"), (Period{1, Unit::month}));
  EXPECT_EQ(*parse_period("24 hours"), (Period{24, Unit::hour}));
  EXPECT_EQ(to_string(Period{15, Unit::minute}), "15 minutes");
  EXPECT_EQ(to_string(Period{1, Unit::year}), "1 year");
}

TEST(PeriodTest, RefusesWhatIsNone) {
  for (const char* text : {"", "1", "0 days", "-1 day", "1.5 hours", "1 fortnight", "1 dayss", "s",
                           "99999999999999999999 days", "1 h", "20000 years"}) {
    const auto period = parse_period(text);
    ASSERT_FALSE(period) << text;
    EXPECT_EQ(period.error().kind, ErrorKind::config);
    EXPECT_NE(period.error().message.find("as in \"1 day\""), std::string::npos) << text;
  }
  EXPECT_EQ(parse_period("36 hours").error().message,
            "\"36 hours\" is longer than a day; hours begin anew at midnight, so say days");
}

TEST(CalendarTest, CutsLocalTime) {
  struct Case {
    const char* every;
    const char* value;
    const char* begin;
    const char* end;
    const char* text;
  };
  for (const Case& c : {
           Case{"1 day", "2026-01-17T23:59:59.999999", "2026-01-17 00:00:00",
                "2026-01-18 00:00:00", "2026-01-17"},
           Case{"1 day", "1969-12-31T12:00:00", "1969-12-31 00:00:00", "1970-01-01 00:00:00",
                "1969-12-31"},
           Case{"2 days", "1970-01-02T12:00:00", "1970-01-01 00:00:00", "1970-01-03 00:00:00",
                "1970-01-01 to 1970-01-02"},
           Case{"1 week", "2026-01-18T10:00:00", "2026-01-12 00:00:00", "2026-01-19 00:00:00",
                "2026-01-12 to 2026-01-18"},
           Case{"2 weeks", "1970-01-19T00:00:00", "1970-01-19 00:00:00", "1970-02-02 00:00:00",
                "1970-01-19 to 1970-02-01"},
           Case{"1 month", "2024-02-29T00:00:00", "2024-02-01 00:00:00", "2024-03-01 00:00:00",
                "2024-02"},
           Case{"3 months", "2026-12-31T23:00:00", "2026-10-01 00:00:00", "2027-01-01 00:00:00",
                "2026-10-01 to 2026-12-31"},
           Case{"5 months", "1969-12-01T00:00:00", "1969-08-01 00:00:00", "1970-01-01 00:00:00",
                "1969-08-01 to 1969-12-31"},
           Case{"1 year", "2026-06-01T00:00:00", "2026-01-01 00:00:00", "2027-01-01 00:00:00",
                "2026"},
           Case{"10 years", "2026-06-01T00:00:00", "2020-01-01 00:00:00", "2030-01-01 00:00:00",
                "2020-01-01 to 2029-12-31"},
           Case{"1 hour", "2026-01-17T10:30:00", "2026-01-17 10:00:00", "2026-01-17 11:00:00",
                "2026-01-17T10:00 to 2026-01-17T11:00"},
           Case{"7 hours", "2026-01-17T22:30:00", "2026-01-17 21:00:00", "2026-01-18 00:00:00",
                "2026-01-17T21:00 to 2026-01-18T00:00"},
           Case{"15 minutes", "2026-01-17T10:44:59", "2026-01-17 10:30:00", "2026-01-17 10:45:00",
                "2026-01-17T10:30 to 2026-01-17T10:45"},
           Case{"10 seconds", "2026-01-17T10:44:59", "2026-01-17 10:44:50", "2026-01-17 10:45:00",
                "2026-01-17T10:44:50 to 2026-01-17T10:45"},
       }) {
    const Calendar by = calendar(c.every);
    const TimeWindow window = by.window_of(at(c.value));
    EXPECT_EQ(window, (TimeWindow{at(c.begin), at(c.end)})) << c.every << " " << c.value;
    EXPECT_EQ(by.describe(window), c.text);
  }
}

TEST(CalendarTest, CutsTheTimeOfAZone) {
  struct Case {
    const char* every;
    const char* zone;
    const char* value;
    const char* begin;
    const char* end;
    const char* text;
  };
  for (const Case& c : {
           // Days of 23 and 25 hours.
           Case{"1 day", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z", "2026-03-29"},
           Case{"1 day", "Europe/Berlin", "2026-10-25T22:59:59Z", "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z", "2026-10-25"},
           Case{"1 day", "America/New_York", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z",
                "2026-11-02T05:00:00Z", "2026-11-01"},
           Case{"1 day", "Asia/Kolkata", "2026-01-17T18:29:59Z", "2026-01-16T18:30:00Z",
                "2026-01-17T18:30:00Z", "2026-01-17"},
           Case{"1 month", "Europe/Berlin", "2026-10-31T22:59:59Z", "2026-09-30T22:00:00Z",
                "2026-10-31T23:00:00Z", "2026-10"},
           Case{"1 week", "America/New_York", "2026-03-09T03:59:59Z", "2026-03-02T05:00:00Z",
                "2026-03-09T04:00:00Z", "2026-03-02 to 2026-03-08"},
           Case{"1 year", "Asia/Kolkata", "2025-12-31T18:30:00Z", "2025-12-31T18:30:00Z",
                "2026-12-31T18:30:00Z", "2026"},
           // An hour that comes twice is two; six hours around it are one window of seven.
           Case{"1 hour", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z",
                "2026-10-25T01:00:00Z", "2026-10-25T02:00+02:00 to 2026-10-25T02:00+01:00"},
           Case{"1 hour", "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z",
                "2026-10-25T02:00:00Z", "2026-10-25T02:00+01:00 to 2026-10-25T03:00+01:00"},
           Case{"6 hours", "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-24T22:00:00Z",
                "2026-10-25T05:00:00Z", "2026-10-25T00:00+02:00 to 2026-10-25T06:00+01:00"},
           Case{"6 hours", "Europe/Berlin", "2026-10-25T10:30:00Z", "2026-10-25T05:00:00Z",
                "2026-10-25T11:00:00Z", "2026-10-25T06:00+01:00 to 2026-10-25T12:00+01:00"},
           Case{"2 hours", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z",
                "2026-10-25T03:00:00Z", "2026-10-25T02:00+02:00 to 2026-10-25T04:00+01:00"},
           // An hour that does not exist.
           Case{"1 hour", "Europe/Berlin", "2026-03-29T00:59:00Z", "2026-03-29T00:00:00Z",
                "2026-03-29T01:00:00Z", "2026-03-29T01:00+01:00 to 2026-03-29T03:00+02:00"},
           Case{"2 hours", "Europe/Berlin", "2026-03-29T01:30:00Z", "2026-03-29T01:00:00Z",
                "2026-03-29T02:00:00Z", "2026-03-29T03:00+02:00 to 2026-03-29T04:00+02:00"},
           // Half an hour of daylight saving.
           Case{"1 hour", "Australia/Lord_Howe", "2026-04-04T15:10:00Z", "2026-04-04T14:00:00Z",
                "2026-04-04T15:30:00Z", "2026-04-05T01:00+11:00 to 2026-04-05T02:00+10:30"},
           Case{"30 minutes", "Australia/Lord_Howe", "2026-04-04T15:10:00Z",
                "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z",
                "2026-04-05T01:30+10:30 to 2026-04-05T02:00+10:30"},
           // A midnight that does not exist, one that comes twice, and a day that never was.
           Case{"1 day", "America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z",
                "2018-11-05T02:00:00Z", "2018-11-04"},
           Case{"1 day", "America/Havana", "2026-11-01T05:30:00Z", "2026-11-01T04:00:00Z",
                "2026-11-02T05:00:00Z", "2026-11-01"},
           Case{"1 day", "Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z",
                "2011-12-30T10:00:00Z", "2011-12-29"},
           Case{"1 day", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z",
                "2011-12-31T10:00:00Z", "2011-12-31"},
           Case{"1 day", "Europe/Berlin", "2050-07-01T00:00:00Z", "2050-06-30T22:00:00Z",
                "2050-07-01T22:00:00Z", "2050-07-01"},
       }) {
    const Calendar by = calendar(c.every, TypeId::timestamptz, c.zone);
    const TimeWindow window = by.window_of(at(c.value));
    EXPECT_EQ(window, (TimeWindow{at(c.begin), at(c.end)})) << c.every << " " << c.value;
    EXPECT_EQ(by.describe(window), c.text);
  }
}

// Whatever happens to the clocks, windows lie side by side and each instant is in its own.
TEST(CalendarTest, WindowsCoverTimeWithoutGaps) {
  std::mt19937_64 chance(4711);
  for (const char* zone : {"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata",
                           "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo",
                           "America/Havana", "America/St_Johns", "Africa/Casablanca",
                           "Antarctica/Troll", "Asia/Beirut"}) {
    for (const char* every : {"1 day", "3 days", "1 week", "1 month", "5 months", "1 year",
                              "1 hour", "2 hours", "7 hours", "12 hours", "24 hours",
                              "15 minutes", "40 minutes"}) {
      const Calendar by = calendar(every, TypeId::timestamptz, zone);
      const std::int64_t first = at("1985-01-01T00:00:00Z");
      std::uniform_int_distribution<std::int64_t> anywhere(first, at("2060-01-01T00:00:00Z"));
      for (int i = 0; i < 20; ++i) {
        TimeWindow window = by.window_of(anywhere(chance));
        for (int k = 0; k < 60; ++k) {
          ASSERT_LT(window.begin, window.end) << zone << " " << every;
          ASSERT_EQ(by.window_of(window.begin), window)
              << zone << " " << every << " " << by.describe(window);
          ASSERT_EQ(by.window_of(window.end - 1), window)
              << zone << " " << every << " " << by.describe(window);
          std::uniform_int_distribution<std::int64_t> within(window.begin, window.end - 1);
          ASSERT_EQ(by.window_of(within(chance)), window)
              << zone << " " << every << " " << by.describe(window);
          const TimeWindow next = by.behind(window);
          ASSERT_EQ(next.begin, window.end) << zone << " " << every;
          window = next;
        }
      }
    }
  }
}

TEST(CalendarTest, EveryHourOfADayOfTwentyFiveIsItsOwn) {
  const Calendar by = calendar("1 hour", TypeId::timestamptz, "Europe/Berlin");
  TimeWindow window = by.window_of(at("2026-10-24T22:00:00Z"));
  for (int i = 0; i < 25; ++i) {
    EXPECT_EQ(window.end - window.begin, hour) << by.describe(window);
    window = by.behind(window);
  }
  EXPECT_EQ(window.begin, at("2026-10-25T23:00:00Z"));
}

TEST(CalendarTest, TheEndsOfTimeHaveWindowsOfTheirOwn) {
  for (const char* zone : {"UTC", "America/New_York"}) {
    const Calendar by = calendar("1 month", TypeId::timestamptz, zone);
    const TimeWindow before = by.window_of(-INT64_MAX);
    const TimeWindow behind = by.window_of(INT64_MAX);
    EXPECT_EQ(before.begin, INT64_MIN);
    EXPECT_TRUE(before.contains(-INT64_MAX));
    EXPECT_TRUE(behind.contains(INT64_MAX));
    EXPECT_EQ(by.describe(before), "before the year 1");
    EXPECT_EQ(by.describe(behind), "after the year 9999");
    EXPECT_EQ(by.window_of(behind.begin - 1).end, behind.begin);
    EXPECT_EQ(by.describe(by.behind(before)), "0001-01");
  }
  EXPECT_EQ(Calendar::microseconds_of_date(INT32_MAX), INT64_MAX);
  EXPECT_EQ(Calendar::microseconds_of_date(1), 24 * hour);
}

TEST(CalendarTest, RefusesWhatItCantCut) {
  const Period day;
  EXPECT_EQ(Calendar::make(day, Type{TypeId::varchar}).error().message,
            "Windows of time need a date, a timestamp or a timestamptz, not a varchar");
  EXPECT_EQ(Calendar::make({15, Period::Unit::minute}, Type{TypeId::date}).error().message,
            "A date has no minutes: its windows are days at least, not 15 minutes");
  EXPECT_FALSE(Calendar::make(day, Type{TypeId::timestamptz}, "Mars/Olympus"));
  EXPECT_TRUE(Calendar::make(day, Type{TypeId::date}, "Mars/Olympus"))
      << "a zone does not matter to a date";
}

}  // namespace
}  // namespace tranche
