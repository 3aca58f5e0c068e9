#include "report/cell_text.h"

#include <gtest/gtest.h>

#include <tranche/core/value.h>

namespace tranche::reporting {
namespace {

std::string shown(Type type, std::string_view text, bool is_amount = true) {
  Column column(type);
  column.reserve(1);
  Arena arena;
  EXPECT_EQ(parse_value(type, text, column.bytes(), arena), ParseStatus::ok) << text;
  std::string out;
  append_cell_text(out, column, 0, is_amount);
  return out;
}

TEST(CellText, HasSeparatorsWhereTheNumberIsAnAmount) {
  const Type bigint{TypeId::bigint};
  EXPECT_EQ(shown(bigint, "-1234567"), "-1,234,567");
  EXPECT_EQ(shown(bigint, "123"), "123");
  EXPECT_EQ(shown(bigint, "1234567", false), "1234567");
  EXPECT_EQ(shown(decimal_type(12, 2), "1234567.50"), "1,234,567.50");
}

TEST(CellText, OfAFloatIsWithoutTheNoiseOfItsLastDigits) {
  const Type type{TypeId::double_};
  EXPECT_EQ(shown(type, "0.30000000000000004"), "0.3");
  EXPECT_EQ(shown(type, "1234.5"), "1,234.5");
  EXPECT_EQ(shown(type, "-2"), "-2");
  EXPECT_EQ(shown(type, "1e-7"), "1e-07");
  EXPECT_EQ(shown(type, "0"), "0");
}

TEST(CellText, OfATimeIsReadable) {
  EXPECT_EQ(shown(Type{TypeId::timestamp}, "2026-01-31T12:34:56"), "2026-01-31 12:34:56");
  EXPECT_EQ(shown(Type{TypeId::timestamptz}, "2026-01-31T12:34:56Z"), "2026-01-31 12:34:56 UTC");
}

TEST(CellText, OfANullIsNothing) {
  Column column(Type{TypeId::bigint});
  column.reserve(1);
  column.set_null(0);
  std::string out;
  append_cell_text(out, column, 0, true);
  EXPECT_EQ(out, "");
}

TEST(Amount, IsNoKeyAndNoYear) {
  const auto is = [](const char* name, TypeId type = TypeId::bigint) {
    return is_amount(Field{name, Type{type}, false});
  };
  EXPECT_TRUE(is("revenue"));
  EXPECT_TRUE(is("paid"));
  EXPECT_TRUE(is("casino"));
  EXPECT_FALSE(is("id"));
  EXPECT_FALSE(is("store_id"));
  EXPECT_FALSE(is("Year"));
  EXPECT_FALSE(is("name", TypeId::varchar));
}

TEST(Shortened, EndsAtACharacterAndSaysHowLongItIs) {
  EXPECT_EQ(shortened("short", 5), "short");
  EXPECT_EQ(shortened("ab\u00fc\u00fc", 3), "ab\u2026 (6 bytes in all)");
}

}  // namespace
}  // namespace tranche::reporting
