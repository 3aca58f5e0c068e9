#include "formats/page_codec.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace tranche {
namespace {

SchemaPtr all_types() {
  Schema schema;
  for (int id = 0; id <= static_cast<int>(TypeId::json); ++id) {
    Type type{static_cast<TypeId>(id), 0, 0};
    if (type.id == TypeId::decimal) continue;
    schema.fields.push_back({to_string(type), type});
  }
  for (const int width : {4, 9, 18, 38})
    schema.fields.push_back(
        {"decimal" + std::to_string(width), decimal_type(static_cast<std::uint8_t>(width), 2)});
  for (const char* text : {"varchar[]", "struct(a integer, b varchar, c double[])",
                           "struct(x smallint[][], y json)[]"})
    schema.fields.push_back({text, parse_type(text).value()});
  return std::make_shared<const Schema>(schema);
}

SchemaPtr text_column() {
  return std::make_shared<const Schema>(Schema{{{"text", {TypeId::varchar}}}});
}

void fill_random(Column& column, std::size_t rows, std::mt19937_64& random, unsigned null_in,
                 Arena& arena) {
  for (std::size_t row = 0; row < rows; ++row) {
    if (is_string(column.type())) {
      std::string text(random() % 20, ' ');
      for (char& c : text) c = static_cast<char>('a' + random() % 26);
      column.values<StringRef>()[row] = StringRef::make(arena.copy(text));
    } else if (column.type().id == TypeId::list) {
      const std::size_t first = column.elements() + random() % 2;  // gaps are allowed
      const std::size_t length = random() % 4;
      column.set_elements(first + length);
      column.values<ListEntry>()[row] = {first, length};
    } else {
      for (std::size_t b = 0; b < column.stride(); ++b)
        column.bytes()[row * column.stride() + b] = static_cast<char>(random());
    }
  }
  const bool is_list = column.type().id == TypeId::list;
  for (std::size_t i = 0; i < column.child_count(); ++i)
    fill_random(column.child(i), is_list ? column.elements() : rows, random, null_in, arena);
  for (std::size_t row = 0; null_in != 0 && row < rows; ++row)
    if (random() % null_in == 0) column.set_null(row);
}

// Random values, strings of every length around the inline limit, about one null in `null_in`.
std::unique_ptr<Page> random_page(SchemaPtr schema, std::size_t rows, std::mt19937_64& random,
                                  unsigned null_in) {
  auto page = std::make_unique<Page>(std::move(schema), rows);
  for (std::size_t i = 0; i < page->column_count(); ++i)
    fill_random(page->column(i), rows, random, null_in, page->arena);
  page->set_rows(rows);
  return page;
}

void expect_equal(const Column& left, std::size_t row_a, const Column& right, std::size_t row_b) {
  ASSERT_EQ(left.is_valid(row_a), right.is_valid(row_b))
      << to_string(left.type()) << " row " << row_a;
  if (!left.is_valid(row_a)) return;
  if (is_string(left.type())) {
    ASSERT_EQ(left.values<StringRef>()[row_a].view(), right.values<StringRef>()[row_b].view());
  } else if (left.type().id == TypeId::list) {
    const ListEntry a = left.values<ListEntry>()[row_a];
    const ListEntry b = right.values<ListEntry>()[row_b];
    ASSERT_EQ(a.length, b.length);
    for (std::size_t i = 0; i < a.length; ++i)
      expect_equal(left.child(0), a.offset + i, right.child(0), b.offset + i);
  } else {
    const std::size_t stride = left.stride();
    ASSERT_EQ(std::string_view(left.bytes() + row_a * stride, stride),
              std::string_view(right.bytes() + row_b * stride, stride));
    for (std::size_t i = 0; i < left.child_count(); ++i)
      expect_equal(left.child(i), row_a, right.child(i), row_b);
  }
}

void expect_equal_row(const Page& a, std::size_t row_a, const Page& b, std::size_t row_b) {
  for (std::size_t i = 0; i < a.column_count(); ++i)
    expect_equal(a.column(i), row_a, b.column(i), row_b);
}

std::string encoded(const Page& page) {
  std::string bytes;
  append_page_frame(bytes, page);
  return bytes;
}

PageFrames frames_of(const Page& page, std::string bytes) {
  return PageFrames(page.schema_ptr(), std::make_shared<const std::string>(std::move(bytes)));
}

// The only page of `bytes`.
std::unique_ptr<Page> decoded(SchemaPtr schema, std::string bytes) {
  PageFrames frames(std::move(schema), std::make_shared<const std::string>(std::move(bytes)));
  Result<std::unique_ptr<Page>> page = frames.next();
  EXPECT_TRUE(page && *page) << (page ? "no page" : page.error().message);
  if (!page) return nullptr;
  Result<std::unique_ptr<Page>> end = frames.next();
  EXPECT_TRUE(end && *end == nullptr);
  return std::move(*page);
}

TEST(PageFrames, GiveBackEveryTypeWithAndWithoutNulls) {
  std::mt19937_64 random(20261123);
  const SchemaPtr schema = all_types();
  for (const std::size_t rows : {1U, 63U, 64U, 65U, 2048U, 3001U})
    for (const unsigned null_in : {0U, 1U, 5U}) {
      const auto page = random_page(schema, rows, random, null_in);
      const auto again = decoded(schema, encoded(*page));
      ASSERT_TRUE(again);
      ASSERT_EQ(again->rows(), rows);
      for (std::size_t row = 0; row < rows; ++row) expect_equal_row(*page, row, *again, row);
    }
}

TEST(PageFrames, GiveBackTheSameRowsWithoutTheirOrigins) {
  std::mt19937_64 random(11);
  const SchemaPtr schema = all_types();
  const auto page = random_page(schema, 300, random, 4);
  page->origins.resize(page->rows());
  std::string bytes;
  append_page_frame(bytes, *page, FrameOrigins::left_out);
  EXPECT_LT(bytes.size(), encoded(*page).size());
  const auto again = decoded(schema, bytes);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->origins.empty());
  for (std::size_t row = 0; row < page->rows(); ++row) expect_equal_row(*page, row, *again, row);
}

TEST(PageFrames, GiveBackTheChosenRowsInTheirOrder) {
  std::mt19937_64 random(7);
  const SchemaPtr schema = all_types();
  const auto page = random_page(schema, 500, random, 4);
  std::vector<std::uint32_t> rows;
  for (int i = 0; i < 200; ++i) rows.push_back(static_cast<std::uint32_t>(random() % 500));
  std::string bytes;
  append_page_frame(bytes, *page, rows);
  const auto again = decoded(schema, bytes);
  ASSERT_EQ(again->rows(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) expect_equal_row(*page, rows[i], *again, i);
}

TEST(PageFrames, AreTheSameForAllRowsChosenAsForThePage) {
  std::mt19937_64 random(8);
  const auto page = random_page(all_types(), 130, random, 4);
  page->base.source = std::make_shared<const std::string>("in.csv");
  page->origins.resize(130);
  std::vector<std::uint32_t> rows(130);
  std::iota(rows.begin(), rows.end(), 0U);
  std::string chosen;
  append_page_frame(chosen, *page, rows);
  EXPECT_EQ(chosen, encoded(*page));
}

TEST(PageFrames, KeepStringsOfAnyLength) {
  const SchemaPtr schema = text_column();
  Page page(schema, 8);
  std::vector<std::string> texts{"",
                                 std::string(12, 'a'),
                                 std::string(13, 'b'),
                                 std::string(1 << 20, 'c'),
                                 std::string("\0x\0", 3),
                                 "d"};
  for (std::size_t row = 0; row < texts.size(); ++row)
    page.column(0).values<StringRef>()[row] = StringRef::make(texts[row]);
  page.column(0).set_null(6);
  page.set_rows(7);
  const auto again = decoded(schema, encoded(page));
  for (std::size_t row = 0; row < texts.size(); ++row)
    EXPECT_EQ(again->column(0).values<StringRef>()[row].view(), texts[row]);
  EXPECT_TRUE(again->column(0).is_valid(0)) << "an empty string is no null";
  EXPECT_FALSE(again->column(0).is_valid(6));
}

TEST(PageFrames, KeepTheBytesAliveThatTheirStringsPointTo) {
  const SchemaPtr schema = text_column();
  std::unique_ptr<Page> again;
  {
    Page page(schema, 1);
    page.column(0).values<StringRef>()[0] =
        StringRef::make(page.arena.copy("a text of more than twelve bytes"));
    page.set_rows(1);
    again = decoded(schema, encoded(page));
  }
  EXPECT_EQ(again->column(0).values<StringRef>()[0].view(), "a text of more than twelve bytes");
}

TEST(PageFrames, KeepPagesWithoutRowsAndWithoutColumns) {
  std::mt19937_64 random(9);
  const auto empty = random_page(all_types(), 0, random, 0);
  EXPECT_EQ(decoded(empty->schema_ptr(), encoded(*empty))->rows(), 0U);
  Page bare(std::make_shared<const Schema>(), 5);
  bare.set_rows(5);
  EXPECT_EQ(decoded(bare.schema_ptr(), encoded(bare))->rows(), 5U);
}

TEST(PageFrames, FollowOneAnotherAndEnd) {
  std::mt19937_64 random(10);
  const SchemaPtr schema = all_types();
  std::vector<std::unique_ptr<Page>> pages;
  std::string bytes;
  for (const std::size_t rows : {3U, 0U, 65U, 1U}) {
    pages.push_back(random_page(schema, rows, random, 3));
    append_page_frame(bytes, *pages.back());
    EXPECT_EQ(bytes.size() % 8, 0U);
  }
  PageFrames frames(schema, std::make_shared<const std::string>(bytes));
  for (const auto& page : pages) {
    const auto again = frames.next();
    ASSERT_TRUE(again && *again);
    ASSERT_EQ((*again)->rows(), page->rows());
    for (std::size_t row = 0; row < page->rows(); ++row) expect_equal_row(*page, row, **again, row);
  }
  const auto end = frames.next();
  ASSERT_TRUE(end);
  EXPECT_EQ(*end, nullptr);
}

TEST(PageFrames, HaveEqualBytesForEqualRows) {
  const SchemaPtr schema = std::make_shared<const Schema>(
      Schema{{{"n", {TypeId::bigint}}, {"text", {TypeId::varchar}}}});
  const auto page_with = [&](std::int64_t under_null, std::string_view text) {
    auto page = std::make_unique<Page>(schema, 2);
    page->column(0).values<std::int64_t>()[0] = 1;
    page->column(1).values<StringRef>()[0] = StringRef::make("x");
    page->column(0).set_null(1);
    page->column(1).set_null(1);
    page->column(0).values<std::int64_t>()[1] = under_null;
    page->column(1).values<StringRef>()[1] = StringRef::make(text);
    page->set_rows(2);
    return page;
  };
  EXPECT_EQ(encoded(*page_with(5, "garbage")),
            encoded(*page_with(6, "other garbage, and a lot of it")));
  Page plain(schema, 1);
  plain.column(0).values<std::int64_t>()[0] = 1;
  plain.column(1).values<StringRef>()[0] = StringRef::make("x");
  plain.set_rows(1);
  std::string first;
  append_page_frame(first, *page_with(5, "garbage"), std::vector<std::uint32_t>{0});
  EXPECT_EQ(first, encoded(plain)) << "validity bits without a null are left out";
}

TEST(PageFrames, KeepOriginsAndTheNameOfTheirSource) {
  const SchemaPtr schema = text_column();
  Page page(schema, 2);
  page.column(0).values<StringRef>()[0] = StringRef::make("a");
  page.column(0).values<StringRef>()[1] = StringRef::make("b");
  page.set_rows(2);
  page.base = {std::make_shared<const std::string>("data/in.csv"), 17, 4'000'000'000, "raw", 100};
  page.origins = {Origin{5'000'000'000, 10, 1, 2}, Origin{5'000'000'011, 11, 3, 4}};
  std::string bytes;
  append_page_frame(bytes, page, std::vector<std::uint32_t>{1});
  const auto again = decoded(schema, bytes);
  ASSERT_EQ(again->origins.size(), 1U);
  EXPECT_EQ(again->origins[0].offset, 5'000'000'011U);
  EXPECT_EQ(again->origins[0].bytes, 11U);
  EXPECT_EQ(again->origins[0].line, 3U);
  EXPECT_EQ(again->origins[0].record, 4U);
  EXPECT_EQ(*again->base.source, "data/in.csv");
  EXPECT_EQ(again->base.line, 17U);
  EXPECT_EQ(again->base.record, 4'000'000'000U);
  EXPECT_TRUE(again->raw(0).empty());
}

TEST(PageFrames, TakeRowsThatAreAppendedLaterForWhatTheyAre) {
  const SchemaPtr schema = text_column();
  Page page(schema, 2);
  page.column(0).set_null(0);
  page.set_rows(1);
  const auto again = decoded(schema, encoded(page));
  again->reserve(2);
  Page more(schema, 1);
  more.column(0).values<StringRef>()[0] = StringRef::make("a");
  more.set_rows(1);
  append_row(*again, more, 0);
  EXPECT_FALSE(again->column(0).is_valid(0));
  EXPECT_TRUE(again->column(0).is_valid(1));
}

TEST(PageFrames, AreDamagedWhereverTheyAreCutShort) {
  std::mt19937_64 random(11);
  const auto page = random_page(all_types(), 9, random, 3);
  page->base.source = std::make_shared<const std::string>("in.csv");
  page->origins.resize(9);
  const std::string bytes = encoded(*page);
  for (std::size_t length = 1; length < bytes.size(); ++length) {
    // A buffer of exactly this length, so that a byte too far is seen by a sanitizer.
    PageFrames frames = frames_of(*page, bytes.substr(0, length));
    const auto again = frames.next();
    ASSERT_FALSE(again) << "cut to " << length << " of " << bytes.size();
    EXPECT_EQ(again.error().kind, ErrorKind::failed);
    EXPECT_EQ(again.error().message.rfind("A segment is damaged at byte ", 0), 0U);
    const auto end = frames.next();
    EXPECT_TRUE(end && *end == nullptr) << "nothing is taken behind the damage";
  }
}

// As above, with a header that fits the shorter frame: the lengths inside are what is wrong.
TEST(PageFrames, AreDamagedWhereTheHeaderAgreesWithTheCut) {
  std::mt19937_64 random(12);
  const auto page = random_page(all_types(), 70, random, 3);
  page->origins.resize(70);
  const std::string bytes = encoded(*page);
  for (std::uint64_t length = 24; length < bytes.size(); length += 8) {
    std::string cut = bytes.substr(0, length);
    std::memcpy(cut.data(), &length, sizeof length);
    ASSERT_FALSE(frames_of(*page, cut).next()) << "cut to " << length << " of " << bytes.size();
  }
}

TEST(PageFrames, SurviveAnyByteBeingWrong) {
  std::mt19937_64 random(13);
  const auto page = random_page(all_types(), 5, random, 3);
  page->base.source = std::make_shared<const std::string>("in.csv");
  page->origins.resize(5);
  const std::string bytes = encoded(*page);
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (const unsigned flip : {0x01U, 0x80U, 0xFFU}) {
      std::string broken = bytes;
      broken[at] = static_cast<char>(static_cast<unsigned char>(broken[at]) ^ flip);
      PageFrames frames = frames_of(*page, broken);
      // Values may differ (a segment's checksum finds that), but what comes out can be read.
      const auto again = frames.next();
      if (!again) continue;
      for (std::size_t i = 0; i < (*again)->column_count(); ++i) {
        const Column& column = (*again)->column(i);
        if (!is_string(column.type())) continue;
        std::size_t sum = 0;
        for (std::size_t row = 0; row < (*again)->rows(); ++row)
          if (column.is_valid(row))
            for (const char c : column.values<StringRef>()[row].view())
              sum += static_cast<unsigned char>(c);
        ASSERT_LT(sum, bytes.size() * 256);
      }
    }
}

TEST(PageFrames, RefuseTheFramesOfAnotherSchema) {
  Page page(text_column(), 1);
  page.column(0).set_null(0);
  page.set_rows(1);
  PageFrames frames(all_types(), std::make_shared<const std::string>(encoded(page)));
  const auto again = frames.next();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, "A segment is damaged at byte 0; run again to encode it anew.");
}

TEST(PageFrames, NeverAllocateForRowsThatCanNotBeThere) {
  Page page(text_column(), 1);
  page.column(0).values<StringRef>()[0] = StringRef::make("a");
  page.set_rows(1);
  std::string bytes = encoded(page);
  const std::uint32_t many = 0xFFFFFFFF;
  std::memcpy(bytes.data() + 16, &many, sizeof many);
  EXPECT_FALSE(frames_of(page, bytes).next());
}

}  // namespace
}  // namespace tranche
