#include <gtest/gtest.h>

#include <cstring>

#include "formats/arrow_export.h"
#include "formats/arrow_import.h"
#include "formats/arrow_types.h"
#include "formats/jsonl_row.h"

namespace tranche {
namespace {

SchemaPtr columns(std::initializer_list<const char*> types) {
  Schema schema;
  for (const char* type : types)
    schema.fields.push_back(
        {"c" + std::to_string(schema.fields.size()), parse_type(type).value(), false});
  return std::make_shared<const Schema>(std::move(schema));
}

// A page of rows that are written as lists of JSON values.
std::unique_ptr<Page> page_of(const SchemaPtr& schema,
                              const std::vector<std::vector<std::string>>& rows) {
  auto page = std::make_unique<Page>(schema, rows.size() + 1);
  JsonlRow reader(schema, {});
  for (std::size_t row = 0; row < rows.size(); ++row) {
    std::string text;
    for (std::size_t i = 0; i < rows[row].size(); ++i)
      text += fmt::format("{}\"c{}\":{}", i == 0 ? "{" : ",", i, rows[row][i]);
    EXPECT_TRUE(reader.read(copy_to_read(text + "}", page->arena), *page, row)) << reader.error();
    page->set_rows(row + 1);
  }
  return page;
}

std::vector<std::string> rows_of(const Page& page) {
  std::vector<std::string> rows;
  for (std::size_t row = 0; row < page.rows(); ++row) rows.push_back(row_as_json(page, row));
  return rows;
}

// The array's memory is somebody else's, and whoever holds it need not release it.
std::shared_ptr<const ArrowHolder> lent(ArrowArray array) {
  return std::make_shared<const ArrowHolder>(array);
}

// The page that comes of its arrays.
std::unique_ptr<Page> there_and_back(const Page& page) {
  ArrowExport made;
  std::vector<std::size_t> all(page.column_count());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  const ArrowSchemaTree schema(page.schema());
  EXPECT_TRUE(check_arrow_schema(schema.root(), page.schema()));
  std::vector<ArrowFault> faults;
  auto back = import_arrow(schema.root(), lent(**made.make(page, all)), page.schema_ptr(), faults);
  EXPECT_TRUE(faults.empty());
  // Texts of `made` end with it.
  auto kept = std::make_unique<Page>(page.schema_ptr(), page.rows() + 1);
  for (std::size_t row = 0; row < (*back)->rows(); ++row) append_row(*kept, **back, row);
  return kept;
}

TEST(ArrowPages, KeepTheValuesOfEveryType) {
  const auto schema = columns(
      {"boolean",      "tinyint",      "smallint",      "integer",       "bigint", "hugeint",
       "utinyint",     "usmallint",    "uinteger",      "ubigint",       "real",   "double",
       "decimal(4,1)", "decimal(9,2)", "decimal(18,3)", "decimal(38,4)", "date",   "time",
       "timestamp",    "timestamptz",  "varchar",       "blob",          "uuid",   "json"});
  const std::vector<std::string> first{"true",
                                       "-128",
                                       "-32768",
                                       "-2147483648",
                                       "-9223372036854775808",
                                       "-170141183460469231731687303715884105728",
                                       "255",
                                       "65535",
                                       "4294967295",
                                       "18446744073709551615",
                                       "1.5",
                                       "-2.25",
                                       "-999.9",
                                       "9999999.99",
                                       "-999999999999999.999",
                                       "9999999999999999999999999999999999.9999",
                                       "\"2026-11-26\"",
                                       "\"23:59:59.999999\"",
                                       "\"1969-12-31 23:59:59.5\"",
                                       "\"2026-01-31T12:00:00Z\"",
                                       "\"more than twelve bytes: ä\"",
                                       "\"00FF\"",
                                       "\"00112233-4455-6677-8899-aabbccddeeff\"",
                                       "{\"a\":[1,2]}"};
  const std::vector<std::string> nulls(first.size(), "null");
  const auto page = page_of(schema, {first, nulls, first});
  EXPECT_EQ(rows_of(*there_and_back(*page)), rows_of(*page));
}

TEST(ArrowPages, KeepNestedValues) {
  const auto schema =
      columns({"varchar[]", "struct(a integer, b struct(c varchar, d double[]))[]"});
  const auto page = page_of(
      schema,
      {{"[]", "null"},
       {"[\"a\",null,\"a text that is rather long\"]", "[{\"a\":1,\"b\":{\"c\":\"x\",\"d\":[1]}}]"},
       {"null", "[{\"a\":null,\"b\":null},{\"a\":2,\"b\":{\"c\":null,\"d\":[]}}]"},
       {"[\"b\"]", "[]"}});
  EXPECT_EQ(rows_of(*there_and_back(*page)), rows_of(*page));
}

TEST(ArrowPages, PutElementsThatLieInAnotherOrderIntoThatOfTheirLists) {
  Page page(columns({"varchar[]"}), 4);
  Column& lists = page.column(0);
  lists.set_elements(3);
  const char* const texts[] = {"the first of the elements", "second", "third"};
  for (std::size_t i = 0; i < 3; ++i)
    lists.child(0).values<StringRef>()[i] = StringRef::make(texts[i]);
  lists.values<ListEntry>()[0] = {2, 1};
  lists.values<ListEntry>()[1] = {0, 0};
  lists.values<ListEntry>()[2] = {0, 2};
  lists.values<ListEntry>()[3] = {0, 1};  // shared
  page.set_rows(4);
  EXPECT_EQ(rows_of(*there_and_back(page)), rows_of(page));
}

TEST(ArrowPages, AreLentWhereValuesLieAlike) {
  const auto page = page_of(columns({"bigint", "double", "timestamp"}),
                            {{"1", "2", "\"2026-01-31 00:00:00\""}, {"null", "3", "null"}});
  ArrowExport made;
  const ArrowArray& array = **made.make(*page, std::vector<std::size_t>{2, 0});
  ASSERT_EQ(array.n_children, 2);
  EXPECT_EQ(array.children[0]->buffers[1], page->column(2).bytes());
  EXPECT_EQ(array.children[1]->buffers[1], page->column(0).bytes());
  EXPECT_EQ(array.children[1]->null_count, 1);
}

// An array of others, of one column with these buffers.
struct Foreign {
  Foreign(const char* format, std::int64_t rows, std::vector<const void*> of)
      : buffers(std::move(of)) {
    column_schema.format = format;
    column_schema.name = "c0";
    schema.format = "+s";
    schema.n_children = 1;
    schema.children = &schema_pointer;
    column.length = rows;
    column.n_buffers = static_cast<std::int64_t>(buffers.size());
    column.buffers = buffers.data();
    array.length = rows;
    array.n_buffers = 1;
    array.buffers = &none;
    array.n_children = 1;
    array.children = &pointer;
  }
  // The values of a column of this type, or what is wrong with the whole, or with rows.
  std::vector<std::string> as(const char* type) {
    const auto wanted = columns({type});
    if (const auto checked = check_arrow_schema(schema, *wanted); !checked)
      return {checked.error().message};
    std::vector<ArrowFault> faults;
    const auto page = import_arrow(schema, lent(array), wanted, faults);
    if (!page) return {page.error().message};
    auto rows = rows_of(**page);
    for (const ArrowFault& fault : faults) rows[fault.row] = fault.why;
    return rows;
  }

  std::vector<const void*> buffers;
  ArrowSchema schema{};
  ArrowSchema column_schema{};
  ArrowSchema* schema_pointer = &column_schema;
  ArrowArray array{};
  ArrowArray column{};
  ArrowArray* pointer = &column;
  const void* none = nullptr;
};

using Rows = std::vector<std::string>;

TEST(ForeignArrays, OfOtherWidthsAreTakenWhereTheValueFits) {
  const std::int64_t numbers[] = {7, 300, -1};
  Foreign foreign("l", 3, {nullptr, numbers});
  EXPECT_EQ(foreign.as("utinyint"), (Rows{"{\"c0\":7}", "Column \"c0\": 300 does not fit utinyint.",
                                          "Column \"c0\": -1 does not fit utinyint."}));
  EXPECT_EQ(foreign.as("integer"), (Rows{"{\"c0\":7}", "{\"c0\":300}", "{\"c0\":-1}"}));
  EXPECT_EQ(foreign.as("varchar"),
            Rows{"Column \"c0\" is declared as varchar, and comes as int64."});
}

TEST(ForeignArrays, OfDecimalsAreTakenWhereTheDigitsSuffice) {
  const std::int64_t scaled[] = {1250, 100000};
  Foreign foreign("d:18,2,64", 2, {nullptr, scaled});
  EXPECT_EQ(foreign.as("decimal(5,2)"),
            (Rows{"{\"c0\":12.50}", "Column \"c0\": 100000 does not fit decimal(5,2)."}));
  EXPECT_EQ(foreign.as("decimal(5,1)"),
            Rows{"Column \"c0\" is declared as decimal(5,1), and comes as decimal64(18, 2)."});
}

TEST(ForeignArrays, OfTimesInOtherUnitsAreTakenWhereNothingIsLost) {
  const std::int64_t nanoseconds[] = {1'000, 1'001};
  EXPECT_EQ(Foreign("tsn:", 2, {nullptr, nanoseconds}).as("timestamp"),
            (Rows{"{\"c0\":\"1970-01-01T00:00:00.000001\"}",
                  "Column \"c0\": a time is more precise than a microsecond."}));
  const std::int64_t seconds[] = {1};
  EXPECT_EQ(Foreign("tss:UTC", 1, {nullptr, seconds}).as("timestamptz"),
            Rows{"{\"c0\":\"1970-01-01T00:00:01Z\"}"});
}

TEST(ForeignArrays, OfTextsAreJudgedOneByOne) {
  const std::int32_t offsets[] = {0, 1, 2, 4};
  const char bytes[] = "\xC3\xA4ok";  // together UTF-8, the first two apart not
  EXPECT_EQ(Foreign("u", 3, {nullptr, offsets, bytes}).as("varchar"),
            (Rows{"Column \"c0\": a text is not UTF-8.", "Column \"c0\": a text is not UTF-8.",
                  "{\"c0\":\"ok\"}"}));
  const std::int64_t long_offsets[] = {0, 2, 2, 4};
  const std::uint8_t valid[] = {0b101};
  Foreign longer("U", 3, {valid, long_offsets, bytes});
  longer.column.null_count = -1;
  EXPECT_EQ(longer.as("varchar"), (Rows{"{\"c0\":\"ä\"}", "{\"c0\":null}", "{\"c0\":\"ok\"}"}));
}

TEST(ForeignArrays, OfViewsAndOfNothingAreTaken) {
  struct View {
    std::int32_t length;
    char head[4];
    std::int32_t buffer;
    std::int32_t offset;
  } views[2] = {{2, {'o', 'k', 0, 0}, 0, 0}, {14, {'m', 'o', 'r', 'e'}, 0, 1}};
  const char bytes[] = ".more than 12.. ";
  const std::int64_t sizes[] = {sizeof bytes};
  EXPECT_EQ(Foreign("vu", 2, {nullptr, views, bytes, sizes}).as("varchar"),
            (Rows{"{\"c0\":\"ok\"}", "{\"c0\":\"more than 12..\"}"}));
  EXPECT_EQ(Foreign("n", 1, {}).as("double[]"), Rows{"{\"c0\":null}"});
}

TEST(ForeignArrays, ThatBeginInTheMiddleAreReadFromThere) {
  const std::int32_t numbers[] = {1, 2, 3, 4};
  const std::uint8_t valid[] = {0b0111};
  Foreign foreign("i", 3, {valid, numbers});
  foreign.column.offset = 1;
  foreign.column.null_count = 1;
  EXPECT_EQ(foreign.as("integer"), (Rows{"{\"c0\":2}", "{\"c0\":3}", "{\"c0\":null}"}));
}

TEST(ForeignArrays, ThatAreBrokenAreRefused) {
  const std::int32_t offsets[] = {0, 3, 1};
  EXPECT_EQ(Foreign("u", 2, {nullptr, offsets, "abc"}).as("varchar"),
            Rows{"The Arrow array of column \"c0\" has offsets that go back."});
  EXPECT_EQ(Foreign("l", 1, {nullptr, nullptr}).as("bigint"),
            Rows{"The Arrow array of column \"c0\" has no values."});
  EXPECT_EQ(Foreign("l", 1, {nullptr}).as("bigint"),
            Rows{"The Arrow array of column \"c0\" has not the buffers and children that its "
                 "schema says."});
}

}  // namespace
}  // namespace tranche
