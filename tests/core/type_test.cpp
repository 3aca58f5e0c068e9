#include <tranche/core/type.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <tranche/core/schema.h>

namespace tranche {
namespace {

std::string problem_of(std::string_view text) {
  const Result<Type> type = parse_type(text);
  return type ? "no error: " + to_string(*type) : type.error().message;
}

TEST(Type, ReadsEveryNameThatItWrites) {
  for (int id = 0; id <= static_cast<int>(TypeId::json); ++id) {
    Type type{static_cast<TypeId>(id), 0, 0};
    if (type.id == TypeId::decimal) type = decimal_type(12, 2);
    const Result<Type> again = parse_type(to_string(type));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, type) << to_string(type);
  }
}

TEST(Type, KnowsTheUsualAliasesInAnyCase) {
  const std::vector<std::pair<std::string, std::string>> aliases{
      {"INT", "integer"},
      {"Int64", "bigint"},
      {"int8", "bigint"},
      {"uint8", "utinyint"},
      {"text", "varchar"},
      {"STRING", "varchar"},
      {"bool", "boolean"},
      {"float8", "double"},
      {"float", "real"},
      {"datetime", "timestamp"},
      {"bytea", "blob"},
      {" double   precision ", "double"},
      {"numeric(9,3)", "decimal(9,3)"},
      {"DECIMAL ( 12 , 2 )", "decimal(12,2)"},
      {"decimal(5)", "decimal(5,0)"},
      {"decimal", "decimal(18,3)"},
      {"timestamp with time zone", "timestamptz"},
  };
  for (const auto& [alias, name] : aliases) {
    const Result<Type> type = parse_type(alias);
    ASSERT_TRUE(type) << type.error().message;
    EXPECT_EQ(to_string(*type), name) << alias;
  }
}

TEST(Type, SuggestsTheNearestNameForASlipOfTheFingers) {
  EXPECT_EQ(problem_of("intger"), "\"intger\" is not a type; did you mean \"integer\"?");
  EXPECT_EQ(problem_of("timestmap"), "\"timestmap\" is not a type; did you mean \"timestamp\"?");
}

TEST(Type, SaysWhatWasExpectedWhenNothingIsNear) {
  EXPECT_NE(problem_of("polygon").find("expected one of boolean, tinyint"), std::string::npos);
  EXPECT_NE(problem_of("").find("is not a type"), std::string::npos);
}

TEST(Type, RefusesDecimalsThatCanNotBe) {
  for (const char* text : {"decimal(0,0)", "decimal(39,2)", "decimal(4,5)", "decimal(a,2)",
                           "decimal(12,2,1)", "decimal()", "decimal(12,)", "decimal(100,2)"})
    EXPECT_NE(problem_of(text).find("expected decimal(width,scale)"), std::string::npos)
        << text << ": " << problem_of(text);
  EXPECT_NE(problem_of("decimal(12,2").find("parenthesis"), std::string::npos);
}

TEST(Type, RefusesALengthThatItWouldNotKeepTo) {
  EXPECT_EQ(problem_of("varchar(20)"),
            "\"varchar(20)\" is not a type; varchar has no length, write varchar alone.");
}

TEST(Type, ReadsListsAndStructsInEachOther) {
  const std::vector<std::pair<std::string, std::string>> types{
      {"varchar[]", "varchar[]"},
      {" Decimal(12, 2) [ ] []", "decimal(12,2)[][]"},
      {"struct(street text, zip int)", "struct(street varchar, zip integer)"},
      {"ROW(a decimal(4,1), B struct(\"zip code\" varchar[], \"a\"\"b,(\" json))[]",
       "struct(a decimal(4,1), B struct(\"zip code\" varchar[], \"a\"\"b,(\" json))[]"},
  };
  for (const auto& [text, name] : types) {
    const Result<Type> type = parse_type(text);
    ASSERT_TRUE(type) << type.error().message;
    EXPECT_EQ(to_string(*type), name);
    EXPECT_EQ(parse_type(name).value(), *type);
  }
  EXPECT_NE(parse_type("integer[]").value(), parse_type("bigint[]").value());
  EXPECT_NE(parse_type("struct(a int)").value(), parse_type("struct(b int)").value());
}

TEST(Type, RefusesNestedTypesThatCanNotBe) {
  EXPECT_NE(problem_of("intger[]").find("did you mean \"integer\""), std::string::npos);
  for (const char* text : {"struct", "struct()", "struct(a)", "struct(a int, )", "struct(\"a int)",
                           "struct(a int, A int)", "struct(a int"})
    EXPECT_NE(problem_of(text).find("as in struct("), std::string::npos) << problem_of(text);
  for (const char* text : {"varchar]", "varchar[3]", "[]"})
    EXPECT_NE(problem_of(text).find("is not a type"), std::string::npos) << problem_of(text);
  std::string deep = "integer";
  for (int i = 0; i < 100; ++i) deep += "[]";
  EXPECT_NE(problem_of(deep).find("deep"), std::string::npos);
}

TEST(Type, LiesInMemoryAsInDuckDb) {
  const auto bytes = [](Type type) { return physical_bytes(physical_type(type)); };
  EXPECT_EQ(physical_type(decimal_type(4, 1)), PhysicalType::int16);
  EXPECT_EQ(physical_type(decimal_type(5, 1)), PhysicalType::int32);
  EXPECT_EQ(physical_type(decimal_type(9, 1)), PhysicalType::int32);
  EXPECT_EQ(physical_type(decimal_type(10, 1)), PhysicalType::int64);
  EXPECT_EQ(physical_type(decimal_type(18, 1)), PhysicalType::int64);
  EXPECT_EQ(physical_type(decimal_type(19, 1)), PhysicalType::int128);
  EXPECT_EQ(bytes({TypeId::date}), 4U);
  EXPECT_EQ(bytes({TypeId::timestamptz}), 8U);
  EXPECT_EQ(bytes({TypeId::varchar}), 16U);
  EXPECT_EQ(bytes({TypeId::uuid}), 16U);
  EXPECT_EQ(bytes({TypeId::boolean}), 1U);
}

TEST(Type, CallsNumbersNumericAndNothingElse) {
  EXPECT_TRUE(is_numeric({TypeId::tinyint}));
  EXPECT_TRUE(is_numeric(decimal_type(3, 1)));
  EXPECT_FALSE(is_numeric({TypeId::boolean}));
  EXPECT_FALSE(is_numeric({TypeId::date}));
  EXPECT_FALSE(is_numeric({TypeId::uuid}));
}

TEST(Schema, FindsANameExactlyBeforeItIgnoresCase) {
  const Schema schema{{{"Id", {TypeId::bigint}}, {"id", {TypeId::integer}}}};
  EXPECT_EQ(schema.find("id"), 1U);
  EXPECT_EQ(schema.find("Id"), 0U);
  EXPECT_EQ(schema.find("ID"), 0U);
  EXPECT_EQ(schema.find("key"), std::nullopt);
}

TEST(Schema, IsWrittenAsSqlWritesIt) {
  const Schema schema{{{"id", {TypeId::bigint}}, {"name", {TypeId::varchar}, true}}};
  EXPECT_EQ(to_string(schema), "id bigint, name varchar not null");
  EXPECT_EQ(schema.names(), (std::vector<std::string>{"id", "name"}));
}

}  // namespace
}  // namespace tranche
