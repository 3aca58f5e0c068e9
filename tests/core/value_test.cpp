#include <limits>
#include <tuple>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tranche/core/value.h>

namespace tranche {
namespace {

// Parses and writes again; what was wrong in angle brackets.
std::string round_trip(Type type, std::string_view text) {
  Arena arena;
  alignas(16) char value[16] = {};
  switch (parse_value(type, text, value, arena)) {
    case ParseStatus::ok: break;
    case ParseStatus::malformed: return "<malformed>";
    case ParseStatus::out_of_range: return "<range>";
    case ParseStatus::too_precise: return "<precise>";
  }
  std::string out;
  append_value_text(out, type, value);
  return out;
}

std::string round_trip(std::string_view type, std::string_view text) {
  return round_trip(parse_type(type).value(), text);
}

TEST(Value, IntegersAreTakenUpToTheirLimitsAndNoFurther) {
  EXPECT_EQ(round_trip("tinyint", "-128"), "-128");
  EXPECT_EQ(round_trip("tinyint", "128"), "<range>");
  EXPECT_EQ(round_trip("utinyint", "255"), "255");
  EXPECT_EQ(round_trip("utinyint", "-1"), "<range>");
  EXPECT_EQ(round_trip("smallint", "-32769"), "<range>");
  EXPECT_EQ(round_trip("usmallint", "65535"), "65535");
  EXPECT_EQ(round_trip("integer", "2147483647"), "2147483647");
  EXPECT_EQ(round_trip("integer", "2147483648"), "<range>");
  EXPECT_EQ(round_trip("uinteger", "4294967296"), "<range>");
  EXPECT_EQ(round_trip("bigint", "-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(round_trip("bigint", "9223372036854775808"), "<range>");
  EXPECT_EQ(round_trip("ubigint", "18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(round_trip("ubigint", "18446744073709551616"), "<range>");
  EXPECT_EQ(round_trip("hugeint", "-170141183460469231731687303715884105728"),
            "-170141183460469231731687303715884105728");
  EXPECT_EQ(round_trip("hugeint", "170141183460469231731687303715884105728"), "<range>");
  EXPECT_EQ(round_trip("hugeint", std::string(60, '9')), "<range>");
  EXPECT_EQ(round_trip("bigint", "0000000000000000000000000000007"), "7");
}

TEST(Value, IntegersWithAnythingElseInThemAreMalformed) {
  for (const char* text : {"", "-", "+", " 1", "1 ", "1.0", "1e3", "0x10", "1_000", "--1", "+-1",
                           "12345678901234567890x"}) {
    EXPECT_EQ(round_trip("integer", text), "<malformed>") << text;
    EXPECT_EQ(round_trip("hugeint", text), "<malformed>") << text;
  }
  EXPECT_EQ(round_trip("integer", "+5"), "5");
  EXPECT_EQ(round_trip("integer", "-0"), "0");
}

TEST(Value, DecimalsAreExactAndKeepTheirFullScale) {
  EXPECT_EQ(round_trip("decimal(12,2)", "12.5"), "12.50");
  EXPECT_EQ(round_trip("decimal(12,2)", "-0.07"), "-0.07");
  EXPECT_EQ(round_trip("decimal(12,2)", ".5"), "0.50");
  EXPECT_EQ(round_trip("decimal(12,2)", "5."), "5.00");
  EXPECT_EQ(round_trip("decimal(12,2)", "1.230000000000000000000000000"), "1.23");
  EXPECT_EQ(round_trip("decimal(12,2)", "1.234"), "<precise>");
  EXPECT_EQ(round_trip("decimal(12,2)", "9999999999.99"), "9999999999.99");
  EXPECT_EQ(round_trip("decimal(12,2)", "10000000000"), "<range>");
  EXPECT_EQ(round_trip("decimal(4,0)", "9999"), "9999");
  EXPECT_EQ(round_trip("decimal(4,0)", "-10000"), "<range>");
  EXPECT_EQ(round_trip("decimal(18,18)", "0.123456789012345678"), "0.123456789012345678");
  EXPECT_EQ(round_trip("decimal(18,18)", "1"), "<range>");
  EXPECT_EQ(round_trip("decimal(38,10)", "-1234567890123456789012345678.0123456789"),
            "-1234567890123456789012345678.0123456789");
  EXPECT_EQ(round_trip("decimal(38,38)", "0.00000000000000000000000000000000000001"),
            "0.00000000000000000000000000000000000001");
  EXPECT_EQ(round_trip("decimal(38,0)", std::string(39, '9')), "<range>");
  for (const char* text : {"", ".", "-", "-.", "1,5", "1e2", "1.2.3", " 1", "12,x", "nan"}) {
    EXPECT_EQ(round_trip("decimal(12,2)", text), "<malformed>") << text;
    EXPECT_EQ(round_trip("decimal(30,2)", text), "<malformed>") << text;
  }
}

TEST(Value, FloatsParseBackToWhatWasWritten) {
  for (const double number : {0.1, 1.0 / 3, 1e300, 5e-324, -0.0, 123456789.125,
                              std::numeric_limits<double>::max()}) {
    std::string text;
    append_value_text(text, Type{TypeId::double_}, &number);
    double back = 0;
    ASSERT_EQ(parse_float(text, back), ParseStatus::ok) << text;
    EXPECT_EQ(back, number) << text;
  }
  EXPECT_EQ(round_trip("double", "0.1"), "0.1");
  EXPECT_EQ(round_trip("double", "+1.5e3"), "1500");
  EXPECT_EQ(round_trip("real", "0.1"), "0.1");
  EXPECT_EQ(round_trip("double", "-Infinity"), "-inf");
  EXPECT_EQ(round_trip("double", "NaN"), "nan");
  EXPECT_EQ(round_trip("double", "1e400"), "<range>");
  EXPECT_EQ(round_trip("real", "1e39"), "<range>");
  for (const char* text : {"", "1,5", "1.5 ", "+-1", "e5", "1e", "0x1p3", "nan(1)"}) {
    EXPECT_EQ(round_trip("double", text), "<malformed>") << text;
  }
}

TEST(Value, DatesFollowTheCalendar) {
  EXPECT_EQ(round_trip("date", "2024-02-29"), "2024-02-29");
  EXPECT_EQ(round_trip("date", "1900-02-28"), "1900-02-28");
  EXPECT_EQ(round_trip("date", "0000-01-01"), "0000-01-01");
  EXPECT_EQ(round_trip("date", "+12026-01-31"), "+12026-01-31");
  EXPECT_EQ(round_trip("date", "-0044-03-15"), "-0044-03-15");
  EXPECT_EQ(round_trip("date", "-0262026-01-30"), "-262026-01-30");
  EXPECT_EQ(round_trip("date", "-00262026-01-30"), "<malformed>");
  for (const char* text : {"2023-02-29", "1900-02-29", "2023-02-30", "2023-04-31", "2023-13-01",
                           "2023-00-01", "2023-01-00", "2023-1-1", "23-01-01", "2023/01/01",
                           "2023-01-01 ", "2023-01-0x", "12026-01-31", ""}) {
    EXPECT_EQ(round_trip("date", text), "<malformed>") << text;
  }
}

TEST(Value, EveryDayOfEightCenturiesComesBackFromItsNumber) {
  CivilDay day{1599, 12, 31};
  for (std::int64_t n = days_from_civil(day); n < days_from_civil({2401, 1, 1}); ++n) {
    const CivilDay back = civil_from_days(n);
    ASSERT_EQ(std::tie(back.year, back.month, back.day), std::tie(day.year, day.month, day.day));
    ASSERT_EQ(days_from_civil(day), n);
    if (++day.day > days_of_month(day.year, day.month)) {
      day.day = 1;
      if (++day.month > 12) day.month = 1, ++day.year;
    }
  }
  EXPECT_EQ(days_from_civil({1970, 1, 1}), 0);
  EXPECT_EQ(days_from_civil({2000, 3, 1}), 11017);
}

TEST(Value, TimestampsHaveAsManyFractionDigitsAsNeeded) {
  EXPECT_EQ(round_trip("timestamp", "2026-01-31 12:34:56"), "2026-01-31T12:34:56");
  EXPECT_EQ(round_trip("timestamp", "2026-01-31T12:34:56.5"), "2026-01-31T12:34:56.500");
  EXPECT_EQ(round_trip("timestamp", "1969-12-31 23:59:59.999999"), "1969-12-31T23:59:59.999999");
  EXPECT_EQ(round_trip("timestamp", "2026-01-31 12:34:56.123456000"),
            "2026-01-31T12:34:56.123456");
  EXPECT_EQ(round_trip("timestamp", "2026-01-31 12:34:56.1234567"), "<precise>");
  EXPECT_EQ(round_trip("timestamp", "+294248-01-01 00:00:00"), "<range>");
  for (const char* text :
       {"2026-01-31", "2026-01-31 24:00:00", "2026-01-31 12:60:00", "2026-01-31 12:34:60",
        "2026-01-31 12:34", "2026-01-31  12:34:56", "2026-01-31 12:34:56.", "2026-02-30 00:00:00",
        "2026-01-31 12:34:56Z", "2026-01-31x12:34:56"}) {
    EXPECT_EQ(round_trip("timestamp", text), "<malformed>") << text;
  }
  EXPECT_EQ(round_trip("time", "23:59:59.25"), "23:59:59.250");
  EXPECT_EQ(round_trip("time", "24:00:00"), "<malformed>");
}

// A slow and obvious judge of YYYY-MM-DD HH:MM:SS with 0, 3 or 6 digits of fraction.
bool is_usual_timestamp(const std::string& text) {
  const std::string form = std::string("dddd-dd-dd_dd:dd:dd.dddddd").substr(0, text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (form[i] == 'd' && (c < '0' || c > '9')) return false;
    if (form[i] == '_' && c != ' ' && c != 'T') return false;
    if (form[i] != 'd' && form[i] != '_' && c != form[i]) return false;
  }
  const auto number = [&](std::size_t at, std::size_t digits) {
    return std::stoul(text.substr(at, digits));
  };
  const auto month = number(5, 2);
  return month >= 1 && month <= 12 && number(8, 2) >= 1 &&
         number(8, 2) <= days_of_month(static_cast<std::int64_t>(number(0, 4)),
                                       static_cast<unsigned>(month)) &&
         number(11, 2) < 24 && number(14, 2) < 60 && number(17, 2) < 60;
}

TEST(Value, TimestampsWithOneWrongByteAnywhereAreMalformed) {
  for (const std::string good : {"2024-02-29 23:59:59", "1970-01-31T00:00:00.000",
                                 "9999-12-31 12:34:56.789", "0001-11-30T01:02:03.000001"}) {
    std::int64_t microseconds = 0;
    ASSERT_EQ(parse_timestamp(good, microseconds), ParseStatus::ok) << good;
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (int c = 0; c < 256; ++c) {
        std::string text = good;
        text[at] = static_cast<char>(c);
        const bool is_good = parse_timestamp(text, microseconds) == ParseStatus::ok;
        ASSERT_EQ(is_good, is_usual_timestamp(text)) << text;
      }
    }
  }
}

TEST(Value, TimestampsOfEveryLengthComeBackAsTheyWere) {
  const std::int64_t second = 1'000'000;
  for (std::int64_t day = -800'000; day < 2'900'000; day += 997) {
    for (const std::int64_t rest : {0 * second, 86'399 * second, 45'296 * second + 789'000,
                                    1 * second + 1, 3'599 * second + 999'999, 61 * second + 10}) {
      const std::int64_t value = day * 86'400 * second + rest;
      char text[value_text_bytes_max];
      const char* const end = write_value_text(text, Type{TypeId::timestamp}, &value);
      std::int64_t back = 0;
      ASSERT_EQ(parse_timestamp({text, static_cast<std::size_t>(end - text)}, back),
                ParseStatus::ok);
      ASSERT_EQ(back, value) << std::string_view(text, static_cast<std::size_t>(end - text));
    }
  }
}

TEST(Value, WholeNumbersAndDecimalsAreWrittenAsTheyAre) {
  for (std::uint64_t power = 1; power < 1'000'000'000'000'000'000ULL; power *= 10) {
    for (const std::int64_t near : {-1, 0, 1}) {
      for (const std::int64_t sign : {-1, 1}) {
        const std::int64_t value = sign * (static_cast<std::int64_t>(power) + near);
        char text[value_text_bytes_max];
        const char* end = write_integer(text, value);
        ASSERT_EQ(std::string_view(text, static_cast<std::size_t>(end - text)),
                  std::to_string(value));
        for (unsigned scale = 0; scale <= 18; ++scale) {
          end = write_decimal(text, value, scale);
          std::int64_t back = 0;
          const std::string_view written(text, static_cast<std::size_t>(end - text));
          ASSERT_EQ(parse_decimal(written, 18, scale, back), ParseStatus::ok) << written;
          ASSERT_EQ(back, value) << written;
          if (scale > 0) {
            ASSERT_EQ(written[written.size() - scale - 1], '.') << written;
          }
        }
      }
    }
  }
}

TEST(Value, TimestampsWithAZoneAreTurnedIntoUtc) {
  EXPECT_EQ(round_trip("timestamptz", "2026-01-31 12:00:00+02:00"), "2026-01-31T10:00:00Z");
  EXPECT_EQ(round_trip("timestamptz", "2026-01-31 12:00:00-0530"), "2026-01-31T17:30:00Z");
  EXPECT_EQ(round_trip("timestamptz", "2026-01-31 12:00:00.25+01"), "2026-01-31T11:00:00.250Z");
  EXPECT_EQ(round_trip("timestamptz", "2026-01-31T12:00:00Z"), "2026-01-31T12:00:00Z");
  EXPECT_EQ(round_trip("timestamptz", "2026-01-31 12:00:00"), "2026-01-31T12:00:00Z");
  EXPECT_EQ(round_trip("timestamptz", "2026-01-31 12:00:00+2"), "<malformed>");
  EXPECT_EQ(round_trip("timestamptz", "2026-01-31 12:00:00 Berlin"), "<malformed>");
}

TEST(Value, BooleansHaveTheirUsualSpellings) {
  for (const char* text : {"true", "TRUE", "t", "yes", "Y", "1"}) {
    EXPECT_EQ(round_trip("boolean", text), "true") << text;
  }
  for (const char* text : {"false", "F", "no", "N", "0"}) {
    EXPECT_EQ(round_trip("boolean", text), "false") << text;
  }
  for (const char* text : {"", "2", "on", "tru", " true"}) {
    EXPECT_EQ(round_trip("boolean", text), "<malformed>") << text;
  }
}

TEST(Value, BlobsAndUuidsComeBackAsTheyWere) {
  EXPECT_EQ(round_trip("blob", "ab\\x00\\xFFcd-longer-than-twelve"),
            "ab\\x00\\xFFcd-longer-than-twelve");
  EXPECT_EQ(round_trip("blob", "\xC3\xA9"), "\\xC3\\xA9");
  EXPECT_EQ(round_trip("blob", "a\\b"), "<malformed>");
  EXPECT_EQ(round_trip("blob", "a\\x0"), "<malformed>");
  EXPECT_EQ(round_trip("uuid", "00112233-4455-6677-8899-AABBCCDDEEFF"),
            "00112233-4455-6677-8899-aabbccddeeff");
  EXPECT_EQ(round_trip("uuid", "00112233445566778899aabbccddeeff"), "<malformed>");
  EXPECT_EQ(round_trip("uuid", "g0112233-4455-6677-8899-aabbccddeeff"), "<malformed>");
}

TEST(Value, SaysWhatIsWrongInASentence) {
  const auto say = [](ParseStatus status, std::string_view type, std::string_view text) {
    return describe_parse(status, parse_type(type).value(), text);
  };
  EXPECT_EQ(say(ParseStatus::malformed, "decimal(12,2)", "12,x"),
            "\"12,x\" is not a decimal(12,2)");
  EXPECT_EQ(say(ParseStatus::malformed, "integer", "a\nb"), "\"a\\nb\" is not an integer");
  EXPECT_EQ(say(ParseStatus::out_of_range, "tinyint", "300"),
            "\"300\" is out of range of tinyint");
  EXPECT_EQ(say(ParseStatus::too_precise, "decimal(5,1)", "1.25"),
            "\"1.25\" has more than 1 digit after the point: decimal(5,1)");
  std::string text(59, 'x');
  const std::string kept = fmt::format("\"{}...\" is not a date", text);
  text.append("\xC3\xA9 and more");  // the cut would fall inside the character
  EXPECT_EQ(say(ParseStatus::malformed, "date", text), kept);
}

}  // namespace
}  // namespace tranche
