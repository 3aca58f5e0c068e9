#include "drivers/postgres_copy.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include <tranche/core/value.h>

#include "drivers/postgres_numeric.h"
#include "postgres_scene.h"

namespace tranche {
namespace {

struct Case {
  const char* type;
  std::vector<std::string> values;  // as Tranche writes them
  std::vector<std::string> shown;   // as PostgreSQL does, where that differs
};

const std::vector<Case>& every_type() {
  static const std::vector<Case> cases{
      {"boolean", {"true", "false"}, {"t", "f"}},
      {"tinyint", {"-128", "127"}, {}},
      {"smallint", {"-32768", "32767"}, {}},
      {"integer", {"-2147483648", "2147483647"}, {}},
      {"bigint", {"-9223372036854775808", "9223372036854775807"}, {}},
      {"hugeint",
       {"-170141183460469231731687303715884105728", "170141183460469231731687303715884105727", "0",
        "10000", "-99999999999999999"},
       {}},
      {"utinyint", {"0", "255"}, {}},
      {"usmallint", {"65535"}, {}},
      {"uinteger", {"4294967295"}, {}},
      {"ubigint", {"18446744073709551615", "18446744073709550000"}, {}},
      {"real",
       {"3.4028235e+38", "1e-45", "inf", "-inf", "nan", "0.1"},
       {"3.4028235e+38", "1e-45", "Infinity", "-Infinity", "NaN", "0.1"}},
      {"double",
       {"1.7976931348623157e+308", "5e-324", "-0", "inf", "0.30000000000000004"},
       {"1.7976931348623157e+308", "5e-324", "-0", "Infinity", "0.30000000000000004"}},
      {"decimal(4,2)", {"-99.99", "99.99", "0.01", "0.00", "-0.10", "7.00"}, {}},
      {"decimal(9,0)", {"999999999", "-999999999", "10000", "0"}, {}},
      {"decimal(9,3)", {"0.001", "123456.789", "-100000.000"}, {}},
      {"decimal(18,18)", {"0.999999999999999999", "-0.000000000000000001"}, {}},
      {"decimal(18,1)", {"99999999999999999.9", "-0.1"}, {}},
      {"decimal(38,10)",
       {"9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999",
        "0.0000000001", "10000.0000000000"},
       {}},
      {"decimal(38,37)", {"9.9999999999999999999999999999999999999"}, {}},
      {"date",
       {"0001-01-01", "9999-12-31", "2024-02-29", "1999-12-31", "infinity", "-infinity"},
       {}},
      {"time",
       {"00:00:00", "23:59:59.999999", "12:34:56.700"},
       {"00:00:00", "23:59:59.999999", "12:34:56.7"}},
      {"timestamp",
       {"0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "1969-12-31T23:59:59.500", "infinity"},
       {"0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.5", "infinity"}},
      {"timestamptz",
       {"2026-01-31T12:00:00Z", "-infinity"},
       {"2026-01-31 12:00:00+00", "-infinity"}},
      {"varchar", {"", "plain", "a\tb\nc\\N", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\\N"}, {}},
      {"blob", {"plain", "\\x00\\xFF\\x0A", ""}, {"\\x706c61696e", "\\x00ff0a", "\\x"}},
      {"uuid",
       {"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "123e4567-e89b-12d3-a456-426614174000"},
       {}},
      {"json", {"{\"b\": 1, \"a\": [1, 2], \"b\": 2}", "null"}, {}},
  };
  return cases;
}

class PostgresCopy : public ::testing::Test {
 protected:
  static SchemaPtr schema_of(const std::string& type) {
    return std::make_shared<const Schema>(
        Schema{{Field{"n", Type{TypeId::integer}}, Field{"v", parse_type(type).value()}}});
  }
  // The values in order, a null behind them.
  static void fill(Page& page, const std::vector<std::string>& values) {
    page.reserve(values.size() + 1);
    page.set_rows(values.size() + 1);
    Column& column = page.column(1);
    for (std::size_t row = 0; row <= values.size(); ++row) {
      page.column(0).values<std::int32_t>()[row] = static_cast<std::int32_t>(row);
      if (row == values.size()) {
        column.set_null(row);
      } else {
        EXPECT_EQ(parse_value(column.type(), values[row], column.bytes() + row * column.stride(),
                              page.arena),
                  ParseStatus::ok)
            << values[row];
      }
    }
  }
  static std::vector<PostgresType> types_of(const Schema& schema) {
    std::vector<PostgresType> types;
    for (const Field& field : schema.fields) types.push_back(postgres_type_for(field.type));
    return types;
  }
  void copy_in(const std::string& table, const Page& page) {
    PostgresTupleEncoder encoder(page.schema(), types_of(page.schema()));
    std::string tuples;
    std::vector<std::uint32_t> refused;
    encoder.append(tuples, page, page.rows(), refused);
    EXPECT_TRUE(refused.empty());
    put(table, tuples, page.rows());
  }
  void put(const std::string& table, const std::string& tuples, std::size_t rows) {
    auto& connection = scene_.connection();
    ASSERT_TRUE(connection.begin_copy_in("COPY " + table + " FROM STDIN BINARY"));
    ASSERT_TRUE(connection.put(copy_header));
    ASSERT_TRUE(connection.put(tuples));
    ASSERT_TRUE(connection.put(copy_trailer));
    const auto copied = connection.finish_copy_in();
    ASSERT_TRUE(copied) << copied.error().message;
    EXPECT_EQ(*copied, rows);
  }
  std::string copy_out(const std::string& query) {
    auto& connection = scene_.connection();
    std::string all;
    EXPECT_TRUE(connection.begin_copy_out("COPY (" + query + ") TO STDOUT BINARY"));
    while (const auto piece = connection.next_copied().value()) all += *piece;
    EXPECT_TRUE(all.starts_with(copy_header));
    return all.substr(copy_header.size());
  }
  static std::vector<std::string> texts_of(const Page& page) {
    std::vector<std::string> texts;
    for (std::size_t row = 0; row < page.rows(); ++row) {
      std::string text;
      append_value_text(text, page.column(1), row);
      texts.push_back(page.column(1).is_valid(row) ? text : "null");
    }
    return texts;
  }
  static Int128 decimal_bound() {
    Int128 bound = 1;
    for (int i = 0; i < 38; ++i) bound *= 10;
    return bound;
  }
  PostgresScene scene_;
};

TEST_F(PostgresCopy, CarriesEveryTypeBothWays) {
  for (const Case& one : every_type()) {
    SCOPED_TRACE(one.type);
    const SchemaPtr schema = schema_of(one.type);
    Page page(schema);
    fill(page, one.values);
    scene_.must("DROP TABLE IF EXISTS t");
    scene_.must(fmt::format("CREATE TABLE t (n integer, v {})",
                            postgres_type_name(schema->fields[1].type)));
    copy_in("t", page);
    const auto rows = scene_.connection().query("SELECT v::text FROM t ORDER BY n").value();
    ASSERT_EQ(rows.size(), one.values.size() + 1);
    const auto& shown = one.shown.empty() ? one.values : one.shown;
    for (std::size_t row = 0; row < shown.size(); ++row) {
      const std::string text = rows.string(row, 0);
      if (std::string_view(one.type) == "boolean")
        EXPECT_EQ(text.substr(0, 1), shown[row]);
      else
        EXPECT_EQ(text, shown[row]);
    }
    EXPECT_TRUE(rows.is_null(one.values.size(), 0));

    Page back(schema);
    back.reserve(page.rows());
    PostgresTupleReader reader(schema, types_of(*schema));
    const std::string tuples = copy_out("SELECT n, v FROM t ORDER BY n");
    std::string_view left = tuples;
    while (postgres_tuple_bytes(left) > 0) {
      const auto read = reader.read(left, back, back.rows());
      ASSERT_TRUE(read) << read.error().message;
      back.set_rows(back.rows() + 1);
    }
    EXPECT_EQ(left, copy_trailer);
    EXPECT_EQ(texts_of(back), texts_of(page));
  }
}

TEST_F(PostgresCopy, CarriesListsAsArraysAndStructsAsJson) {
  const auto schema = std::make_shared<const Schema>(
      Schema{{Field{"a", parse_type("varchar[]").value()},
              Field{"s", parse_type("struct(x integer, y varchar)").value()}}});
  Page page(schema);
  page.set_rows(3);
  page.column(0).set_elements(2);
  page.column(0).values<ListEntry>()[0] = {0, 2};
  page.column(0).child(0).values<StringRef>()[0] = StringRef::make("a longer text, \"quoted\"");
  page.column(0).child(0).set_null(1);
  page.column(0).values<ListEntry>()[1] = {0, 0};
  page.column(0).set_null(2);
  for (int row = 0; row < 2; ++row) {
    page.column(1).child(0).values<std::int32_t>()[row] = row;
    page.column(1).child(1).values<StringRef>()[row] = StringRef::make("y");
  }
  page.column(1).set_null(2);
  scene_.must("CREATE TABLE t (a text[], s jsonb)");
  copy_in("t", page);
  EXPECT_EQ(scene_.texts("SELECT a[1], a[2], cardinality(a), s FROM t"),
            "a longer text, \"quoted\"|null|2|{\"x\": 0, \"y\": \"y\"},null|null|0|{\"x\": 1, "
            "\"y\": \"y\"},null|null|null|null");

  const auto lists = std::make_shared<const Schema>(Schema{{schema->fields[0]}});
  Page back(lists);
  PostgresTupleReader reader(lists, {postgres_type_for(lists->fields[0].type)});
  const std::string tuples = copy_out("SELECT a FROM t");
  std::string_view left = tuples;
  for (std::size_t row = 0; row < 3; ++row) ASSERT_TRUE(reader.read(left, back, row));
  back.set_rows(3);
  EXPECT_EQ(row_as_json(back, 0), R"({"a":["a longer text, \"quoted\"",null]})");
  EXPECT_EQ(row_as_json(back, 1), R"({"a":[]})");
  EXPECT_EQ(row_as_json(back, 2), R"({"a":null})");
}

TEST_F(PostgresCopy, RefusesWhatTheColumnCantHold) {
  const auto schema = schema_of("bigint");
  Page page(schema);
  fill(page, {"1", "2147483648", "-2147483648"});
  PostgresTupleEncoder encoder(*schema, {postgres_type_for(Type{TypeId::integer}),
                                         postgres_type_for(Type{TypeId::integer})});
  encoder.refuse_nulls_of(1);
  std::string tuples;
  std::vector<std::uint32_t> refused;
  encoder.append(tuples, page, page.rows(), refused);
  EXPECT_EQ(refused, (std::vector<std::uint32_t>{1, 3}));
  EXPECT_EQ(encoder.refusal(page, 1),
            "Column \"v\" is 2147483648, beyond what its type in the table holds.");
  EXPECT_EQ(encoder.refusal(page, 3), "Column \"v\" is part of the key and is null.");
  scene_.must("CREATE TABLE t (n integer, v integer)");
  put("t", tuples, 2);
  EXPECT_EQ(scene_.texts("SELECT v FROM t"), "1,-2147483648");
}

TEST_F(PostgresCopy, RefusesToReadWhatOurTypeCantHold) {
  struct Refused {
    const char* sql;
    const char* type;
    const char* why;
  };
  const Refused cases[] = {
      {"'NaN'::numeric", "decimal(4,2)", "is NaN, which decimal(4,2) can't hold exactly"},
      {"1.005", "decimal(4,2)", "is 1.005, which decimal(4,2) can't hold exactly"},
      {"100::numeric", "decimal(4,2)", "can't hold"},
      {"1e40::numeric", "decimal(38,0)", "can't hold"},
      {"1e-40::numeric", "decimal(38,0)", "can't hold"},
      {"'24:00'::time", "time", "is 24:00:00"},
      {"'{{1,2}}'::int[]", "integer[]", "is an array of 2 dimensions"},
      {"repeat('9', 100)::numeric", "hugeint", "can't hold"},
  };
  for (const Refused& one : cases) {
    SCOPED_TRACE(one.sql);
    const auto schema = schema_of(one.type);
    Page page(schema);
    auto types = types_of(*schema);
    PostgresTupleReader reader(schema, types);
    const std::string tuples = copy_out(fmt::format("SELECT 1, {}", one.sql));
    std::string_view left = tuples;
    const auto read = reader.read(left, page, 0);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().kind, ErrorKind::bad_record);
    EXPECT_NE(read.error().message.find(one.why), std::string::npos) << read.error().message;
    EXPECT_EQ(left, copy_trailer);
  }
}

TEST_F(PostgresCopy, WritesNumericsAsPostgresReadsThem) {
  std::mt19937_64 random(7);
  const auto schema = std::make_shared<const Schema>(
      Schema{{Field{"v", decimal_type(38, 9)}, Field{"t", Type{TypeId::varchar}}}});
  Page page(schema);
  page.set_rows(vector_rows);
  for (std::size_t row = 0; row < page.rows(); ++row) {
    const auto bits = static_cast<Int128>(static_cast<UInt128>(random()) << 64 | random());
    const Int128 value = (bits >> (random() % 127)) % decimal_bound();
    page.column(0).values<Int128>()[row] = value;
    std::string text;
    append_value_text(text, page.column(0), row);
    page.column(1).values<StringRef>()[row] = StringRef::make(page.arena.copy(text));
  }
  scene_.must("CREATE TABLE t (v numeric, t text)");
  copy_in("t", page);
  EXPECT_EQ(scene_.texts("SELECT v, t FROM t WHERE v::text <> t LIMIT 3"), "");
  PostgresTupleReader reader(schema, types_of(*schema));
  const std::string tuples = copy_out("SELECT v, t FROM t");
  std::string_view left = tuples;
  Page back(schema);
  for (std::size_t row = 0; row < page.rows(); ++row) {
    ASSERT_TRUE(reader.read(left, back, row));
    std::string text;
    append_value_text(text, back.column(0), row);
    ASSERT_EQ(text, back.column(1).values<StringRef>()[row].view());
  }
}

TEST(PostgresNumeric, ShowsWhatIsNoNumber) {
  EXPECT_EQ(postgres_numeric::to_text(std::string_view("\0\0\0\0\300\0\0\0", 8)), "NaN");
  EXPECT_FALSE(postgres_numeric::to_text("x"));
}

}  // namespace
}  // namespace tranche
