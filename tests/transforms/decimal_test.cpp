#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include <tranche/transforms/decimal.h>

namespace tranche {
namespace {

using Price = Decimal<12, 2>;

Price price(std::int64_t cents) { return Price::from_scaled(cents); }

bool is(Int128 value, std::int64_t expected) { return value == Int128{expected}; }

TEST(Decimal, MultipliesByAWholeNumberExactly) {
  EXPECT_TRUE(is((3 * price(2990)).scaled(), 8970));
  EXPECT_TRUE(is((price(-345) * 4).scaled(), -1380));
  EXPECT_TRUE(is((0 * price(345)).scaled(), 0));
}

TEST(Decimal, MultipliesDecimalsAndAddsTheirScales) {
  const auto product = price(1050) * Decimal<6, 3>::from_scaled(915);
  static_assert(product.scale == 5);
  EXPECT_TRUE(is(product.scaled(), 960750));
}

TEST(Decimal, AddsAndSubtractsDecimalsOfDifferentScales) {
  const auto third = Decimal<6, 3>::from_scaled(5);
  EXPECT_TRUE(is((price(150) + third).scaled(), 1505));
  EXPECT_TRUE(is((price(150) - third).scaled(), 1495));
  EXPECT_TRUE(is((price(-150) - third).scaled(), -1505));
}

TEST(Decimal, ConvertsToALargerScaleAndFromWholeNumbers) {
  const Decimal<18, 4> wide = price(345);
  EXPECT_TRUE(is(wide.scaled(), 34500));
  const Price seven = 7;
  EXPECT_TRUE(is(seven.scaled(), 700));
}

TEST(Decimal, RoundsHalfAwayFromZero) {
  EXPECT_TRUE(is(Price::from_scaled(345).round<1>().scaled(), 35));
  EXPECT_TRUE(is(Price::from_scaled(-345).round<1>().scaled(), -35));
  EXPECT_TRUE(is(Price::from_scaled(344).round<1>().scaled(), 34));
}

TEST(Decimal, RejectsTheRecordWhoseNumberDoesNotFit) {
  EXPECT_THROW(Price::from_scaled(1'000'000'000'000), Reject);
  EXPECT_NO_THROW(Price::from_scaled(999'999'999'999));
  EXPECT_THROW((Decimal<4, 2>(price(10000))), Reject);
  const auto largest = Decimal<38, 0>::from_scaled(decimal::power_of_ten(38) - 1);
  EXPECT_THROW(largest * std::numeric_limits<std::int64_t>::max(), Reject);
  EXPECT_THROW(largest + largest, Reject);
}

}  // namespace
}  // namespace tranche
