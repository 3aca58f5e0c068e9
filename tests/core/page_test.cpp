#include <tranche/core/page.h>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include <tranche/core/reject.h>

namespace tranche {
namespace {

SchemaPtr schema_of(std::vector<Field> fields) {
  return std::make_shared<const Schema>(Schema{std::move(fields)});
}

SchemaPtr id_and_name() {
  return schema_of({{"id", {TypeId::bigint}}, {"name", {TypeId::varchar}}});
}

void append(Page& page, std::int64_t id, std::string_view name) {
  const std::size_t row = page.rows();
  page.column(0).values<std::int64_t>()[row] = id;
  page.column(1).values<StringRef>()[row] = StringRef::make(page.arena.copy(name));
  page.set_rows(row + 1);
}

std::string_view name_at(const Page& page, std::size_t row) {
  return page.column(1).values<StringRef>()[row].view();
}

TEST(Arena, KeepsWhatItHandedOutWhileItGrows) {
  Arena arena;
  std::vector<std::string_view> copies;
  for (int i = 0; i < 5000; ++i) copies.push_back(arena.copy("text " + std::to_string(i)));
  const std::string_view large = arena.copy(std::string(3'000'000, 'x'));
  for (int i = 0; i < 5000; ++i)
    EXPECT_EQ(copies[static_cast<std::size_t>(i)], "text " + std::to_string(i));
  EXPECT_EQ(large.size(), 3'000'000U);
  EXPECT_GE(arena.bytes_reserved(), 3'000'000U);
}

TEST(Arena, KeepsItsLargestBlockWhenCleared) {
  Arena arena;
  arena.allocate(10);
  arena.allocate(100'000);
  arena.allocate(50'000'000);
  arena.allocate(1'000'000);
  arena.clear();
  EXPECT_EQ(arena.bytes_reserved(), 50'000'000U);
  arena.allocate(50'000'000);
  EXPECT_EQ(arena.bytes_reserved(), 50'000'000U) << "the block that was kept is used again";
}

TEST(StringRef, HoldsUpToTwelveBytesItself) {
  for (const std::size_t length : {0U, 1U, 4U, 11U, 12U, 13U, 40U}) {
    const std::string text(length, 'q');
    const StringRef ref = StringRef::make(text);
    EXPECT_EQ(ref.view(), text);
    EXPECT_EQ(ref.view().data() == text.data(), length > 12) << length;
  }
}

TEST(Column, KeepsValuesAndNullsWhenItGrows) {
  Column column({TypeId::integer});
  column.reserve(70);
  for (int i = 0; i < 70; ++i) column.values<std::int32_t>()[i] = i;
  column.set_null(3);
  column.set_null(69);
  column.reserve(1000);
  EXPECT_EQ(column.values<std::int32_t>()[68], 68);
  for (std::size_t row = 0; row < 1000; ++row)
    EXPECT_EQ(column.is_valid(row), row != 3 && row != 69);
}

TEST(Column, HasNoNullsBeforeTheFirstOneAndAfterClear) {
  Column column({TypeId::date});
  column.reserve(10);
  EXPECT_EQ(column.validity(), nullptr);
  column.set_null(9);
  EXPECT_TRUE(column.has_nulls());
  EXPECT_NE(column.validity(), nullptr);
  column.clear();
  EXPECT_FALSE(column.has_nulls());
  EXPECT_TRUE(column.is_valid(9));
}

TEST(Page, AppendsRowsWithStringsOfTheirOwn) {
  Page to(id_and_name(), 4);
  {
    Page from(id_and_name(), 4);
    append(from, 7, "a name that is longer than twelve bytes");
    append(from, 8, "short");
    from.column(0).set_null(1);
    append_row(to, from, 1);
    append_row(to, from, 0);
  }
  ASSERT_EQ(to.rows(), 2U);
  EXPECT_FALSE(to.column(0).is_valid(0));
  EXPECT_EQ(name_at(to, 0), "short");
  EXPECT_EQ(to.column(0).values<std::int64_t>()[1], 7);
  EXPECT_EQ(name_at(to, 1), "a name that is longer than twelve bytes");
}

TEST(Page, TakesOriginsAlongOnlyWhereTheyMeanTheSame) {
  Page from(id_and_name(), 2);
  append(from, 1, "a");
  from.base.source = std::make_shared<const std::string>("a.csv");
  from.base.record = 100;
  from.origins = {Origin{50, 3, 4, 5}};
  Page same(id_and_name(), 2);
  same.base = from.base;
  append_row(same, from, 0);
  ASSERT_EQ(same.origins.size(), 1U);
  EXPECT_EQ(same.origins[0].offset, 50U);
  Page other(id_and_name(), 2);
  other.base.source = std::make_shared<const std::string>("b.csv");
  append_row(other, from, 0);
  EXPECT_TRUE(other.origins.empty());
  EXPECT_EQ(other.rows(), 1U);
}

TEST(Page, IsEmptyAndKnowsNothingOfItsPastWhenCleared) {
  Page page(id_and_name(), 2);
  append(page, 1, "a name that is longer than twelve bytes");
  page.column(1).set_null(0);
  page.base.line = 3;
  page.origins.resize(1);
  page.keep_alive.push_back(std::make_shared<const int>(1));
  page.clear();
  EXPECT_EQ(page.rows(), 0U);
  EXPECT_FALSE(page.column(1).has_nulls());
  EXPECT_EQ(page.base.line, 0U);
  EXPECT_TRUE(page.origins.empty());
  EXPECT_TRUE(page.keep_alive.empty());
  EXPECT_EQ(page.capacity(), 2U);
}

TEST(RowAsJson, WritesNumbersPlainAndEverythingElseQuoted) {
  Page page(schema_of({{"big", {TypeId::bigint}},
                       {"amount", decimal_type(12, 2)},
                       {"day", {TypeId::date}},
                       {"ok", {TypeId::boolean}},
                       {"ratio", {TypeId::double_}},
                       {"none", {TypeId::integer}},
                       {"text", {TypeId::varchar}},
                       {"bytes", {TypeId::blob}}}),
            1);
  page.column(0).values<std::int64_t>()[0] = std::numeric_limits<std::int64_t>::min();
  page.column(1).values<std::int64_t>()[0] = -105;
  page.column(2).values<std::int32_t>()[0] = 0;
  page.column(3).values<std::uint8_t>()[0] = 1;
  page.column(4).values<double>()[0] = 0.5;
  page.column(5).set_null(0);
  page.column(6).values<StringRef>()[0] = StringRef::make("a \"b\"\n");
  page.column(7).values<StringRef>()[0] = StringRef::make("\x01\xFF");
  page.set_rows(1);
  EXPECT_EQ(row_as_json(page, 0),
            "{\"big\":-9223372036854775808,\"amount\":-1.05,\"day\":\"1970-01-01\",\"ok\":true,"
            "\"ratio\":0.5,\"none\":null,\"text\":\"a \\\"b\\\"\\n\",\"bytes\":\"01ff\"}");
}

TEST(RowAsJson, QuotesWhatJsonHasNoNumberFor) {
  Page page(schema_of({{"a", {TypeId::double_}}, {"b", {TypeId::real}}}), 1);
  page.column(0).values<double>()[0] = std::nan("");
  page.column(1).values<float>()[0] = -std::numeric_limits<float>::infinity();
  page.set_rows(1);
  EXPECT_EQ(row_as_json(page, 0), "{\"a\":\"nan\",\"b\":\"-inf\"}");
}

TEST(RowAsJson, IsUtf8EvenWhereTheTextIsNot) {
  Page page(schema_of({{"text", {TypeId::varchar}}}), 1);
  page.column(0).values<StringRef>()[0] = StringRef::make("a\xFF");
  page.set_rows(1);
  EXPECT_EQ(row_as_json(page, 0), "{\"text\":\"a\xEF\xBF\xBD\"}");
}

TEST(RejectRow, NamesPlaceAndKeepsTheOriginalBytes) {
  const std::string file = "id,name\n1,\"x\"\n2,y\n";
  Page page(id_and_name(), 2);
  append(page, 1, "x");
  append(page, 2, "y");
  page.base = {std::make_shared<const std::string>("in.csv"), 2, 1000, file.data(), 0};
  page.origins = {Origin{8, 5, 0, 0}, Origin{14, 3, 1, 1}};
  const Reject reject = reject_row(page, 1, "sql", "Division by zero.");
  EXPECT_EQ(reject.source, "in.csv");
  EXPECT_EQ(reject.line, 3U);
  EXPECT_EQ(reject.offset, 14U);
  EXPECT_EQ(reject.record, 1001U);
  EXPECT_TRUE(reject.has_position);
  EXPECT_EQ(reject.raw, "2,y");
  EXPECT_EQ(reject.phase, "sql");
  EXPECT_EQ(reject.error, "Division by zero.");
}

TEST(RejectRow, ShowsTheRowAsJsonWhereItHasNoBytes) {
  Page page(id_and_name(), 1);
  append(page, 1, "x");
  const Reject reject = reject_row(page, 0, "write", "Refused.");
  EXPECT_FALSE(reject.has_position);
  EXPECT_EQ(reject.raw, "{\"id\":1,\"name\":\"x\"}");
}

}  // namespace
}  // namespace tranche
