#include <tranche/core/parameter.h>

#include <gtest/gtest.h>

namespace tranche {
namespace {

TEST(Parameter, IsWrittenCanonically) {
  const auto text_of = [](Type type, std::string_view text) {
    const Result<Parameter> parameter = make_parameter("p", type, text);
    return parameter ? parameter->text : parameter.error().message;
  };
  EXPECT_EQ(text_of({TypeId::date}, "2026-01-31"), "2026-01-31");
  EXPECT_EQ(text_of({TypeId::integer}, "+007"), "7");
  EXPECT_EQ(text_of(decimal_type(12, 2), "3.5"), "3.50");
  EXPECT_EQ(text_of({TypeId::boolean}, "YES"), "true");
  EXPECT_EQ(text_of({TypeId::timestamp}, "2026-01-31 12:34:56"), "2026-01-31T12:34:56");
  EXPECT_EQ(text_of({TypeId::varchar}, "a text longer than twelve bytes"),
            "a text longer than twelve bytes");
  EXPECT_EQ(text_of({TypeId::varchar}, ""), "");
}

TEST(Parameter, NamesItselfAndItsTypeWhenTheTextIsWrong) {
  const Result<Parameter> parameter = make_parameter("day", {TypeId::date}, "2026-02-30");
  ASSERT_FALSE(parameter);
  EXPECT_EQ(parameter.error().kind, ErrorKind::usage);
  EXPECT_EQ(parameter.error().message,
            "Parameter \"day\": \"2026-02-30\" is not a date; write it like 2026-01-31.");
}

TEST(Parameter, RefusesTextThatIsNotUtf8) {
  const Result<Parameter> parameter = make_parameter("name", {TypeId::varchar}, "a\xFF");
  ASSERT_FALSE(parameter);
  EXPECT_EQ(parameter.error().kind, ErrorKind::usage);
}

}  // namespace
}  // namespace tranche
