#include <tranche/transforms/function.h>

#include <gtest/gtest.h>

namespace tranche {
namespace {

Schema one_field(const char* type) { return Schema{{{"v", parse_type(type).value(), false}}}; }

struct InAnonymousNamespace {
  int id;
  int deed;
};

TEST(FunctionColumns, AreNamedAsTheFieldsOfAnyStruct) {
  struct Local {
    int number;
  };
  EXPECT_EQ(schema_of<InAnonymousNamespace>().names(), (std::vector<std::string>{"id", "deed"}));
  EXPECT_EQ(schema_of<Local>().names(), std::vector<std::string>{"number"});
}

TEST(FunctionColumns, AreFoundByNameAndMustBeOfTheFieldsType) {
  const Schema columns{{{"a", {TypeId::bigint}}, {"v", {TypeId::varchar}}}};
  EXPECT_EQ(match_columns(one_field("varchar"), columns).value(), std::vector<std::size_t>{1});
  const auto other = match_columns(one_field("integer"), columns);
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("is a integer, but the column is a varchar"),
            std::string::npos)
      << other.error().message;
}

TEST(FunctionColumns, OfJsonAreTextsToAFunction) {
  EXPECT_TRUE(match_columns(one_field("varchar"), one_field("json")));
  EXPECT_FALSE(match_columns(one_field("integer"), one_field("json")));
}

TEST(FunctionColumns, ThatAreNestedAreRefusedWithAWayOut) {
  for (const char* type : {"varchar[]", "struct(a integer)"}) {
    const auto refused = match_columns(one_field("varchar"), one_field(type));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::config);
    EXPECT_NE(refused.error().message.find("functions take no lists and structs"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace tranche
