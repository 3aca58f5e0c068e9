#include "base/text.h"

#include <limits>

#include <gtest/gtest.h>

namespace tranche {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

TEST(TextTest, ParsesSizes) {
  EXPECT_EQ(parse_size("1000"), 1000u);
  EXPECT_EQ(parse_size("512MiB"), 512u << 20);
  EXPECT_EQ(parse_size("64 KB"), 64'000u);
  EXPECT_EQ(parse_size("64kB"), 64'000u);
  EXPECT_EQ(parse_size(" 1GiB "), 1u << 30);
  EXPECT_EQ(parse_size("1.5 gib"), 1'610'612'736u);
  EXPECT_EQ(parse_size("2TiB"), std::uint64_t{2} << 40);
  EXPECT_EQ(parse_size("0.000001TiB"), 1'099'511u);
  EXPECT_EQ(parse_size("10 B"), 10u);
  EXPECT_EQ(parse_size("18446744073709551615"), 18446744073709551615u);
}

TEST(TextTest, RefusesWhatIsNoSize) {
  for (const char* text : {"", "MiB", "-1", "1.", ".5GiB", "1,5GiB", "5M", "1 Gib iB", "5 parsecs",
                           "18446744073709551616", "99999999999TiB", "0x10", "1.1234567KiB"})
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
}

TEST(TextTest, FormatsSizes) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(1024), "1 KiB");
  EXPECT_EQ(format_size(1536), "1.5 KiB");
  EXPECT_EQ(format_size((1u << 20) - 1), "1 MiB");
  EXPECT_EQ(format_size(1'610'612'736), "1.5 GiB");
  EXPECT_EQ(format_size(std::numeric_limits<std::uint64_t>::max()), "16 EiB");
}

TEST(TextTest, ParsesDurations) {
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("30s"), 30s);
  EXPECT_EQ(parse_duration("5 m"), 5min);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("1d"), 24h);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  for (const char* text : {"", "5", "s", "-1s", "5 weeks", "1e3s", "9223372036854775808ms"})
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

TEST(TextTest, FormatsDurations) {
  EXPECT_EQ(format_duration(0ns), "0 ms");
  EXPECT_EQ(format_duration(5ns), "1 us");
  EXPECT_EQ(format_duration(350us), "350 us");
  EXPECT_EQ(format_duration(950ms), "950 ms");
  EXPECT_EQ(format_duration(999'600us), "1.0 s");
  EXPECT_EQ(format_duration(12'340ms), "12.3 s");
  EXPECT_EQ(format_duration(59'960ms), "1 min 00 s");
  EXPECT_EQ(format_duration(245s), "4 min 05 s");
  EXPECT_EQ(format_duration(3599'600ms), "1 h 00 min");
  EXPECT_EQ(format_duration(2h + 5min), "2 h 05 min");
  EXPECT_EQ(format_duration(76h), "3 d 04 h");
  EXPECT_EQ(format_duration(-950ms), "-950 ms");
  EXPECT_EQ(format_duration(std::chrono::nanoseconds::min()), "-106751 d 23 h");
}

TEST(TextTest, GroupsTheDigitsOfCounts) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(3'000'000), "3,000,000");
  EXPECT_EQ(format_count(18446744073709551615u), "18,446,744,073,709,551,615");
}

TEST(TextTest, SuggestsTheNearestWord) {
  const Words keys{"columns", "delimiter", "header", "quote", "csv", "mode"};
  EXPECT_EQ(nearest("colums", keys), "columns");
  EXPECT_EQ(nearest("delimeter", keys), "delimiter");
  EXPECT_EQ(nearest("Header", keys), "header");
  EXPECT_EQ(nearest("cvs", keys), "csv");
  EXPECT_EQ(nearest("mdoe", keys), "mode");
  EXPECT_EQ(nearest("qoute", keys), "quote");
}

TEST(TextTest, SuggestsNothingWhenNothingIsNear) {
  const Words keys{"columns", "csv", "a"};
  EXPECT_EQ(nearest("password", keys), std::nullopt);
  EXPECT_EQ(nearest("x", keys), std::nullopt);
  EXPECT_EQ(nearest("", keys), std::nullopt);
  EXPECT_EQ(nearest("csv", {}), std::nullopt);
}

TEST(TextTest, FindsTheFirstByteThatIsNotUtf8) {
  EXPECT_EQ(find_invalid_utf8(""), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("plain text, longer than eight bytes"), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF"),
            std::nullopt);
  EXPECT_EQ(find_invalid_utf8("eight by\xFFtes"), 8u);
  EXPECT_EQ(find_invalid_utf8("ab\xC3"), 2u);
  EXPECT_EQ(find_invalid_utf8("ab\xC3z"), 2u);
  for (const char* text : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80",
                           "\xE2\x82", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
                           "\xFE"}) {
    EXPECT_EQ(find_invalid_utf8(text), 0u) << hex(text);
    EXPECT_FALSE(is_utf8(text));
  }
}

TEST(TextTest, EncodesBase64AndHexadecimal) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFF\xFE\xFD"), "//79");
  EXPECT_EQ(hex(std::string_view("\x00\xAB", 2)), "00ab");
}

TEST(TextTest, SplitsAndJoins) {
  EXPECT_EQ(split("a,,b,", ','), (Words{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), Words{""});
  EXPECT_EQ(join(Words{"a", "", "b"}, ", "), "a, , b");
  EXPECT_EQ(join({}, ","), "");
}

TEST(TextTest, TrimsAndLowers) {
  EXPECT_EQ(trim(" \t\r\n a b \f\v"), "a b");
  EXPECT_EQ(trim("  "), "");
  EXPECT_EQ(to_lower("AbZ\xC3\x89-9"), "abz\xC3\x89-9");
}

TEST(TextTest, AnExcerptFitsOneLine) {
  EXPECT_EQ(excerpt("a\tb\r\nc\x1B[0m\x7F"), "a\\tb\\r\\nc\\x1b[0m\\x7f");
  EXPECT_EQ(excerpt("\xC3\xA9 \xFF \xC2\x9B"), "\xC3\xA9 \\xff \\u009b");
  EXPECT_EQ(excerpt("abcdef", 6), "abcdef");
  EXPECT_EQ(excerpt("abcdefg", 6), "abcdef...");
  EXPECT_EQ(excerpt("ab\xC3\xA9", 3), "ab...");
  EXPECT_EQ(excerpt("ab\n", 3), "ab...");
  EXPECT_EQ(excerpt(""), "");
}

TEST(TextTest, TakesPasswordsOutOfUrls) {
  EXPECT_EQ(url_without_password("postgresql://ann:hush@db:5432/shop"),
            "postgresql://ann@db:5432/shop");
  EXPECT_EQ(url_without_password("postgresql://ann:hu/s:h@h@db/shop"), "postgresql://ann@db/shop");
  EXPECT_EQ(url_without_password("postgresql://:hush@db/shop"), "postgresql://@db/shop");
  EXPECT_EQ(url_without_password("postgresql://db/shop?user=a&password=hush&sslmode=require"),
            "postgresql://db/shop?user=a&sslmode=require");
  EXPECT_EQ(url_without_password("postgresql://db/shop?sslPassword=hush"), "postgresql://db/shop");
  EXPECT_EQ(url_without_password("https://ann:hush@h:80/b.csv?sig=hush#x"), "https://h:80/b.csv");
  EXPECT_EQ(url_without_password("https://ann:hu/s:h@h@db/b.csv"), "https://db/b.csv");
  EXPECT_EQ(url_without_password("http://token@h?sig=hush"), "http://h");
  EXPECT_EQ(url_without_password("http://h:80/@a/b.csv"), "http://h:80/@a/b.csv");
  EXPECT_EQ(url_without_password("http://[::1]:80/@a/b.csv"), "http://[::1]:80/@a/b.csv");
  for (const char* text : {"postgresql://ann@db:5432/shop", "data/a:b@c.csv", "", "://a:b@c",
                           "the URL postgresql://ann:hush@db"}) {
    EXPECT_EQ(url_without_password(text), text);
  }
}

}  // namespace
}  // namespace tranche
