// What the writer makes of pages that no reader of CSV would give it.
#include "formats/csv_writer.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace tranche {
namespace {

SchemaPtr schema_of(std::vector<Field> fields) {
  auto schema = std::make_shared<Schema>();
  schema->fields = std::move(fields);
  return schema;
}

TEST(CsvWriterTest, WritesALineARowOfATableWithoutColumns) {
  Page page(schema_of({}), 40);
  page.set_rows(40);
  for (const char* const delimiter : {",", "<->"}) {
    CsvOutput output;
    output.delimiter = delimiter;
    CsvWriter writer(page.schema_ptr(), output);
    writer.add(page);
    EXPECT_EQ(writer.take(), std::string(40, '\n'));
  }
}

TEST(CsvWriterTest, WritesLongTextsAmongShortOnes) {
  const std::string giant(std::size_t{3} << 20, 'x');
  const std::string quoted(std::size_t{1} << 20, '"');
  Page page(schema_of({{"number", Type{TypeId::integer}, false},
                       {"text", Type{TypeId::varchar}, false}}),
            100);
  std::string expected;
  for (int row = 0; row < 100; ++row) {
    const bool is_quoted = row % 30 == 8;
    const std::string text = row % 30 == 7 ? giant : is_quoted ? quoted : "short";
    page.column(0).values<std::int32_t>()[row] = row - 50;
    page.column(1).values<StringRef>()[row] = StringRef::make(page.arena.copy(text));
    expected += std::to_string(row - 50) + ",";
    expected += is_quoted ? '"' + std::string(2 * quoted.size(), '"') + '"' : text;
    expected += '\n';
  }
  page.set_rows(100);
  CsvWriter writer(page.schema_ptr(), CsvOutput{});
  for (int time = 0; time < 2; ++time) {
    writer.add(page);
    EXPECT_EQ(writer.bytes(), expected.size());
    const std::string bytes = writer.take();
    EXPECT_TRUE(bytes == expected);
    EXPECT_LE(bytes.capacity(), bytes.size() + bytes.size() / 8);
  }
}

}  // namespace
}  // namespace tranche
