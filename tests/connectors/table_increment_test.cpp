// Increments of tables of embedded databases, which are to be what they are of tables of PostgreSQL
// (tests/crash/postgres_source.test.py).
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include <fmt/format.h>

#include "base/clock.h"
#include "connectors/embedded_table_fixture.h"

namespace tranche {
namespace {

using Rows = std::vector<std::string>;

constexpr std::int64_t hour = 3600LL * 1'000'000;

// A time so many hours from now, in UTC, as in 2026-01-31 12:34:56.
std::string hours_from_now(double hours, const std::string& behind = "", char separator = ' ') {
  const auto at = static_cast<std::int64_t>(hours * static_cast<double>(hour));
  const std::string text = format_utc(system_clock().now_microseconds() + at);
  return text.substr(0, 10) + separator + text.substr(11, 8) + behind;
}

class TableIncrement : public EmbeddedTableTest {
 protected:
  ~TableIncrement() override { in_zone("UTC"); }

  std::unique_ptr<Source> increment(const std::string& column, const std::string& lag = "0") {
    Node of_it = Node::map();
    of_it.set("column", Node::scalar(column));
    of_it.set("lag", Node::scalar(lag));
    Node node = Node::map();
    node.set(GetParam(), Node::scalar("t.db"));
    node.set("table", Node::scalar("t"));
    node.set("incremental", std::move(of_it));
    auto made = connector().make_source(node, folder_);
    EXPECT_TRUE(made) << made.error().message;
    EXPECT_TRUE((*made)->is_incremental());
    return *std::move(made);
  }

  // What a run reads that comes behind the one before.
  Rows run(const std::string& column, const std::string& lag = "0", const Division& division = {}) {
    const auto source = increment(column, lag);
    source->read_behind(until_);
    auto inputs = source->inputs();
    problem_ = inputs ? "" : inputs.error().message;
    if (!inputs) return {problem_};
    EXPECT_EQ((*inputs)[0].from, until_);
    until_ = (*inputs)[0].until;
    EXPECT_TRUE(source->use_inputs(*inputs));
    EXPECT_TRUE(source->use_division(division));
    return drain(*source, 2).rows;
  }
  static void in_zone(const char* name) {
    setenv("TZ", name, 1);
    tzset();
  }

  std::string until_;
};

TEST_P(TableIncrement, ReadsUpToTheClockLessTheLag) {
  execute("CREATE TABLE t (id INTEGER, updated TIMESTAMPTZ)");
  insert({{"1", hours_from_now(-3, "Z", 'T')},
          {"2", hours_from_now(-1, "Z", 'T')},
          {"3", hours_from_now(1, "Z", 'T')},
          {"4", ""}});
  const auto ids = [](const Rows& rows) {
    std::string all;
    for (const auto& row : rows) all += row.substr(0, row.find('|')) + " ";
    return all;
  };
  EXPECT_EQ(ids(run("updated", "2h")), "1 ");
  EXPECT_EQ(ids(run("updated", "2h")), "");
  // Equal times are neither lost nor doubled: what lies on the bound belongs to the next run.
  insert({{"5", until_}});
  EXPECT_EQ(ids(run("updated", "30m")), "2 5 ");
  EXPECT_EQ(ids(run("updated")), "");
  EXPECT_EQ(ids(run("updated")), "");
}

TEST_P(TableIncrement, NeverGoesBack) {
  execute("CREATE TABLE t (updated TIMESTAMP)");
  until_ = "2999-01-01T00:00:00";
  EXPECT_EQ(run("updated"), Rows{});
  EXPECT_EQ(until_, "2999-01-01T00:00:00");
  EXPECT_EQ(run("updated", "10d"), Rows{});
  EXPECT_EQ(until_, "2999-01-01T00:00:00");
}

TEST_P(TableIncrement, ComparesTimesWithoutAZoneWithTheClockThatWritesThem) {
  in_zone("Asia/Tokyo");  // nine hours ahead
  execute("CREATE TABLE t (updated TIMESTAMP, day DATE)");
  insert({{hours_from_now(-1), "2020-01-01"}, {hours_from_now(8), ""}, {hours_from_now(10), ""}});
  // CURRENT_TIMESTAMP of SQLite is in UTC, that of DuckDB in the zone of the machine.
  EXPECT_EQ(run("updated").size(), is_sqlite() ? 1U : 2U);
  until_.clear();
  EXPECT_EQ(run("day", "1d").size(), 1U);
  EXPECT_EQ(until_.size(), std::string("2020-01-01").size());
}

TEST_P(TableIncrement, ReadsNumbersUpToTheGreatestLessTheLag) {
  execute("CREATE TABLE t (id BIGINT)");
  EXPECT_EQ(run("id"), Rows{});
  EXPECT_EQ(until_, "");
  insert({{"1"}, {"2"}, {"3"}, {"4"}, {"5"}, {""}});
  EXPECT_EQ(run("id", "2"), (Rows{"1", "2", "3"}));
  EXPECT_EQ(run("id", "2"), Rows{});
  EXPECT_EQ(run("id", "4"), Rows{});  // not back
  insert({{"9"}, {"7"}, {"-1"}});
  Division division;
  division.key = "id";
  EXPECT_EQ(run("id", "1", division), (Rows{"4", "5", "7"}));
  insert({{"9223372036854775807"}});
  EXPECT_EQ(run("id", "0", division), (Rows{"9", "9223372036854775807"}));
  EXPECT_EQ(run("id"), Rows{});
}

TEST_P(TableIncrement, IsDividedByWindowsToo) {
  execute("CREATE TABLE t (id BIGINT, day DATE)");
  insert({{"1", "2026-01-02"}, {"2", "2026-01-01"}, {"3", "2026-01-02"}, {"4", ""}});
  EXPECT_EQ(run("id", "1").size(), 3U);
  insert({{"5", "2026-01-03"}});
  Division division;
  division.window = WindowDivision{"day", "1 day", ""};
  EXPECT_EQ(run("id", "0", division), (Rows{"5|2026-01-03", "4|~"}));
}

TEST_P(TableIncrement, SaysWhatMakesNoSense) {
  execute("CREATE TABLE t (id BIGINT, name VARCHAR, price DOUBLE, updated TIMESTAMP)");
  EXPECT_NE(run("nothing")[0].find("\"nothing\""), std::string::npos) << problem_;
  EXPECT_NE(run("nothing")[0].find("it has id, name, price, updated"), std::string::npos);
  for (const char* column : {"name", "price"}) {
    EXPECT_NE(run(column)[0].find("needs a column of times, or of whole numbers"),
              std::string::npos)
        << problem_;
  }
  EXPECT_NE(run("updated", "10")[0].find("a duration such as 5m"), std::string::npos) << problem_;
  EXPECT_NE(run("id", "5m")[0].find("a number such as 1000"), std::string::npos) << problem_;
}

INSTANTIATE_TEST_SUITE_P(Systems, TableIncrement, ::testing::Values("sqlite", "duckdb"),
                         system_name);

class SqliteIncrement : public TableIncrement {};

TEST_P(SqliteIncrement, ComparesTheTextsOfOneForm) {
  execute("CREATE TABLE t (updated TIMESTAMP)");
  insert({{"2020-01-01T00:00:00"}, {"2020-01-02T00:00:00.5"}});
  EXPECT_EQ(run("updated").size(), 2U);
  until_ = "2020-01-02T00:00:00";
  EXPECT_EQ(run("updated"), (Rows{"2020-01-02T00:00:00.500"}));
  // Whoever writes another form now is found out, but not what earlier runs have read.
  insert({{"2025-01-01 10:00:00"}, {"2025-01-01 12:00:00"}});
  until_ = "2020-01-02T00:00:00";
  EXPECT_NE(run("updated")[0].find("among times that are written in another form"),
            std::string::npos)
      << problem_;
  until_ = "2025-01-01T11:00:00";
  EXPECT_EQ(run("updated"), (Rows{"2025-01-01T12:00:00"}));
}

TEST_P(SqliteIncrement, NeedsToKnowWhatAColumnHolds) {
  execute("CREATE TABLE t (updated)");
  EXPECT_NE(run("updated")[0].find("say what it holds, as in columns: { updated: timestamp }"),
            std::string::npos)
      << problem_;
}

INSTANTIATE_TEST_SUITE_P(Systems, SqliteIncrement, ::testing::Values("sqlite"), system_name);

}  // namespace
}  // namespace tranche
