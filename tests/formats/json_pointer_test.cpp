#include "formats/json_pointer.h"

#include <gtest/gtest.h>

#include "formats/byte_search.h"

namespace tranche {
namespace {

std::string found(std::string_view pointer, std::string json) {
  const auto parsed = JsonPointer::parse(pointer);
  EXPECT_TRUE(parsed) << pointer;
  const std::size_t bytes = json.size();
  json.append(search_padding_bytes, '\0');
  const auto value = parsed->find(std::string_view(json).substr(0, bytes));
  if (!value) return value.error().message;
  return *value ? std::string(**value) : "nothing";
}

// The document and the pointers of RFC 6901, section 5.
TEST(JsonPointer, FindsWhatItsStandardSays) {
  const std::string json = R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,)"
                           R"("i\\j":5,"k\"l":6," ":7,"m~n":8})";
  EXPECT_EQ(found("", json), json);
  EXPECT_EQ(found("/foo", json), R"(["bar","baz"])");
  EXPECT_EQ(found("/foo/0", json), "\"bar\"");
  EXPECT_EQ(found("/", json), "0");
  EXPECT_EQ(found("/a~1b", json), "1");
  EXPECT_EQ(found("/c%d", json), "2");
  EXPECT_EQ(found("/e^f", json), "3");
  EXPECT_EQ(found("/g|h", json), "4");
  EXPECT_EQ(found("/i\\j", json), "5");
  EXPECT_EQ(found("/k\"l", json), "6");
  EXPECT_EQ(found("/ ", json), "7");
  EXPECT_EQ(found("/m~0n", json), "8");
}

TEST(JsonPointer, FindsNothingWhereThereIsNothing) {
  for (const char* pointer : {"/b", "/a/c", "/a/b/c", "/l/2", "/l/01", "/l/-", "/l/x", "/s/0"})
    EXPECT_EQ(found(pointer, R"( { "a" : { "b" : null } , "l" : [ 1 , 2 ] , "s" : "text" } )"),
              "nothing")
        << pointer;
}

TEST(JsonPointer, DoesNotChooseBetweenTwoValuesOfOneName) {
  EXPECT_EQ(found("/a", R"({"a":1,"b":2,"\u0061":3})"), "has the key \"a\" twice");
}

TEST(JsonPointer, SaysWhatIsNone) {
  for (const char* text : {"a", "a/b", "/~", "/~2"}) EXPECT_FALSE(JsonPointer::parse(text)) << text;
}

}  // namespace
}  // namespace tranche
