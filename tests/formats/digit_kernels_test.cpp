// Digits of numbers, written many at once, are those that everybody would write.
#include "formats/digit_kernels.h"

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/simd.h"
#include "core/digits.h"

namespace tranche {
namespace {

std::string plain_decimal(std::int64_t scaled, unsigned scale) {
  const bool negative = scaled < 0;
  const auto magnitude =
      negative ? 0 - static_cast<std::uint64_t>(scaled) : static_cast<std::uint64_t>(scaled);
  std::string digits = fmt::format("{:0{}}", magnitude, scale + 1);
  digits.insert(digits.size() - scale, ".");
  return (negative ? "-" : "") + digits;
}

template <class Put> std::string text_of(Put put) {
  char room[value_text_bytes_max];
  return {room, static_cast<std::size_t>(put(room) - room)};
}

template <class T> void expect_plain(std::vector<T> numbers) {
  const std::size_t count = numbers.size();
  numbers.resize(count + 4);
  std::vector<std::uint64_t> digits(numbers.size());
  write_eight_digits(numbers.data(), count, digits.data());
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t number = numbers[i];
    const std::string plain = std::to_string(number);
    ASSERT_EQ(text_of([&](char* out) { return put_integer(out, number); }), plain);
    ASSERT_EQ(text_of([&](char* out) { return put_integer(out, number, digits[i]); }), plain);
    ASSERT_EQ(digits[i] == 0, plain.size() - (number < 0 ? 1 : 0) > 8) << plain;
    for (unsigned scale = 1; scale <= 18; ++scale) {
      const std::string decimal = plain_decimal(number, scale);
      ASSERT_EQ(text_of([&](char* out) { return put_decimal64(out, number, scale); }), decimal);
      ASSERT_EQ(text_of([&](char* out) { return put_decimal64(out, number, scale, digits[i]); }),
                decimal);
    }
  }
}

class DigitKernels : public testing::TestWithParam<SimdLevel> {
 protected:
  void SetUp() override { set_simd_level(GetParam()); }
  void TearDown() override { set_simd_level(before_); }

  // Numbers of every length, and those around the powers of ten.
  template <class T> std::vector<T> numbers() {
    std::vector<T> made{0, std::numeric_limits<T>::max(), std::numeric_limits<T>::min()};
    for (T power = 1; power <= std::numeric_limits<T>::max() / 10;
         power = static_cast<T>(power * 10)) {
      for (const int beside : {-1, 0, 1}) {
        made.push_back(static_cast<T>(power + beside));
        made.push_back(static_cast<T>(-power + beside));
      }
    }
    std::mt19937_64 random(seed_);
    while (made.size() < 20'000) {
      const auto number = static_cast<T>(random() >> (random() % 64));
      made.push_back(number);
    }
    return made;
  }

 private:
  const SimdLevel before_ = simd_level();
  const std::uint64_t seed_ = std::random_device{}();
  const testing::ScopedTrace trace_{__FILE__, __LINE__, fmt::format("seed {}", seed_)};
};

TEST_P(DigitKernels, WriteNumbersOfEveryLength) {
  expect_plain(numbers<std::int32_t>());
  expect_plain(numbers<std::int64_t>());
}

INSTANTIATE_TEST_SUITE_P(EachLevel, DigitKernels,
                         testing::Values(SimdLevel::portable, SimdLevel::avx2));

TEST(Times, AreWrittenWithAsManyDigitsAsTheyNeed) {
  const auto time = [](std::int64_t microseconds) {
    return text_of([&](char* out) { return put_time(out, microseconds); });
  };
  for (std::int64_t second = 0; second <= 86'400; ++second) {
    ASSERT_EQ(time(second * 1'000'000),
              fmt::format("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60));
  }
  for (std::int64_t rest = 1; rest < 1'000'000; ++rest) {
    const std::string fraction =
        rest % 1000 == 0 ? fmt::format("{:03}", rest / 1000) : fmt::format("{:06}", rest);
    ASSERT_EQ(time(rest), "00:00:00." + fraction);
  }
}

}  // namespace
}  // namespace tranche
