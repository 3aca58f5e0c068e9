#include "formats/arrow_stream.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>
#include <random>

#include "base/file.h"
#include "formats/jsonl_row.h"

namespace tranche {
namespace {

SchemaPtr columns(std::initializer_list<std::pair<const char*, const char*>> named) {
  Schema schema;
  for (const auto& [name, type] : named)
    schema.fields.push_back({name, parse_type(type).value(), false});
  return std::make_shared<const Schema>(std::move(schema));
}

std::string file_text(const char* name) {
  const char* const root = std::getenv("TRANCHE_SOURCE_DIR");
  const fs::path folder = fs::path(root != nullptr ? root : "../../..") / "tests/formats/arrow";
  return read_file(folder / name).value();
}

// The rows of a stream as JSON, or what is wrong with it.
std::vector<std::string> rows_of(std::string_view stream, const SchemaPtr& schema) {
  ArrowStreamReader reader;
  std::vector<std::string> rows;
  while (!stream.empty()) {
    const auto bytes = ArrowStreamReader::message_bytes(stream);
    if (!bytes) return {bytes.error().message};
    if (*bytes == 0) return {"a message that does not end"};
    const auto kind = reader.take(stream.substr(0, *bytes));
    if (!kind) return {kind.error().message};
    stream.remove_prefix(*bytes);
    if (*kind == ArrowStreamReader::Kind::end) return rows;
    if (*kind == ArrowStreamReader::Kind::schema) {
      if (const auto good = check_arrow_schema(reader.schema(), *schema); !good)
        return {good.error().message};
      continue;
    }
    std::vector<ArrowFault> faults;
    const auto page = import_arrow(reader.schema(), reader.batch(), schema, faults);
    if (!page) return {page.error().message};
    for (std::size_t row = 0; row < (*page)->rows(); ++row)
      rows.push_back(row_as_json(**page, row));
    for (const ArrowFault& fault : faults) rows[fault.row] = fault.why;
  }
  return rows;
}

SchemaPtr types_of_the_file() {
  return columns({{"yes", "boolean"},
                  {"small", "tinyint"},
                  {"big", "ubigint"},
                  {"half", "double"},
                  {"price", "decimal(12,2)"},
                  {"day", "date"},
                  {"at", "timestamp"},
                  {"at_utc", "timestamptz"},
                  {"clock", "time"},
                  {"text", "varchar"},
                  {"long", "varchar"},
                  {"bytes", "blob"},
                  {"list", "varchar[]"},
                  {"struct", "struct(p integer, q double[])"},
                  {"nothing", "bigint"}});
}

TEST(ArrowStreams, OfOthersAreRead) {
  EXPECT_EQ(
      rows_of(file_text("types.arrows"), types_of_the_file()),
      (std::vector<std::string>{
          "{\"yes\":true,\"small\":-128,\"big\":18446744073709551615,\"half\":0.5,"
          "\"price\":-12.50,\"day\":\"2026-01-31\",\"at\":\"2026-01-31T12:00:00.000005\","
          "\"at_utc\":\"2026-01-31T12:00:00Z\",\"clock\":\"12:00:00.000005\","
          "\"text\":\"short\",\"long\":\"\",\"bytes\":\"00ff\",\"list\":[\"a\",null],"
          "\"struct\":{\"p\":1,\"q\":[1.5]},\"nothing\":null}",
          "{\"yes\":null,\"small\":null,\"big\":null,\"half\":null,\"price\":null,\"day\":null,"
          "\"at\":null,\"at_utc\":null,\"clock\":null,\"text\":null,\"long\":null,"
          "\"bytes\":null,\"list\":null,\"struct\":null,\"nothing\":null}",
          "{\"yes\":false,\"small\":127,\"big\":0,\"half\":-2.25,\"price\":0.01,"
          "\"day\":\"2026-01-31\",\"at\":\"2026-01-31T12:00:00.000005\","
          "\"at_utc\":\"2026-01-31T12:00:00Z\",\"clock\":\"12:00:00.000005\","
          "\"text\":\"more than twelve bytes: ä\",\"long\":\"more than twelve bytes\","
          "\"bytes\":\"\",\"list\":[],\"struct\":{\"p\":null,\"q\":[]},\"nothing\":null}"}));
}

TEST(ArrowStreams, OfCompressedAndDictionaryBatchesAreRefusedWithAWayOut) {
  const auto text = columns({{"text", "varchar"}});
  EXPECT_EQ(rows_of(file_text("compressed.arrows"), text),
            std::vector<std::string>{"a compressed batch; write it without compression"});
  EXPECT_EQ(rows_of(file_text("dictionary.arrows"), text),
            std::vector<std::string>{"Column \"text\" comes as a dictionary; decode it first."});
  EXPECT_EQ(rows_of("{\"score\": 1}\n", text),
            std::vector<std::string>{"something that is no stream of Arrow"});
}

std::string written(const Page& page) {
  std::string stream = arrow_schema_message(page.schema());
  ArrowExport made;
  std::vector<std::size_t> all(page.column_count());
  std::iota(all.begin(), all.end(), 0);
  EXPECT_TRUE(made.make(page, all));
  append_arrow_batch(stream, made.root());
  return stream;
}

TEST(ArrowStreams, AreReadAsTheyWereWritten) {
  const auto schema = columns({{"id", "uuid"}, {"sum", "hugeint"}, {"more", "struct(a json)[]"}});
  Page page(schema, 2);
  JsonlRow reader(schema, {});
  const std::string text =
      "{\"id\":\"00112233-4455-6677-8899-aabbccddeeff\",\"sum\":-5,"
      "\"more\":[{\"a\":{\"b\":[1]}},{\"a\":null}]}";
  ASSERT_TRUE(reader.read(copy_to_read(text, page.arena), page, 0));
  page.set_rows(1);
  EXPECT_EQ(rows_of(written(page), schema), std::vector<std::string>{text});
}

// Whatever a broken program writes is a sentence, or rows of the right form, and no crash.
TEST(ArrowStreams, ThatAreDamagedHarmNobody) {
  const std::string whole = file_text("types.arrows");
  const auto schema = types_of_the_file();
  std::mt19937_64 random(20261126);
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = whole;
    for (std::size_t i = 0; i <= random() % 4; ++i) {
      const std::size_t at = random() % damaged.size();
      if (random() % 8 == 0)
        damaged.resize(at);
      else
        damaged[at] = static_cast<char>(random() % 3 == 0 ? random() : random() % 2 * 255);
      if (damaged.empty()) break;
    }
    EXPECT_LE(rows_of(damaged, schema).size(), 3U);
  }
}

}  // namespace
}  // namespace tranche
