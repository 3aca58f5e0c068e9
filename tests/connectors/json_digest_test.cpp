#include "connectors/json_digest.h"

#include <gtest/gtest.h>

namespace tranche {
namespace {

class JsonDigests : public ::testing::Test {
 protected:
  void expect_equal(std::string_view one, std::string_view other) {
    EXPECT_EQ(digest_.of(one), digest_.of(other)) << one << " and " << other;
  }
  void expect_different(std::string_view one, std::string_view other) {
    EXPECT_NE(digest_.of(one), digest_.of(other)) << one << " and " << other;
  }
  JsonDigest digest_;
};

TEST_F(JsonDigests, AreThoseOfTheValueHoweverItIsSpelled) {
  expect_equal(R"({"a":1,"b":[true,null]})", " { \"b\" : [ true ,\n null ] , \"a\" : 1 } ");
  expect_equal(R"("\u00e9\n\/")", "\"\xc3\xa9\\u000a/\"");
  expect_equal(R"("\ud83d\ude00")", "\"\xf0\x9f\x98\x80\"");
  expect_equal(R"({"\u0061":1})", R"({"a":1})");
  expect_equal("[]", "[ ]");
  expect_equal("{}", "{ }");
}

TEST_F(JsonDigests, TakeTheLastOfAKeyThatComesTwice) {
  expect_equal(R"({"a":1,"b":2,"a":3})", R"({"a":3,"b":2})");
  expect_different(R"({"a":1,"b":2,"a":3})", R"({"a":1,"b":2})");
}

TEST_F(JsonDigests, CompareNumbersExactly) {
  for (const char* const one : {"1", "1.0", "1.000e0", "10e-1", "0.1E+1", "0.01e2"})
    expect_equal(one, "1");
  for (const char* const zero : {"0", "-0", "0.00", "0e10", "-0.0E-3"}) expect_equal(zero, "0");
  expect_equal("1e20", "100000000000000000000");
  expect_equal("-12.50", "-1.25e1");
  expect_different("1", "-1");
  expect_different("1", "10");
  expect_different("1", "0.1");
  expect_different("0.1", "0.10000000000000001");
  expect_different("9007199254740993", "9007199254740992");
  expect_different("1", "101");
}

TEST_F(JsonDigests, TellApartWhatLooksAlike) {
  const std::string_view values[] = {"1",
                                     "\"1\"",
                                     "[1]",
                                     "[[1]]",
                                     "{\"1\":1}",
                                     "true",
                                     "false",
                                     "null",
                                     "\"null\"",
                                     "[]",
                                     "{}",
                                     "\"\"",
                                     "[1,2]",
                                     "[2,1]",
                                     "[[1],2]",
                                     "[1,[2]]",
                                     "[12]",
                                     "[null]",
                                     "\"a",
                                     "a",
                                     "[1,2,",
                                     R"({"a":{}})",
                                     R"({"a":[]})",
                                     R"({"a":{"b":1}})",
                                     R"({"a":1,"b":1})"};
  for (const auto one : values) {
    for (const auto other : values) {
      if (one != other) expect_different(one, other);
    }
  }
}

TEST_F(JsonDigests, DontSpillFromOneValueIntoTheNext) {
  const auto before = digest_.of(R"({"a":[1,{"b":"\n"}]})");
  digest_.of(R"([{"c":{"d":1}},2.50])");
  EXPECT_EQ(digest_.of(R"({"a":[1,{"b":"\n"}]})"), before);
}

}  // namespace
}  // namespace tranche
