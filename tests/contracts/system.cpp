#include "contracts/system.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/json.h"
#include "base/text.h"
#include "drivers/duckdb_database.h"

namespace tranche::contracts {
namespace {

struct Sample {
  const char* type;
  std::vector<const char*> values;
};

const std::vector<Sample>& samples() {
  static const std::vector<Sample> all = {
      {"boolean", {"false", "true"}},
      {"tinyint", {"-128", "127"}},
      {"smallint", {"-32768", "32767"}},
      {"integer", {"-2147483648", "2147483647"}},
      {"bigint", {"-9223372036854775808", "9223372036854775807"}},
      {"hugeint",
       {"-170141183460469231731687303715884105728", "170141183460469231731687303715884105727",
        "-9223372036854775808"}},
      {"utinyint", {"0", "255"}},
      {"usmallint", {"0", "65535"}},
      {"uinteger", {"0", "4294967295"}},
      {"ubigint", {"0", "18446744073709551615", "9223372036854775807"}},
      {"real", {"-3.4028235e38", "3.4028235e38", "1e-45", "inf", "nan", "0.1", "16777216"}},
      {"double",
       {"-1.7976931348623157e308", "1.7976931348623157e308", "5e-324", "-inf", "nan",
        "0.30000000000000004", "1e23"}},
      {"decimal(4,2)", {"-99.99", "99.99", "0.50"}},
      {"decimal(9,0)", {"-999999999", "999999999"}},
      {"decimal(18,18)", {"-0.999999999999999999", "0.000000000000000001"}},
      {"decimal(38,10)",
       {"-9999999999999999999999999999.9999999999", "9999999999999999999999999999.9999999999"}},
      {"date", {"0001-01-01", "9999-12-31", "2024-02-29"}},
      {"time", {"00:00:00", "23:59:59.999999", "12:34:56.7"}},
      {"timestamp", {"0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "1969-12-31T23:59:59.5"}},
      {"timestamptz",
       {"0001-01-02T00:00:00Z", "9999-12-30T23:59:59.999999Z", "2026-03-29T01:30:00Z"}},
      {"varchar",
       {"", "exactly12byt", "more than twelve bytes, with a comma", "\"quoted\"", "two\nlines",
        "\r\n", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "NULL", "\\N", "\t", " blank "}},
      {"blob", {"", "\\x00\\xFF\\x0A", "longer than twelve bytes", "\\x5C"}},
      {"uuid", {"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"}},
      {"json", {"{\"a\":[1,null,\"x\"]}", "[]", "\"text\"", "-12.5"}},
      {"integer[]", {"[]", "[-2147483648,null,2147483647]"}},
      {"struct(a bigint, b varchar)", {"{\"a\":1,\"b\":\"x\"}", "{\"a\":null,\"b\":\"\"}"}},
  };
  return all;
}

bool is_json_like(Type type) { return type.id == TypeId::json || is_nested(type); }

// One database for all pages of a program. Never closed: at the end of a program what DuckDB itself
// keeps may be gone before it.
DuckConnection& page_maker() {
  static DuckConnection* const connection =
      DuckDatabase::open(64ULL << 20, "").value()->connect().value().release();
  return *connection;
}

}  // namespace

std::unique_ptr<System> make_system(const std::string& connector,
                                    const std::filesystem::path& folder) {
  if (connector == "csv") return make_csv_system(folder);
  if (connector == "jsonl") return make_jsonl_system(folder);
  if (connector == "parquet") return make_parquet_system(folder);
  if (connector == "postgres") return make_postgres_system();
  if (connector == "sqlite") return make_sqlite_system(folder);
  if (connector == "duckdb") return make_duckdb_system(folder);
  if (connector == "http") return make_http_system(folder);
  return nullptr;
}

std::string canonical(Type type, const std::string& text) {
  if (is_json_like(type)) return Json::parse(text).value().dump();
  Arena arena;
  Column column(type);
  column.reserve(1);
  column.set_valid(0);
  EXPECT_EQ(parse_value(type, text, column.bytes(), arena), ParseStatus::ok) << text;
  std::string out;
  append_value_text(out, column, 0);
  return out;
}

Table every_type(std::size_t rows, const Keeps& keeps, const Holds& holds) {
  Table table;
  table.schema.fields.push_back(Field{"id", Type{TypeId::bigint}});
  table.rows.resize(rows);
  for (std::size_t row = 0; row < rows; ++row) table.rows[row] = {std::to_string(row + 1)};
  for (const Sample& sample : samples()) {
    const Type type = parse_type(sample.type).value();
    if (!keeps(type)) continue;
    table.schema.fields.push_back(Field{fmt::format("c{}", table.schema.fields.size()), type});
    for (std::size_t row = 0; row < rows; ++row) {
      const std::size_t turn = row % (sample.values.size() + 1);
      std::optional<std::string> value;
      if (turn < sample.values.size() && holds(type, sample.values[turn]))
        value = canonical(type, sample.values[turn]);
      table.rows[row].push_back(std::move(value));
    }
  }
  return table;
}

Table rows_of(const Table& table, std::size_t begin, std::size_t end) {
  Table part{table.schema, {}};
  part.rows.assign(table.rows.begin() + static_cast<std::ptrdiff_t>(begin),
                   table.rows.begin() + static_cast<std::ptrdiff_t>(end));
  return part;
}

std::vector<std::string> texts_of(const Table& table) {
  std::vector<std::string> texts;
  for (const auto& row : table.rows) {
    std::string text;
    for (const auto& value : row) text += value.value_or("~") + "|";
    texts.push_back(std::move(text));
  }
  return texts;
}

std::string select_of(const Table& table) {
  std::string values;
  for (const auto& row : table.rows) {
    values += values.empty() ? "(" : ", (";
    for (std::size_t at = 0; at < row.size(); ++at)
      values += (at > 0 ? ", " : "") + (row[at] ? sql_literal(*row[at]) : "NULL");
    values += ")";
  }
  std::string casts;
  for (const Field& field : table.schema.fields) {
    const std::string name = sql_identifier(field.name);
    casts += fmt::format("{}CAST({}{} AS {}) AS {}", casts.empty() ? "" : ", ", name,
                         is_nested(field.type) ? "::JSON" : "", sql_type(field.type), name);
  }
  const std::string names = join(table.schema.names(), ", ");
  if (!values.empty())
    return fmt::format("SELECT {} FROM (VALUES {}) AS v({})", casts, values, names);
  return fmt::format("SELECT {} FROM (SELECT NULL::VARCHAR AS {}) WHERE false", casts,
                     join(table.schema.names(), ", NULL::VARCHAR AS "));
}

Page page_of(const Table& table, std::uint64_t first_record) {
  const auto schema = std::make_shared<const Schema>(table.schema);
  Page page(schema, std::max<std::size_t>(vector_rows, table.rows.size() + vector_rows));
  const auto result = page_maker().query(select_of(table));
  EXPECT_TRUE(result) << result.error().message;
  while ((*result)->fetch().value() > 0) EXPECT_TRUE((*result)->append_to(page));
  page.base.source = std::make_shared<const std::string>("made by the suite");
  page.base.record = first_record;
  for (std::size_t row = 0; row < page.rows(); ++row)
    page.origins.push_back(Origin{.record = static_cast<std::uint32_t>(row)});
  return page;
}

Node columns_node(const Schema& schema) {
  Node columns = Node::map();
  for (const Field& field : schema.fields)
    columns.set(field.name, Node::scalar(to_string(field.type)));
  return columns;
}

Node names_node(const Schema& schema) {
  std::vector<Node> names;
  for (const Field& field : schema.fields) names.push_back(Node::scalar(field.name));
  return Node::list(std::move(names));
}

}  // namespace tranche::contracts
