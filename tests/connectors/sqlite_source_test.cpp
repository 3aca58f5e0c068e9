#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "connectors/sqlite.h"
#include "connectors/sqlite_values.h"
#include "connectors/table_source_fixture.h"
#include "drivers/sqlite.h"

namespace tranche {
namespace {

using Rows = std::vector<std::string>;

class SqliteSourceTest : public TableSourceTest {
 protected:
  std::unique_ptr<SqliteDatabase> database() {
    auto opened = SqliteDatabase::open(at("s.db"), SqliteDatabase::Access::create,
                                       std::chrono::milliseconds(0));
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(opened).value();
  }
  void execute(const std::string& sql) {
    const auto done = database()->execute(sql);
    ASSERT_TRUE(done) << done.error().message;
  }
  std::unique_ptr<Source> table(const std::string& name, const Division& division = {},
                                Schema types = {}) {
    return bound(sqlite_connector(), {{"sqlite", "s.db"}, {"table", name}, {"lock_wait", "50ms"}},
                 division, std::move(types));
  }
  static Division by(const std::string& key) {
    Division division;
    division.key = key;
    return division;
  }
};

TEST_F(SqliteSourceTest, TypesComeFromTheirDeclarations) {
  execute(
      "CREATE TABLE t (a INTEGER, b TINYINT, c VARCHAR(20), d CLOB, e REAL, f DOUBLE PRECISION, g "
      "BLOB, h DATE, i DATETIME, j TIMESTAMP, k DECIMAL(12,2), l NUMERIC, m BOOLEAN, n UUID, o "
      "JSON, p TIME, q)");
  const auto source = table("t");
  ASSERT_TRUE(source) << problem_;
  EXPECT_EQ(to_string(**source->schema()),
            "a bigint, b bigint, c varchar, d varchar, e double, f double, g blob, h date, i "
            "timestamp, j timestamp, k decimal(12,2), l double, m boolean, n uuid, o json, p time, "
            "q varchar");
  EXPECT_TRUE(drain(*source).slices.empty());
  EXPECT_EQ(source->notes().size(), 2U);
}

TEST_F(SqliteSourceTest, ExtremesArriveAndWhatATypeCantHoldIsAReject) {
  execute(
      "CREATE TABLE t (i INTEGER, r REAL, d DECIMAL(5,2), b BOOLEAN, h DATE, s TEXT, x BLOB);"
      "INSERT INTO t VALUES (-9223372036854775808, -1.7976931348623157e308, -999.99, 0, "
      "'0001-01-01', '', x'');"
      "INSERT INTO t VALUES (9223372036854775807, 5e-324, 999.99, 1, '9999-12-31', "
      "'a text that is longer than twelve', x'00ff');"
      "INSERT INTO t VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL);"
      "INSERT INTO t (i) VALUES ('many'); INSERT INTO t (i) VALUES (1.5);"
      "INSERT INTO t (r) VALUES ('x'); INSERT INTO t (d) VALUES (1000);"
      "INSERT INTO t (d) VALUES (0.005); INSERT INTO t (b) VALUES (2);"
      "INSERT INTO t (h) VALUES (20260131); INSERT INTO t (h) VALUES ('2026-02-29');"
      "INSERT INTO t (s) VALUES (x'41'); INSERT INTO t (s) VALUES (CAST(x'ff' AS TEXT));"
      "INSERT INTO t (x) VALUES ('text'); INSERT INTO t (i) VALUES (7)");
  const auto source = table("t");
  ASSERT_TRUE(source) << problem_;
  const Drained all = drain(*source, 100);
  EXPECT_EQ(all.rows,
            (Rows{"-9223372036854775808|-1.7976931348623157e+308|-999.99|false|0001-01-01||",
                  "9223372036854775807|5e-324|999.99|true|9999-12-31|a text that is longer than "
                  "twelve|\\x00\\xFF",
                  "~|~|~|~|~|~|~", "7|~|~|~|~|~|~"}));
  ASSERT_EQ(all.rejects.size(), 11U);
  EXPECT_EQ(all.rejects[0].error, "Column \"i\" holds the text 'many', which is no bigint.");
  EXPECT_EQ(all.rejects[0].source, "t");
  EXPECT_EQ(all.rejects[0].offset, 4U);  // the rowid
  EXPECT_EQ(all.rejects[0].record, 3U);
  EXPECT_EQ(all.rejects[0].raw,
            R"({"i":"many","r":null,"d":null,"b":null,"h":null,"s":null,"x":null})");
  EXPECT_EQ(all.rejects[4].error, "Column \"d\" holds the number 0.005, which is no decimal(5,2).");
  EXPECT_EQ(all.rejects[8].error, "Column \"s\" holds the blob x'41', which is no varchar.");
}

TEST_F(SqliteSourceTest, DeclaredColumnsOverrideTheTable) {
  execute(
      "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, '12.50'), (300, 'x'), (2, "
      "NULL)");
  const auto source =
      table("t", {}, Schema{{Field{"a", Type{TypeId::utinyint}}, Field{"b", decimal_type(8, 2)}}});
  ASSERT_TRUE(source) << problem_;
  const Drained all = drain(*source);
  EXPECT_EQ(all.rows, (Rows{"1|12.50", "2|~"}));
  ASSERT_EQ(all.rejects.size(), 1U);
  EXPECT_EQ(all.rejects[0].error, "Column \"a\" holds the number 300, which is no utinyint.");
}

TEST_F(SqliteSourceTest, RowNumbersMayHaveGapsAndBeNegative) {
  execute(
      "CREATE TABLE t (a TEXT); INSERT INTO t (rowid, a) VALUES (-9223372036854775808, 'least'), "
      "(-3, 'm'), (0, 'n'), (5, 'o'), (1000000000000, 'p'), (9223372036854775807, 'most')");
  for (const std::uint64_t rows : {1, 2, 4, 100}) {
    const auto source = table("t");
    ASSERT_TRUE(source) << problem_;
    EXPECT_EQ(drain(*source, rows).rows, (Rows{"least", "m", "n", "o", "p", "most"}));
  }
}

TEST_F(SqliteSourceTest, KeysOfAnyKindHoldEachRowOnce) {
  std::mt19937 random(7);
  const std::vector<std::string> keys = {"NULL",
                                         "1",
                                         "2",
                                         "1.5",
                                         "-1e300",
                                         "9007199254740993",
                                         "'a'",
                                         "'A'",
                                         "'it''s'",
                                         "x'00'",
                                         "x''",
                                         "CAST(x'6100' AS TEXT)",
                                         "CAST(x'ff' AS TEXT)",
                                         "''",
                                         "'\xc3\xa4'",
                                         "9e999"};
  for (const std::string collation : {"", " COLLATE NOCASE"}) {
    execute("DROP TABLE IF EXISTS t; CREATE TABLE t (k" + collation +
            ", n INTEGER); CREATE INDEX i ON t (k)");
    std::string insert = "BEGIN;";
    for (int n = 0; n < 120; ++n)
      insert +=
          "INSERT INTO t VALUES (" + keys[random() % keys.size()] + "," + std::to_string(n) + ");";
    execute(insert + "COMMIT");
    for (const std::uint64_t rows : {1, 7, 40, 1000}) {
      const auto source =
          bound(sqlite_connector(),
                {{"sqlite", "s.db"}, {"query", "SELECT n, typeof(k) AS kind, k FROM t;"}}, by("k"),
                Schema{{Field{"kind", Type{TypeId::varchar}}, Field{"k", Type{TypeId::blob}}}});
      ASSERT_TRUE(source) << problem_;
      const Drained all = drain(*source, rows);  // read() compares the numbers
      EXPECT_EQ(all.rows.size() + all.rejects.size(), 120U);
      // Every slice is found again behind any other one.
      for (std::size_t i = 0; i < all.slices.size(); ++i) {
        const Drained rest = drain(*source, rows, &all.slices[i]);
        ASSERT_EQ(rest.slices.size(), all.slices.size() - i - 1);
        for (std::size_t j = 0; j < rest.slices.size(); ++j)
          EXPECT_EQ(rest.slices[j], all.slices[i + 1 + j]);
      }
    }
  }
}

TEST_F(SqliteSourceTest, EqualKeysStayTogetherAndNullsComeLast) {
  execute(
      "CREATE TABLE t (k TEXT, n INT); CREATE INDEX i ON t (k); INSERT INTO t VALUES ('b', 1), "
      "(NULL, 2), ('a', 3), ('b', 4), ('b', 5), ('c', 6), (NULL, 7)");
  const auto source = table("t", by("k"));
  ASSERT_TRUE(source) << problem_;
  const Drained all = drain(*source, 2);
  EXPECT_EQ(all.rows, (Rows{"a|3", "b|1", "b|4", "b|5", "c|6", "~|2", "~|7"}));
  std::vector<std::uint64_t> sizes;
  for (const Slice& slice : all.slices) sizes.push_back(slice.records);
  EXPECT_EQ(sizes, (std::vector<std::uint64_t>{4, 1, 2}));
  EXPECT_EQ(all.slices[0].range, R"({"to":"'b"})");
  EXPECT_EQ(all.slices[2].range, R"({"nulls":true})");
}

TEST_F(SqliteSourceTest, TablesWithoutRowNumbersAreReadByTheirKey) {
  execute(
      "CREATE TABLE one (k TEXT PRIMARY KEY, n INT) WITHOUT ROWID; INSERT INTO one VALUES ('b', "
      "1), "
      "('a', 2), ('c', 3); CREATE TABLE two (a INT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID; "
      "INSERT INTO two VALUES (1, 2), (1, 1), (2, 1); CREATE VIEW v AS SELECT n FROM one");
  const auto one = table("one");
  ASSERT_TRUE(one) << problem_;
  EXPECT_EQ(drain(*one, 2).rows, (Rows{"a|2", "b|1", "c|3"}));
  EXPECT_EQ(table("two"), nullptr);
  EXPECT_EQ(problem_,
            "The rows of two have no number by which they could be divided; name a key, as in "
            "batch: { key: id, rows: 100000 }.");
  const auto two = table("two", by("a"));
  ASSERT_TRUE(two) << problem_;
  EXPECT_EQ(drain(*two, 1).rows, (Rows{"1|1", "1|2", "2|1"}));
  EXPECT_EQ(table("v"), nullptr);
  const auto view = table("v", by("n"));
  ASSERT_TRUE(view) << problem_;
  EXPECT_EQ(drain(*view, 2).rows, (Rows{"1", "2", "3"}));
}

TEST_F(SqliteSourceTest, MistakesAreFoundBeforeTheStart) {
  execute("CREATE TABLE t (a INT)");
  EXPECT_EQ(table("u"), nullptr);
  EXPECT_EQ(problem_, "SQLite database s.db has no table \"u\".");
  EXPECT_EQ(table("t", by("b")), nullptr);
  EXPECT_EQ(problem_, "The key \"b\" is no column of t in s.db; it has a.");
  EXPECT_EQ(bound(sqlite_connector(), {{"sqlite", "s.db"}, {"table", "t"}, {"query", "SELECT 1"}}),
            nullptr);
  EXPECT_EQ(bound(sqlite_connector(), {{"sqlite", "s.db"}, {"query", "SELECT b FROM t"}}), nullptr);
  EXPECT_NE(problem_.find("no such column: b"), std::string::npos) << problem_;
  EXPECT_EQ(bound(sqlite_connector(), {{"sqlite", "nothing.db"}, {"table", "t"}}), nullptr);
  EXPECT_NE(problem_.find("No such file"), std::string::npos) << problem_;
}

TEST_F(SqliteSourceTest, WithoutALogNobodyCommitsWhileItIsRead) {
  execute("CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2), (3)");
  {
    const auto source = table("t");
    ASSERT_TRUE(source) << problem_;
    const auto written = database()->execute("INSERT INTO t VALUES (4)");
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().kind, ErrorKind::transient);
    EXPECT_EQ(drain(*source).rows, (Rows{"1", "2", "3"}));
  }
  // An unchanged file is no change of input; a changed one is, and nothing is read from it.
  const std::vector<Input> planned = inputs_;
  ASSERT_TRUE(table("t"));
  EXPECT_EQ(inputs_, planned);
  execute("INSERT INTO t VALUES (4)");
  const auto source = table("t");
  ASSERT_TRUE(source) << problem_;
  EXPECT_NE(inputs_[0].snapshot, planned[0].snapshot);
  ASSERT_TRUE(source->use_inputs(planned));
  EXPECT_EQ(source->divide(nullptr).error().kind, ErrorKind::failed);
  WorkerScope worker(0, 0, "");
  Slice slice;
  slice.range = R"({"to":"9"})";
  slice.records = 4;
  const auto reader = source->open(slice, worker);
  ASSERT_FALSE(reader);
  EXPECT_NE(reader.error().message.find("was changed since the run was planned"),
            std::string::npos);
}

TEST_F(SqliteSourceTest, WithALogWorkersSeeTheStateOfThePlanOrSaySo) {
  execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2), (3)");
  const auto writer = database();
  ASSERT_TRUE(writer->execute("INSERT INTO t VALUES (4)"));
  const auto source = table("t");
  ASSERT_TRUE(source) << problem_;
  auto stream = source->divide(nullptr);
  ASSERT_TRUE(stream);
  CutLimits limits;
  limits.records_max = 2;
  const auto first = (*stream)->next(limits);
  ASSERT_TRUE(first && *first);
  Drained drained;
  WorkerScope early(0, 0, "");
  read(*source, **first, early, drained);
  ASSERT_TRUE(writer->execute("UPDATE t SET a = a + 10; INSERT INTO t VALUES (5)"));
  const auto second = (*stream)->next(limits);
  ASSERT_TRUE(second && *second);
  read(*source, **second, early, drained);
  EXPECT_EQ(drained.rows, (Rows{"1", "2", "3", "4"}));
  WorkerScope late(1, 0, "");
  const auto reader = source->open(**second, late);
  ASSERT_FALSE(reader);
  EXPECT_NE(reader.error().message.find("was changed since the run was planned"),
            std::string::npos);
  // A checkpoint of what was there changes nothing.
  const auto again = table("t");
  ASSERT_TRUE(again) << problem_;
  const std::vector<Input> planned = inputs_;
  ASSERT_TRUE(writer->execute("PRAGMA wal_checkpoint(PASSIVE)"));
  ASSERT_TRUE(table("t"));
  EXPECT_EQ(inputs_, planned);
}

}  // namespace
}  // namespace tranche
