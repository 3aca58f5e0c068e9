#include "drivers/duckdb_database.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>
#include <utility>

#include <tranche/core/value.h>

namespace tranche {
namespace {

class DuckTest : public testing::Test {
 protected:
  DuckTest() {
    database = DuckDatabase::open(128ULL << 20, "").value();
    duck = database->connect().value();
  }

  // The error of a statement that is run to its end.
  Error error_of(const std::string& sql) {
    auto result = duck->query(sql);
    if (!result) return result.error();
    while (true) {
      const auto rows = (*result)->fetch();
      if (!rows) return rows.error();
      if (*rows == 0) return make_error(ErrorKind::bug, "there was no error");
    }
  }

  std::shared_ptr<DuckDatabase> database;
  std::unique_ptr<DuckConnection> duck;
};

// One row of every type, and one of nulls; `page` has strings of 0, 12 and 13 bytes.
constexpr const char* every_type =
    "SELECT true AS a, -1::tinyint AS b, -2::smallint AS c, -3::integer AS d, -4::bigint AS e, "
    "-5::hugeint AS f, 1::utinyint AS g, 2::usmallint AS h, 3::uinteger AS i, 4::ubigint AS j, "
    "1.5::float AS k, 2.5::double AS l, 1.2::decimal(3,1) AS m, 1.23::decimal(9,2) AS n, "
    "1.234::decimal(18,3) AS o, 1.2345::decimal(38,4) AS p, DATE '2026-01-31' AS q, "
    "TIME '12:34:56.789' AS r, TIMESTAMP '2026-01-31 12:34:56.789' AS s, "
    "TIMESTAMPTZ '2026-01-31 12:34:56+00' AS t, 'twelve bytes' AS u, 'thirteen byte' AS v, "
    "'' AS w, '\\x00\\xFF'::blob AS x, '6f1c3e5a-0000-4000-8000-000000000001'::uuid AS y";

TEST_F(DuckTest, GivesPagesThatItReadsBackUnchangedForEveryType) {
  auto result = duck->query(fmt::format(
      "SELECT * FROM ({}) UNION ALL SELECT * FROM (SELECT NULL AS z) LEFT JOIN ({}) ON false",
      every_type, every_type));
  if (!result)
    result = duck->query(fmt::format("FROM ({0}) UNION ALL BY NAME SELECT NULL AS a", every_type));
  ASSERT_TRUE(result) << result.error().message;
  const SchemaPtr schema = (*result)->schema().value();
  auto page = std::make_shared<Page>(schema);
  while ((*result)->fetch().value() > 0) ASSERT_TRUE((*result)->append_to(*page));
  ASSERT_EQ(page->rows(), 2U);

  PageFeed feed;
  feed.schema = schema;
  feed.open = [page]() -> Result<PageCursor> {
    return PageCursor([page, row = std::size_t{0}]() mutable -> Result<PageRun> {
      if (row == page->rows()) return PageRun{};
      ++row;
      return PageRun{page, row - 1, row};
    });
  };
  const std::string name = duck->add_feed(std::move(feed)).value();
  auto back = duck->query("SELECT * FROM " + name + "()");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*(*back)->schema().value(), *schema);
  Page again(schema);
  while ((*back)->fetch().value() > 0) ASSERT_TRUE((*back)->append_to(again));
  ASSERT_EQ(again.rows(), 2U);
  EXPECT_EQ(row_as_json(again, 0), row_as_json(*page, 0));
  EXPECT_EQ(row_as_json(again, 1), row_as_json(*page, 1));
  EXPECT_NE(row_as_json(again, 0).find("thirteen byte"), std::string::npos);
  for (std::size_t at = 0; at < again.column_count(); ++at) {
    EXPECT_TRUE(again.column(at).is_valid(0)) << at;
    EXPECT_FALSE(again.column(at).is_valid(1)) << at;
  }
}

// Constants, filtered rows, rows of several pages, lists that share their elements.
TEST_F(DuckTest, TakesAndGivesNestedValuesUnchanged) {
  const std::string select =
      "SELECT i, CASE WHEN i % 7 <> 0 THEN [i, NULL, i + 1][: i % 4] END AS list, "
      "CASE WHEN i % 5 <> 0 THEN {'a': i, 'b': 'a constant of some length', 'c': [[i], [], NULL]} "
      "END AS struct, [{'x': 1, 'y': NULL::VARCHAR}] AS same, "
      "[{'s': 'text ' || i || ' that is long', 'n': [i, 2]}, NULL] AS structs, "
      "('{\"k\": [' || i || ']}')::JSON AS json, [1, i]::INTEGER[2] AS array_of_two "
      "FROM range(9000) t(i) WHERE i % 3 <> 0";
  auto result = duck->query(select);
  ASSERT_TRUE(result) << result.error().message;
  const SchemaPtr schema = (*result)->schema().value();
  EXPECT_EQ(to_string(*schema),
            "i bigint, list bigint[], struct struct(a bigint, b varchar, c bigint[][]), same "
            "struct(x integer, y varchar)[], structs struct(s varchar, n bigint[])[], json json, "
            "array_of_two integer[]");
  auto page = std::make_shared<Page>(schema);
  while ((*result)->fetch().value() > 0) ASSERT_TRUE((*result)->append_to(*page));
  ASSERT_EQ(page->rows(), 6000U);
  PageFeed feed;
  feed.schema = schema;
  feed.open = [page]() -> Result<PageCursor> {
    return PageCursor([page, row = std::size_t{0}]() mutable -> Result<PageRun> {
      const std::size_t begin = row;
      row = std::min(page->rows(), row + 1 + row % 700);
      return begin == row ? PageRun{} : PageRun{page, begin, row};
    });
  };
  const std::string name = duck->add_feed(std::move(feed)).value();
  const std::string ours = fmt::format("SELECT * FROM {}()", name);
  const std::string theirs =
      fmt::format("SELECT * REPLACE (array_of_two::INTEGER[] AS array_of_two) FROM ({})", select);
  for (const auto& [left, right] : {std::pair(ours, theirs), std::pair(theirs, ours)}) {
    const auto rows =
        duck->query_texts(fmt::format("SELECT count(*) FROM ({} EXCEPT ALL {})", left, right));
    ASSERT_TRUE(rows) << rows.error().message;
    EXPECT_EQ((*rows)[0][0], "0");
  }
  EXPECT_EQ(duck->query_texts(fmt::format("SELECT count(*), count(struct.a), sum(len(list)) "
                                          "FROM {}()", name)).value(),
            duck->query_texts(fmt::format("SELECT count(*), count(struct.a), sum(len(list)) "
                                          "FROM ({})", select)).value());
  auto back = duck->query(ours);
  ASSERT_TRUE(back) << back.error().message;
  Page again(schema);
  while ((*back)->fetch().value() > 0) ASSERT_TRUE((*back)->append_to(again));
  for (std::size_t row = 0; row < again.rows(); ++row)
    ASSERT_EQ(row_as_json(again, row), row_as_json(*page, row));
}

TEST_F(DuckTest, SaysWhatKindOfErrorItIs) {
  EXPECT_EQ(error_of("SELEC 1").kind, ErrorKind::config);
  EXPECT_EQ(error_of("SELECT nothing").kind, ErrorKind::config);
  EXPECT_EQ(error_of("SELECT * FROM nowhere").kind, ErrorKind::config);
  EXPECT_EQ(error_of("SELECT ('x' || i)::integer FROM range(3) t(i)").kind, ErrorKind::bad_record);
  EXPECT_EQ(error_of("SELECT (i + 100)::tinyint + 100::tinyint FROM range(3) t(i)").kind,
            ErrorKind::bad_record);
  EXPECT_EQ(error_of("SELECT * FROM read_csv('/nowhere.csv')").kind, ErrorKind::failed);
  EXPECT_EQ(error_of("SELECT list(i) FROM range(100000000) t(i)").kind, ErrorKind::memory);
}

TEST_F(DuckTest, NoticesAnErrorInTheMiddleOfAStream) {
  const Error error =
      error_of("SELECT CASE WHEN i = 9000 THEN 'x' ELSE '1' END::integer FROM range(10000) t(i)");
  EXPECT_EQ(error.kind, ErrorKind::bad_record);
  EXPECT_NE(error.message.find("Could not convert string 'x'"), std::string::npos);
  EXPECT_EQ(duck->query_texts("SELECT 7").value()[0][0], "7");
}

TEST_F(DuckTest, GivesBackTheErrorOfAFeedAsItWas) {
  PageFeed feed;
  feed.schema = std::make_shared<const Schema>(Schema{{{"a", Type{TypeId::bigint}}}});
  feed.open = []() -> Result<PageCursor> {
    return PageCursor([]() -> Result<PageRun> {
      return make_error(ErrorKind::transient, "The disk is asleep", "a.csv:3");
    });
  };
  const std::string name = duck->add_feed(std::move(feed)).value();
  const Error error = error_of("SELECT * FROM " + name + "()");
  EXPECT_EQ(error, make_error(ErrorKind::transient, "The disk is asleep", "a.csv:3"));
}

TEST_F(DuckTest, RefusesATypeThatWeDoNotHaveByColumn) {
  for (const char* value : {"[INTERVAL 1 DAY]", "{'a': 1::uhugeint}", "row(1, 2)",
                            "INTERVAL 1 DAY", "'101'::bit", "1::uhugeint"}) {
    const auto result = duck->query(fmt::format("SELECT 1 AS ok, {} AS odd", value));
    ASSERT_TRUE(result) << result.error().message;
    const auto schema = (*result)->schema();
    ASSERT_FALSE(schema) << value;
    EXPECT_EQ(schema.error().kind, ErrorKind::config);
    EXPECT_NE(schema.error().message.find("Column \"odd\""), std::string::npos);
  }
}

TEST_F(DuckTest, KeepsToOneThreadUtcAndTheOrderOfRows) {
  EXPECT_EQ(duck->query_texts("SELECT current_setting('threads')").value()[0][0], "1");
  EXPECT_EQ(duck->query_texts("SELECT current_setting('TimeZone')").value()[0][0], "UTC");
  EXPECT_EQ(duck->query_texts("SELECT current_setting('disabled_optimizers')").value()[0][0],
            "join_order,build_side_probe_side");
}

TEST_F(DuckTest, QuotesNamesAndTexts) {
  EXPECT_EQ(sql_identifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(sql_literal("it's"), "'it''s'");
  EXPECT_EQ(duck->query_texts("SELECT " + sql_literal("it's")).value()[0][0], "it's");
}

TEST(DuckDatabaseTest, IsOneForAWorkerAndOpensInManyThreadsAtOnce) {
  WorkerScope worker(0, 64ULL << 20, "");
  const auto first = DuckDatabase::of(worker).value();
  EXPECT_EQ(DuckDatabase::of(worker).value(), first);
  std::vector<std::thread> threads;
  std::vector<int> opened(4, 0);
  for (std::size_t at = 0; at < opened.size(); ++at)
    threads.emplace_back([&, at] { opened[at] = DuckDatabase::open(64ULL << 20, "") ? 1 : 0; });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(opened, std::vector<int>(4, 1));
}

}  // namespace
}  // namespace tranche
