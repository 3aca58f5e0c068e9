#include "base/json.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace tranche {
namespace {

// What a text becomes when it is read and written again.
std::string again(std::string_view text, int indent = -1) {
  Result<Json> json = Json::parse(text);
  return json ? json->dump(indent) : "error: " + json.error().message;
}

TEST(JsonTest, KeepsTheOrderOfMembers) {
  EXPECT_EQ(again(R"({"z": 1, "a": [true, null, {"y": 0, "b": ""}]})"),
            R"({"z":1,"a":[true,null,{"y":0,"b":""}]})");
}

TEST(JsonTest, IntegersStayIntegers) {
  for (const char* text : {"0", "-1", "9007199254740993", "9223372036854775807",
                           "9223372036854775808", "18446744073709551615", "-9223372036854775808"})
    EXPECT_EQ(again(text), text);
}

TEST(JsonTest, AnIntegerBeyond64BitsIsRefusedRatherThanRounded) {
  EXPECT_NE(again("[18446744073709551616]").find("needs more than 64 bits"), std::string::npos);
  EXPECT_NE(again("-9223372036854775809").find("needs more than 64 bits"), std::string::npos);
}

TEST(JsonTest, DoublesAreWrittenAsShortAsTheyReadBack) {
  EXPECT_EQ(Json(0.1).dump(), "0.1");
  EXPECT_EQ(Json(1.0).dump(), "1.0");
  EXPECT_EQ(Json(-0.0).dump(), "-0.0");
  EXPECT_EQ(Json(1e300).dump(), "1e+300");
  EXPECT_EQ(Json(5e-324).dump(), "5e-324");
  EXPECT_EQ(Json(0.1 + 0.2).dump(), "0.30000000000000004");
  EXPECT_EQ(again("1e2"), "100.0");
  EXPECT_EQ(Json(std::nan("")).dump(), "null");
  EXPECT_EQ(Json(std::numeric_limits<double>::infinity()).dump(), "null");
  EXPECT_TRUE(std::signbit(Json::parse("-0.0")->number()));
}

TEST(JsonTest, ReadsTheValueOrTheFallback) {
  const Result<Json> json =
      Json::parse(R"({"i":-3,"u":18446744073709551615,"d":2.5,"s":"x","b":true})");
  ASSERT_TRUE(json);
  const Json& j = *json;
  EXPECT_EQ(j["i"].integer(), -3);
  EXPECT_EQ(j["i"].natural(7), 7u);
  EXPECT_EQ(j["i"].number(), -3.0);
  EXPECT_EQ(j["u"].natural(), 18446744073709551615u);
  EXPECT_EQ(j["u"].integer(7), 7);
  EXPECT_EQ(j["d"].number(), 2.5);
  EXPECT_EQ(j["d"].integer(7), 7);
  EXPECT_EQ(j["s"].text(), "x");
  EXPECT_EQ(j["s"].number(1.5), 1.5);
  EXPECT_TRUE(j["b"].boolean());
  EXPECT_TRUE(j["none"].boolean(true));
  EXPECT_TRUE(j["none"]["deeper"].is_null());
  EXPECT_EQ(j["i"].text(), "");
  EXPECT_TRUE(j["i"].items().empty());
  EXPECT_TRUE(j["i"].entries().empty());
  EXPECT_EQ(j.entries().size(), 5u);
}

TEST(JsonTest, IsBuiltMemberByMember) {
  Json json;
  json.set("name", "x").set("count", 1).set("list", Json().push(1).push("two").push(nullptr));
  json.set("count", std::uint64_t{2});
  EXPECT_EQ(json.dump(), R"({"name":"x","count":2,"list":[1,"two",null]})");
  EXPECT_EQ(Json(Json::Object{}).dump(), "{}");
  EXPECT_EQ(Json(Json::Array{}).dump(2), "[]");
}

TEST(JsonTest, IndentsForPeople) {
  EXPECT_EQ(again(R"({"a":[1,2],"b":{}})", 2),
            "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
}

TEST(JsonTest, EscapesWhatJsonAsksFor) {
  EXPECT_EQ(Json("q\"b\\n\n\t\r\b\f\x01\x7F/\xC3\xA9").dump(),
            "\"q\\\"b\\\\n\\n\\t\\r\\b\\f\\u0001\x7F/\xC3\xA9\"");
  EXPECT_EQ(again(R"("\u00e9\ud83d\ude00\/\u0000")"), "\"\xC3\xA9\xF0\x9F\x98\x80/\\u0000\"");
  std::string out = "x";
  append_json_string(out, "");
  EXPECT_EQ(out, "x\"\"");
}

TEST(JsonTest, BytesThatAreNotUtf8BecomeTheReplacementCharacter) {
  EXPECT_EQ(Json("a\xFFz\xC3").dump(), "\"a\xEF\xBF\xBDz\xEF\xBF\xBD\"");
  EXPECT_EQ(Json(Json::Object{{"\x80", 1}}).dump(), "{\"\xEF\xBF\xBD\":1}");
}

TEST(JsonTest, ErrorsNameTheByte) {
  Result<Json> json = Json::parse(R"({"a": tru})");
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().kind, ErrorKind::failed);
  EXPECT_TRUE(json.error().message.starts_with("Invalid JSON at byte 9: ")) << json.error().message;
  EXPECT_EQ(json.error().message.find("json.exception"), std::string::npos);
}

TEST(JsonTest, RefusesWhatIsNoJson) {
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\":1,}", "01", "nul", "1 2", "{'a':1}",
                           "[1e999]", "\"\xFF\"", "\"\n\"", "NaN", "// x\n1", "\"\\ud800\"",
                           "+1", ".5"})
    EXPECT_FALSE(Json::parse(text)) << text;
  EXPECT_FALSE(Json::parse(std::string_view("{}\0x", 4)));
}

TEST(JsonTest, RefusesAKeyThatComesTwice) {
  EXPECT_NE(again(R"({"b":1,"a":2,"b":3})").find("the key \"b\" comes twice"), std::string::npos);
}

TEST(JsonTest, RefusesADocumentThatIsTooDeep) {
  const auto nested = [](std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  EXPECT_EQ(again(nested(512)), nested(512));
  EXPECT_NE(again(nested(513)).find("more than 512 levels"), std::string::npos);
  EXPECT_FALSE(Json::parse(std::string(1'000'000, '[')));
}

}  // namespace
}  // namespace tranche
