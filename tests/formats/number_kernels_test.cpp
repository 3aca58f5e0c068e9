// Numbers read eight digits at a time are those of the strict parsers, or none.
#include "formats/number_kernels.h"

#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace tranche {
namespace {

// The text with the padding that the kernels may read.
class Padded {
 public:
  explicit Padded(const std::string& text)
      : bytes_(std::string(number_padding_bytes, '9') + text + std::string(8, '9')),
        length_(static_cast<unsigned>(text.size())) {}
  const char* text() const { return bytes_.data() + number_padding_bytes; }
  unsigned length() const { return length_; }
  std::string_view view() const { return {text(), length_}; }

 private:
  std::string bytes_;
  unsigned length_;
};

template <class T> void expect_integer(const std::string& text) {
  const Padded padded(text);
  T fast = 77;
  T strict = 77;
  if (!read_integer(padded.text(), padded.length(), fast)) return;
  ASSERT_EQ(parse_integer(padded.view(), strict), ParseStatus::ok) << text;
  ASSERT_EQ(fast, strict) << text;
}

void expect_integers(const std::string& text) {
  expect_integer<std::int8_t>(text);
  expect_integer<std::uint8_t>(text);
  expect_integer<std::int16_t>(text);
  expect_integer<std::uint16_t>(text);
  expect_integer<std::int32_t>(text);
  expect_integer<std::uint32_t>(text);
  expect_integer<std::int64_t>(text);
  expect_integer<std::uint64_t>(text);
}

template <class T> void expect_decimal(const std::string& text, unsigned width, unsigned scale) {
  const Padded padded(text);
  T fast = 77;
  T strict = 77;
  if (!read_decimal(padded.text(), padded.length(), width, scale, fast)) return;
  ASSERT_EQ(parse_decimal(padded.view(), width, scale, strict), ParseStatus::ok) << text;
  ASSERT_EQ(fast, strict) << text << " as decimal(" << width << "," << scale << ")";
}

// Texts of digits, signs, points and a few others, mostly digits.
std::string random_text(std::mt19937_64& random, std::size_t length) {
  constexpr std::string_view letters = "0123456789012345678901234567890123456789-+./:e ";
  std::string text(length, '\0');
  for (char& c : text) c = letters[random() % letters.size()];
  return text;
}

TEST(NumberKernels, ReadTheUsualFormOfEveryLength) {
  std::uint64_t value = 0;
  for (std::uint64_t length = 1; length <= 16; ++length) {
    value = value * 10 + length % 10;
    std::int64_t out = 0;
    const Padded positive(fmt::format("{}", value));
    ASSERT_TRUE(read_integer(positive.text(), positive.length(), out)) << value;
    ASSERT_EQ(out, static_cast<std::int64_t>(value));
    const Padded negative(fmt::format("-{}", value));
    ASSERT_TRUE(read_integer(negative.text(), negative.length(), out)) << value;
    ASSERT_EQ(out, -static_cast<std::int64_t>(value));
  }
  std::int32_t price = 0;
  const Padded text("-1234.56");
  ASSERT_TRUE(read_decimal(text.text(), text.length(), 9, 2, price));
  EXPECT_EQ(price, -123456);
}

TEST(NumberKernels, AreNoneAtTheEdgesOfTheirTypes) {
  for (const char* text :
       {"127",        "128",         "-128",       "-129",       "255",   "256",
        "32767",      "32768",       "-32768",     "65535",      "65536", "2147483647",
        "2147483648", "-2147483648", "4294967295", "4294967296", "-1",    "-0",
        "0",          "00000000",    "",           "-",          "+1"}) {
    expect_integers(text);
  }
}

TEST(NumberKernels, AgreeWithTheStrictParsersOnAnyText) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 300'000; ++i) {
    const std::string text = random_text(random, random() % 20);
    expect_integers(text);
    const unsigned scale = 1 + static_cast<unsigned>(random() % 7);
    const unsigned width = scale + static_cast<unsigned>(random() % (19 - scale));
    if (width <= 4)
      expect_decimal<std::int16_t>(text, width, scale);
    else if (width <= 9)
      expect_decimal<std::int32_t>(text, width, scale);
    else
      expect_decimal<std::int64_t>(text, width, scale);
  }
}

TEST(NumberKernels, AgreeWithTheStrictParserOnDecimalsOfEveryShape) {
  for (unsigned scale = 1; scale <= 7; ++scale) {
    for (unsigned before = 0; before <= 9; ++before) {
      for (unsigned behind = 0; behind <= 9; ++behind) {
        const std::string text = std::string("123456789").substr(0, before) + "." +
                                 std::string("987654321").substr(0, behind);
        for (const unsigned width : {4U, 9U, 12U, 18U}) {
          if (width < scale) continue;
          expect_decimal<std::int64_t>(text, width, scale);
          expect_decimal<std::int64_t>("-" + text, width, scale);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tranche
