#include "core/time_format.h"

#include <random>

#include <gtest/gtest.h>

namespace tranche {
namespace {

using Use = TimeFormat::Use;

// A text read by a format, in ISO 8601, or what is wrong.
std::string read(std::string_view text, std::string_view format, TypeId type = TypeId::timestamp) {
  const auto made = TimeFormat::compile(
      format, type == TypeId::date ? Use::read_date : Use::read_timestamp);
  if (!made) return made.error().message;
  std::int64_t microseconds = 0;
  std::int32_t days = 0;
  const ParseStatus status = type == TypeId::date ? made->parse(text, days)
                                                  : made->parse(text, microseconds);
  switch (status) {
    case ParseStatus::malformed: return "malformed";
    case ParseStatus::out_of_range: return "out of range";
    case ParseStatus::too_precise: return "too precise";
    case ParseStatus::ok: break;
  }
  std::string out;
  if (type == TypeId::date) append_value_text(out, Type{type}, &days);
  else append_value_text(out, Type{type}, &microseconds);
  return out;
}

std::string read_date(std::string_view text, std::string_view format) {
  return read(text, format, TypeId::date);
}

std::string write(std::string_view iso, std::string_view format) {
  const auto made = TimeFormat::compile(format, Use::write_timestamp);
  if (!made) return made.error().message;
  std::int64_t microseconds = 0;
  EXPECT_EQ(parse_timestamp(iso, microseconds), ParseStatus::ok) << iso;
  char out[TimeFormat::written_bytes_max];
  return std::string(out, write_time_by(*made, out, Type{TypeId::timestamp}, &microseconds));
}

TEST(TimeFormat, ReadsDatesInTheFormsOfPeople) {
  EXPECT_EQ(read_date("31.01.2026", "%d.%m.%Y"), "2026-01-31");
  EXPECT_EQ(read_date("1/2/26", "%-m/%-d/%y"), "2026-01-02");
  EXPECT_EQ(read_date("12/31/69", "%m/%d/%y"), "1969-12-31");
  EXPECT_EQ(read_date("12/31/68", "%m/%d/%y"), "2068-12-31");
  EXPECT_EQ(read_date("20260131", "%Y%m%d"), "2026-01-31");
  EXPECT_EQ(read_date("Saturday, 31 January 2026", "%A, %d %B %Y"), "2026-01-31");
  EXPECT_EQ(read_date("sat 31-JAN-26", "%a %d-%b-%y"), "2026-01-31");
  EXPECT_EQ(read_date("2026-060", "%Y-%j"), "2026-03-01");
  EXPECT_EQ(read_date("2024 366", "%Y %-j"), "2024-12-31");
  EXPECT_EQ(read_date("100%: 2026-01-31", "100%%: %F"), "2026-01-31");
  EXPECT_EQ(read_date("-0044-03-15", "%Y-%m-%d"), "-0044-03-15");
  EXPECT_EQ(read_date("+12026-01-31", "%Y-%m-%d"), "+12026-01-31");
  EXPECT_EQ(read_date("+20260131", "%Y%m%d"), "malformed");  // where would the year end?
}

TEST(TimeFormat, ReadsTimestampsWithHalvesFractionsAndZones) {
  EXPECT_EQ(read("31.01.2026 23:59:58", "%d.%m.%Y %T"), "2026-01-31T23:59:58");
  EXPECT_EQ(read("1/31/2026 12:05 AM", "%-m/%-d/%Y %I:%M %p"), "2026-01-31T00:05:00");
  EXPECT_EQ(read("1/31/2026 12:05 pm", "%-m/%-d/%Y %I:%M %p"), "2026-01-31T12:05:00");
  EXPECT_EQ(read("1/31/2026 9 PM", "%-m/%-d/%Y %-I %p"), "2026-01-31T21:00:00");
  EXPECT_EQ(read("2026-01-31 01:02:03.5", "%F %T.%f"), "2026-01-31T01:02:03.500");
  EXPECT_EQ(read("2026-01-31 01:02:03,000001", "%F %T,%f"), "2026-01-31T01:02:03.000001");
  EXPECT_EQ(read("20260131010203007", "%Y%m%d%H%M%S%g"), "2026-01-31T01:02:03.007");
  EXPECT_EQ(read("2026-01-31 00:30 +02:00", "%F %H:%M %z"), "2026-01-30T22:30:00");
  EXPECT_EQ(read("2026-01-31 00:30-0130", "%F %H:%M%z"), "2026-01-31T02:00:00");
  EXPECT_EQ(read("2026-01-31 00:30Z", "%F %H:%M%z"), "2026-01-31T00:30:00");
  EXPECT_EQ(read("31.01.2026", "%d.%m.%Y"), "2026-01-31T00:00:00");
}

TEST(TimeFormat, TakesNothingThatIsNotToTheLetter) {
  for (const char* text : {"1.01.2026", "31.1.2026", "31.01.26", " 31.01.2026", "31.01.2026 ",
                           "31-01-2026", "30.02.2026", "00.01.2026", "31.13.2026", "29.02.2023",
                           "", "31.01.", "31.01.2026x", "3l.01.2026"}) {
    EXPECT_EQ(read_date(text, "%d.%m.%Y"), "malformed") << text;
  }
  EXPECT_EQ(read_date("Sun 31.01.2026", "%a %d.%m.%Y"), "malformed");  // it was a Saturday
  EXPECT_EQ(read_date("2023-366", "%Y-%j"), "malformed");
  EXPECT_EQ(read_date("2023-000", "%Y-%j"), "malformed");
  EXPECT_EQ(read_date("1 Sept 2026", "%-d %b %Y"), "malformed");
  EXPECT_EQ(read("2026-01-31 24:00:00", "%F %T"), "malformed");
  EXPECT_EQ(read("2026-01-31 23:59:60", "%F %T"), "malformed");
  EXPECT_EQ(read("2026-01-31 00:30 AM", "%F %I:%M %p"), "malformed");
  EXPECT_EQ(read("2026-01-31 13:30 PM", "%F %I:%M %p"), "malformed");
  EXPECT_EQ(read("2026-01-31 10:00 +1:00", "%F %H:%M %z"), "malformed");
  EXPECT_EQ(read("2026-01-31 10:00 +16:00", "%F %H:%M %z"), "malformed");
  EXPECT_EQ(read("2026-01-31 10:00 +01:", "%F %H:%M %z"), "malformed");
  EXPECT_EQ(read("2026-01-31 01:02:03.", "%F %T.%f"), "malformed");
  EXPECT_EQ(read("2026-01-31 01:02:03.1234567", "%F %T.%f"), "too precise");
  EXPECT_EQ(read("2026-01-31 01:02:03.1234560", "%F %T.%f"), "2026-01-31T01:02:03.123456");
  EXPECT_EQ(read("+9999999-01-01", "%F"), "out of range");
  EXPECT_EQ(read_date("+9999999-01-01", "%F"), "out of range");
}

TEST(TimeFormat, SaysWhatIsWrongWithAFormatAndWhere) {
  const auto fault = [](std::string_view format, Use use) {
    const auto made = TimeFormat::compile(format, use);
    return made ? "good" : made.error().message;
  };
  EXPECT_EQ(fault("", Use::read_date), "The format \"\" is empty; write one like %d.%m.%Y.");
  EXPECT_TRUE(fault("%d.%m.%Q", Use::read_date)
                  .starts_with("The format \"%d.%m.%Q\" has \"%Q\" at character 7, which is no "
                               "letter of formats; there are %Y"));
  EXPECT_TRUE(fault("%-Y", Use::read_date).starts_with("The format \"%-Y\" has \"%-Y\" at"));
  EXPECT_EQ(fault("%Y-%", Use::read_date), "The format \"%Y-%\" ends at character 4 within a "
                                           "letter; a percent sign is written %%.");
  EXPECT_EQ(fault("%m/%d", Use::read_date),
            "The format \"%m/%d\" has no year: %Y, or %y for two digits.");
  EXPECT_EQ(fault("%Y-%m", Use::read_date), "The format \"%Y-%m\" has no day: %d.");
  EXPECT_EQ(fault("%Y %d", Use::read_date), "The format \"%Y %d\" has no month: %m, %b or %B.");
  EXPECT_EQ(fault("%F %j", Use::read_date),
            "The format \"%F %j\" has both %j, the day of the year, and a month or a day of one.");
  EXPECT_EQ(fault("%F %b", Use::read_date),
            "The format \"%F %b\" says at character 4 again what it says at character 1.");
  EXPECT_EQ(fault("%F %H", Use::read_date),
            "The format \"%F %H\" has %H at character 4, but a date has no time.");
  EXPECT_EQ(fault("%F %z", Use::write_date),
            "The format \"%F %z\" has %z at character 4, but a date has no time.");
  EXPECT_EQ(fault("%F %I:%M", Use::read_timestamp),
            "The format \"%F %I:%M\" has %I, an hour of twelve, without %p (AM or PM).");
  EXPECT_EQ(fault("%F %H:%M %p", Use::read_timestamp),
            "The format \"%F %H:%M %p\" has %p (AM or PM) without %I, an hour of twelve.");
  EXPECT_EQ(fault("%F %H:%S", Use::read_timestamp),
            "The format \"%F %H:%S\" has a second without a minute.");
  EXPECT_EQ(fault("%Y%-m%d", Use::read_date),
            "The format \"%Y%-m%d\" has a number at character 6 right behind one of varying "
            "length, so that nobody knows where it begins.");
  EXPECT_NE(fault("%Y-%m-%-d0", Use::read_date).find("has a digit right behind"),
            std::string::npos);
  EXPECT_NE(fault(std::string(65, 'x'), Use::write_date).find("longer than 64"),
            std::string::npos);
  EXPECT_EQ(fault("%Y-%m", Use::write_date), "good");  // what is written may leave parts out
  EXPECT_EQ(fault("%I %I", Use::write_timestamp), "good");
}

TEST(TimeFormat, WritesEveryLetter) {
  const char* const iso = "2026-02-01T15:04:05.006007";
  EXPECT_EQ(write(iso, "%Y %y %m %b %B %d %j"), "2026 26 02 Feb February 01 032");
  EXPECT_EQ(write(iso, "%a %A %u"), "Sun Sunday 7");
  EXPECT_EQ(write(iso, "%H %I %p %M %S %f %g %z"), "15 03 PM 04 05 006007 006 +00:00");
  EXPECT_EQ(write(iso, "%-d %-m %-H %-I %-M %-S %-j"), "1 2 15 3 4 5 32");
  EXPECT_EQ(write(iso, "%F %T 100%%"), "2026-02-01 15:04:05 100%");
  EXPECT_EQ(write("2026-02-01T00:04:05", "%I %p"), "12 AM");
  EXPECT_EQ(write("1969-12-31T23:59:59", "%a %F %T"), "Wed 1969-12-31 23:59:59");
  EXPECT_EQ(write("-0044-03-15T00:00:00", "%Y %y"), "-0044 56");
  EXPECT_EQ(write("infinity", "%Y"), "infinity");
  EXPECT_EQ(write("-infinity", "%Y"), "-infinity");
}

TEST(TimeFormat, TheLongestOutputFitsItsRoom) {
  std::string text;
  while (text.size() + 2 <= TimeFormat::text_bytes_max) text += "%A";
  EXPECT_EQ(write("2026-02-04T00:00:00", text).size(), 32U * 9U);  // a Wednesday
  text.clear();
  while (text.size() + 2 <= TimeFormat::text_bytes_max) text += "%F";
  EXPECT_EQ(write("-290307-12-21T19:59:05.224193", text).size(), 32U * 13U);
}

TEST(TimeFormat, WhatItWritesItReadsBack) {
  std::mt19937_64 random(5);
  for (const char* format : {"%d.%m.%Y %H:%M:%S.%f", "%A %-d %B %Y %-I:%-M:%-S.%f %p %z",
                             "%Y/%j %T,%f", "%a %b %-d %T.%f%z %Y"}) {
    const auto in = TimeFormat::compile(format, Use::read_timestamp).value();
    const auto out = TimeFormat::compile(format, Use::write_timestamp).value();
    for (int i = 0; i < 20000; ++i) {
      const auto value = static_cast<std::int64_t>(random()) / (i % 2 == 0 ? 1 : 10000);
      char text[TimeFormat::written_bytes_max];
      const char* const end = out.write_timestamp(text, value);
      std::int64_t back = 0;
      ASSERT_EQ(in.parse({text, static_cast<std::size_t>(end - text)}, back), ParseStatus::ok)
          << std::string_view(text, static_cast<std::size_t>(end - text));
      ASSERT_EQ(back, value);
    }
  }
}

TEST(TimeFormat, SeveralFormatsAreTriedInTheirOrder) {
  const std::vector<TimeFormat> formats{
      TimeFormat::compile("%d/%m/%Y", Use::read_date).value(),
      TimeFormat::compile("%m/%d/%Y", Use::read_date).value(),
      TimeFormat::compile("%Y-%m-%d", Use::read_date).value()};
  const auto read_any = [&](std::string_view text) {
    std::int32_t days = 0;
    std::string out;
    if (parse_time_by<std::int32_t>(formats, text, days) == ParseStatus::ok) {
      append_value_text(out, Type{TypeId::date}, &days);
    }
    return out;
  };
  EXPECT_EQ(read_any("02/03/2026"), "2026-03-02");
  EXPECT_EQ(read_any("02/13/2026"), "2026-02-13");
  EXPECT_EQ(read_any("2026-02-13"), "2026-02-13");
  EXPECT_EQ(read_any("13/13/2026"), "");
  EXPECT_EQ(read_any("infinity"), "infinity");
  EXPECT_EQ(read_any("-infinity"), "-infinity");
}

}  // namespace
}  // namespace tranche
