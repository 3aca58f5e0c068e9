#include "transforms/sql_check.h"

#include <gtest/gtest.h>

#include "drivers/duckdb_database.h"

namespace tranche {
namespace {

class SqlCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = DuckDatabase::open(64ULL << 20, "");
    ASSERT_TRUE(opened);
    database = *opened;
    auto connected = database->connect();
    ASSERT_TRUE(connected);
    connection = std::move(*connected);
    ASSERT_TRUE(connection->execute("CREATE TEMP TABLE rates (store VARCHAR, rate BIGINT)"));
  }

  // What it says against the SQL; "" when it lets it pass.
  std::string refusal(const std::string& sql, bool per_batch = false) {
    const Schema batch{{{"id", Type{TypeId::bigint}},
                        {"store", Type{TypeId::varchar}},
                        {"amount", Type{TypeId::bigint}}}};
    const auto checked = check_sql(*connection, sql, per_batch, batch);
    return checked ? std::string() : checked.error().message;
  }

  std::shared_ptr<DuckDatabase> database;
  std::unique_ptr<DuckConnection> connection;
};

TEST_F(SqlCheckTest, FindsAggregatesThatASubqueryTakesFromTheQueryAround) {
  for (const char* sql :
       {"SELECT (SELECT sum(b.amount)) AS s FROM batch b", "SELECT (SELECT sum(amount)) FROM batch",
        "SELECT (SELECT sum(b.amount) FROM rates) FROM batch b",
        "SELECT (SELECT sum(amount) FROM rates r) FROM batch",
        "SELECT (SELECT sum(b.amount)) FROM (SELECT * FROM batch) b",
        "WITH b AS (SELECT * FROM batch) SELECT (SELECT max(b.amount)) FROM b",
        "SELECT (SELECT (SELECT sum(b.amount)) FROM rates LIMIT 1) FROM batch b"}) {
    EXPECT_NE(refusal(sql).find("over batch would depend"), std::string::npos) << sql;
  }
}

TEST_F(SqlCheckTest, NarrowsTheStarThatAFromWithoutSelectStandsFor) {
  const Schema batch{{{"id", Type{TypeId::bigint}}}};
  const auto narrowed = [&](const std::string& sql) {
    const auto checked = check_sql(*connection, sql, false, batch);
    return checked ? checked->text : checked.error().message;
  };
  EXPECT_EQ(narrowed("FROM batch WHERE _line * 2 > 3"),
            "SELECT * EXCLUDE (_line) FROM batch WHERE _line * 2 > 3");
  EXPECT_EQ(narrowed("SELECT id * 2 AS d FROM (from\n batch b WHERE _line * 2 > 3)"),
            "SELECT id * 2 AS d FROM (SELECT * EXCLUDE (_line) from\n batch b WHERE _line * 2 > "
            "3)");
  EXPECT_EQ(narrowed("FROM batch b SELECT b.*, _line * 2 AS twice"),
            "FROM batch b SELECT b.* EXCLUDE (_line), _line * 2 AS twice");
  EXPECT_EQ(narrowed("SELECT \"a*b\".*, _file FROM batch \"a*b\""),
            "SELECT \"a*b\".* EXCLUDE (_file), _file FROM batch \"a*b\"");
  EXPECT_NE(narrowed("FROM /* all */ batch WHERE _line > 3").find("Write SELECT"),
            std::string::npos);
}

TEST_F(SqlCheckTest, LooksIntoTheModifiersOfAUnion) {
  for (const char* sql :
       {"SELECT id FROM batch UNION ALL SELECT id FROM batch ORDER BY random()",
        "SELECT id FROM batch UNION SELECT id FROM batch ORDER BY id, now()",
        "SELECT id FROM batch EXCEPT SELECT 1 LIMIT (random() * 10)::bigint",
        "SELECT id FROM batch, (SELECT 1 UNION ALL SELECT 2 ORDER BY random() LIMIT 1) AS r(n)"})
    EXPECT_NE(refusal(sql, true).find("at every run"), std::string::npos)
        << sql << ": " << refusal(sql, true);
  EXPECT_EQ(refusal("SELECT id FROM batch UNION ALL SELECT id FROM batch ORDER BY id", true), "");
}

TEST_F(SqlCheckTest, LetsAggregatesOfOtherTablesBe) {
  for (const char* sql :
       {"SELECT id, (SELECT sum(rate) FROM rates r WHERE r.store = b.store) FROM batch b",
        "SELECT id, (SELECT sum(r.rate * b.amount) FROM rates r) FROM batch b",
        "SELECT id, (SELECT max(store) FROM rates) FROM batch",
        "SELECT id, (SELECT count(*) FROM rates) FROM batch",
        "SELECT id, (SELECT sum(n) FROM (VALUES (1), (2)) v(n)) FROM batch",
        "WITH r AS (SELECT rate AS q FROM rates) SELECT id, (SELECT avg(q) FROM r) FROM batch",
        "SELECT id, list_sum([amount, 1]) FROM batch"}) {
    EXPECT_EQ(refusal(sql), "") << sql;
  }
}

TEST_F(SqlCheckTest, LooksIntoMacros) {
  EXPECT_NE(refusal("SELECT geomean(amount) FROM batch").find("over batch"), std::string::npos);
  EXPECT_NE(refusal("SELECT wavg(amount, id) FROM batch").find("over batch"), std::string::npos);
  EXPECT_NE(refusal("SELECT ago(INTERVAL 1 DAY) FROM batch").find("at every run"),
            std::string::npos);
  EXPECT_NE(refusal("SELECT id, h.* FROM batch, histogram(batch, id) h").find("hides"),
            std::string::npos);
  EXPECT_NE(refusal("SELECT id, (SELECT count(*) FROM tranche_pages_0()) FROM batch").find("hides"),
            std::string::npos);
}

TEST_F(SqlCheckTest, RefusesTheSettingsOfTheRun) {
  EXPECT_NE(refusal("SELECT current_setting('temp_directory') FROM batch").find("at every run"),
            std::string::npos);
}

}  // namespace
}  // namespace tranche
