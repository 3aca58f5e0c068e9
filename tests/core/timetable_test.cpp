#include <tranche/core/timetable.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <tranche/core/value.h>

namespace tranche {
namespace {

std::int64_t at(std::string_view text) {
  std::int64_t microseconds = 0;
  EXPECT_EQ(parse_timestamptz(text, microseconds), ParseStatus::ok) << text;
  return microseconds;
}

ScheduleSpec every(const char* period, const char* zone = "", const char* from = "2026-01-01") {
  ScheduleSpec spec;
  spec.every = period;
  spec.timezone = zone;
  spec.from = from;
  return spec;
}
ScheduleSpec every_day_at(int minutes, const char* zone) {
  ScheduleSpec spec = every("1 day", zone);
  spec.at = std::chrono::minutes(minutes);
  return spec;
}
ScheduleSpec cron(const char* expression, const char* zone = "") {
  ScheduleSpec spec;
  spec.cron = expression;
  spec.timezone = zone;
  spec.from = "2026-01-01";
  return spec;
}

Timetable timetable(const ScheduleSpec& spec) {
  auto made = Timetable::make(spec);
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return *std::move(made);
}

std::string instant(std::int64_t microseconds) {
  return *timetable(every("1 day")).value_text(microseconds, Type{TypeId::timestamptz});
}

// The names of the windows that begin in [from, to).
std::vector<std::string> names(const Timetable& table, const char* from, const char* to) {
  std::vector<std::string> out;
  for (TimeWindow window = table.window_of(at(from)); window.begin < at(to);
       window = table.behind(window))
    out.push_back(table.name_of(window));
  return out;
}

TEST(TimetableTest, BeginsWithTheFirstWindowThatIsWhollyBehindFrom) {
  const Timetable weeks = timetable(every("1 week", "Europe/Berlin", "2026-01-01"));
  EXPECT_EQ(weeks.name_of(weeks.first()), "2026-01-05");
  const Timetable days = timetable(every("1 day", "Europe/Berlin", "2026-01-01"));
  EXPECT_EQ(instant(days.first().begin), "2025-12-31T23:00:00Z");
}

TEST(TimetableTest, RunsADayWhenItsClockFirstShowsTheTimeOnTheDayBehindIt) {
  const Timetable table = timetable(every_day_at(150, "Europe/Berlin"));  // 02:30
  const auto due = [&](const char* day) { return instant(table.due_at(*table.find(day))); };
  EXPECT_EQ(due("2026-01-10"), "2026-01-11T01:30:00Z");
  EXPECT_EQ(due("2026-03-28"), "2026-03-29T01:00:00Z") << "the clock goes from 2 to 3";
  EXPECT_EQ(due("2026-10-24"), "2026-10-25T00:30:00Z") << "it shows 2:30 twice";
}

TEST(TimetableTest, TellsTheLatestWindowThatIsDue) {
  const Timetable table = timetable(every_day_at(120, "Europe/Berlin"));
  const auto latest = [&](const char* now) {
    const auto window = table.latest_due(at(now));
    return window ? table.name_of(*window) : "none";
  };
  EXPECT_EQ(latest("2026-01-02T00:59:59Z"), "none");
  EXPECT_EQ(latest("2026-01-02T01:00:00Z"), "2026-01-01");
  EXPECT_EQ(latest("2026-01-03T00:59:59Z"), "2026-01-01");
  ScheduleSpec delayed = every("1 hour");
  delayed.delay = std::chrono::hours(50);
  const Timetable hours = timetable(delayed);
  EXPECT_EQ(hours.name_of(*hours.latest_due(at("2026-01-10T00:00:00Z"))), "2026-01-07T21:00+00:00");
}

TEST(TimetableTest, CutsTheHoursOfDaysThatHave23And25) {
  const Timetable table = timetable(every("1 hour", "Europe/Berlin"));
  EXPECT_EQ(names(table, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z").size(), 23U);
  EXPECT_EQ(names(table, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z").size(), 25U);
  EXPECT_EQ(names(table, "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"),
            (std::vector<std::string>{"2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"}));
}

TEST(TimetableTest, PutsWindowsBetweenTheFiringsOfACronExpression) {
  const Timetable table = timetable(cron("0 2 * * 1-5", "Europe/Berlin"));
  EXPECT_EQ(names(table, "2026-01-08T01:00:00Z", "2026-01-13T01:00:00Z"),
            (std::vector<std::string>{"2026-01-08T02:00+01:00", "2026-01-09T02:00+01:00",
                                      "2026-01-12T02:00+01:00"}));
  EXPECT_EQ(instant(table.due_at(*table.find("2026-01-09"))), "2026-01-12T01:00:00Z");
}

TEST(TimetableTest, KeepsAHourThatACronExpressionNamesWhereClocksAreChanged) {
  const auto fired = [](const char* expression, const char* from, const char* to) {
    return names(timetable(cron(expression, "Europe/Berlin")), from, to);
  };
  EXPECT_EQ(fired("30 2 * * *", "2026-03-29T01:00:00Z", "2026-03-30T12:00:00Z"),
            (std::vector<std::string>{"2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"}));
  EXPECT_EQ(fired("*/20 2 * * *", "2026-03-29T01:00:00Z", "2026-03-29T12:00:00Z"),
            (std::vector<std::string>{"2026-03-29T03:00+02:00"}));
  EXPECT_EQ(fired("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T12:00:00Z"),
            (std::vector<std::string>{"2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"}));
  EXPECT_EQ(fired("30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z"),
            (std::vector<std::string>{"2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"}));
  EXPECT_EQ(fired("30 */2 * * *", "2026-03-28T23:30:00Z", "2026-03-29T03:00:00Z"),
            (std::vector<std::string>{"2026-03-29T00:30+01:00", "2026-03-29T04:30+02:00"}));
}

TEST(TimetableTest, ReadsWhatCronReads) {
  const auto in_january = [](const char* expression) {
    return names(timetable(cron(expression)), "2026-01-01T00:00:00Z", "2026-01-31T00:00:00Z");
  };
  EXPECT_EQ(in_january("0 0 1,15 * *").size(), 2U);
  EXPECT_EQ(in_january("0 0 13 * FRI").size(), 7U)
      << "either day will do, and one began in December";
  EXPECT_EQ(in_january("0 0 * jan sun").size(), in_january("@weekly").size());
  EXPECT_EQ(in_january("0 0 * * 7"), in_january("0 0 * * 0"));
  EXPECT_EQ(in_january("0 8-18/5 1 1 *"),
            (std::vector<std::string>{"2025-01-01T18:00+00:00", "2026-01-01T08:00+00:00",
                                      "2026-01-01T13:00+00:00", "2026-01-01T18:00+00:00"}));
  EXPECT_EQ(timetable(cron("0 0 29 2 *")).name_of(timetable(cron("0 0 29 2 *")).first()),
            "2028-02-29T00:00+00:00");
}

TEST(TimetableTest, RefusesWhatMakesNoWindows) {
  const auto error_of = [](const ScheduleSpec& spec) {
    const auto made = Timetable::make(spec);
    return made ? std::string() : made.error().message;
  };
  ScheduleSpec both = every("1 day");
  both.cron = "@daily";
  ScheduleSpec hours_at = every("1 hour");
  hours_at.at = std::chrono::minutes(5);
  EXPECT_NE(error_of(both).find("either"), std::string::npos);
  EXPECT_NE(error_of(hours_at).find("delay: 5m"), std::string::npos);
  EXPECT_NE(error_of(cron("0 0 30 2 *")).find("never fires"), std::string::npos);
  EXPECT_NE(error_of(every("1 day", "Europe/Berlni")).find("Europe/Berlin"), std::string::npos);
  for (const char* expression :
       {"0 2 * *", "60 2 * * *", "0 2-1 * * *", "0 */0 * * *", "x * * * *", "0 0 * * mo", "@noon"})
    EXPECT_NE(error_of(cron(expression)).find("cron expression"), std::string::npos) << expression;
}

TEST(TimetableTest, FindsAWindowByWhatItBeginsWith) {
  const Timetable days = timetable(every("1 day", "America/New_York"));
  EXPECT_EQ(days.name_of(*days.find("2026-03-08")), "2026-03-08");
  EXPECT_EQ(days.name_of(*days.find("2026-03-08T00:00")), "2026-03-08");
  EXPECT_EQ(days.name_of(*days.find("2026-03-08T05:00Z")), "2026-03-08");
  EXPECT_EQ(days.find("2026-03-08T01:00").error().message,
            "No window begins with 2026-03-08T01:00: it lies in that of 2026-03-08");
  EXPECT_EQ(days.find("2026-03").error().message,
            "Several windows begin within 2026-03, those of 2026-03-01 and 2026-03-02 among them; "
            "name one of them");
  EXPECT_NE(days.find("yesterday").error().message.find("is no time"), std::string::npos);
  const Timetable months = timetable(every("1 month"));
  EXPECT_EQ(months.name_of(*months.find("2026-02")), "2026-02");
  const Timetable years = timetable(every("1 year"));
  EXPECT_EQ(years.name_of(*years.find("2027")), "2027");
}

TEST(TimetableTest, FindsEachWindowByItsName) {
  for (const char* zone : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                           "Asia/Kolkata", "Africa/Casablanca"}) {
    for (const ScheduleSpec& spec :
         {every("7000 seconds", zone), every("1 hour", zone), every("7 hours", zone),
          every("15 minutes", zone), every("1 day", zone), every("3 days", zone),
          every("1 week", zone), every("1 month", zone), cron("0 * * * *", zone),
          cron("15 2 * * *", zone)}) {
      const Timetable table = timetable(spec);
      TimeWindow window = table.first();
      while (window.begin < at("2027-01-01T00:00:00Z")) {
        const auto found = table.find(table.name_of(window));
        ASSERT_TRUE(found) << zone << " " << found.error().message;
        ASSERT_EQ(*found, window) << zone << " " << table.name_of(window);
        const TimeWindow next = table.behind(window);
        ASSERT_EQ(table.before(next), window) << table.name_of(window);
        ASSERT_LE(window.end, table.due_at(window));
        window = next;
      }
    }
  }
}

TEST(TimetableTest, GivesBoundsAsValuesOfParameters) {
  const Timetable table = timetable(every("1 hour", "Europe/Berlin"));
  const TimeWindow window = *table.find("2026-07-01T10:00");
  EXPECT_EQ(*table.value_text(window.begin, Type{TypeId::date}), "2026-07-01");
  EXPECT_EQ(*table.value_text(window.begin, Type{TypeId::timestamp}), "2026-07-01T10:00:00");
  EXPECT_EQ(*table.value_text(window.begin, Type{TypeId::timestamptz}), "2026-07-01T08:00:00Z");
  EXPECT_EQ(*table.value_text(window.begin, Type{TypeId::varchar}), "2026-07-01T10:00+02:00");
  EXPECT_FALSE(table.value_text(window.begin, Type{TypeId::integer}));
}

}  // namespace
}  // namespace tranche
