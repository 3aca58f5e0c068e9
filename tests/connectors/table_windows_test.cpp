// Windows of time over tables of embedded databases, which are to be what they are over tables of
// PostgreSQL (tests/crash/postgres_source.test.py).
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "connectors/embedded_table_fixture.h"

namespace tranche {
namespace {

using Sizes = std::vector<std::uint64_t>;

// The records of each batch.
Sizes batches(const std::vector<Slice>& slices) {
  Sizes sizes;
  bool is_new = true;
  for (const Slice& slice : slices) {
    if (is_new) sizes.push_back(0);
    sizes.back() += slice.records;
    is_new = slice.ends_batch;
  }
  return sizes;
}

Division windows(const std::string& column, const std::string& every, const std::string& zone = "",
                 bool rejects_late = false) {
  Division division;
  division.window = WindowDivision{column, every, zone, rejects_late};
  return division;
}

class TableWindows : public EmbeddedTableTest {
 protected:
  Sizes batches_of(const Division& division, std::uint64_t rows = 1000000) {
    const auto source = table(division);
    EXPECT_TRUE(source) << problem_;
    if (!source) return {};
    const Drained all = drain(*source, rows);
    // It goes on behind any slice as if nothing had happened.
    for (std::size_t at = 0; at < all.slices.size(); ++at) {
      const Drained rest = drain(*source, rows, &all.slices[at]);
      EXPECT_EQ(rest.slices, std::vector<Slice>(all.slices.begin() + static_cast<long>(at) + 1,
                                                all.slices.end()));
    }
    return batches(all.slices);
  }
};

TEST_P(TableWindows, FollowTheCalendarOfAZone) {
  execute("CREATE TABLE t (id INTEGER, sold TIMESTAMPTZ, local TIMESTAMP, day DATE)");
  std::vector<std::vector<std::string>> rows;
  for (int hour = 0; hour < 120; ++hour) {
    const std::string day = fmt::format("2026-03-{:02}", 27 + hour / 24);
    const std::string time = fmt::format("{}T{:02}:00:00", day, hour % 24);
    rows.push_back({std::to_string(hour), time + "Z", time, day});
  }
  rows.push_back({"1000", "", "", ""});
  rows.push_back({"1001", "infinity", "infinity", "infinity"});
  rows.push_back({"1002", "-infinity", is_sqlite() ? "-0043-03-15T00:00:00" : "0044-03-15 (BC)",
                  is_sqlite() ? "-0043-03-15" : "0044-03-15 (BC)"});
  rows.push_back({"1003", "2026-05-01T00:00:00Z", "2026-05-01T00:00:00", "2026-05-01"});
  // In an order of its own.
  for (std::size_t i = 0; i < rows.size(); ++i) std::swap(rows[i], rows[i * 77 % rows.size()]);
  for (auto& row : rows) {
    if (!is_sqlite() && row[2] == "0044-03-15 (BC)") row[2] = "0044-03-15 (BC) 00:00:00";
  }
  insert(rows);
  // The clocks are put forward on the 29th.
  EXPECT_EQ(batches_of(windows("sold", "1 day", "Europe/Berlin")),
            (Sizes{1, 23, 24, 23, 24, 24, 2, 1, 1, 1}));
  EXPECT_EQ(batches_of(windows("sold", "1 day")), (Sizes{1, 24, 24, 24, 24, 24, 1, 1, 1}));
  EXPECT_EQ(batches_of(windows("local", "2 days")), (Sizes{1, 24, 48, 48, 1, 1, 1}));
  EXPECT_EQ(batches_of(windows("day", "1 month")), (Sizes{1, 120, 1, 1, 1}));
  EXPECT_EQ(batches_of(windows("sold", "6 hours", "", true)).size(), 1U + 20 + 3);
  // A window of more records than a slice may hold has several slices, and is one batch.
  EXPECT_EQ(batches_of(windows("day", "1 month"), 7), (Sizes{1, 120, 1, 1, 1}));
}

TEST_P(TableWindows, OfAnEmptyTableAreNone) {
  execute("CREATE TABLE t (sold TIMESTAMP)");
  EXPECT_EQ(batches_of(windows("sold", "1 day")), Sizes{});
}

TEST_P(TableWindows, OfNullsAloneAreOneBatch) {
  execute("CREATE TABLE t (sold TIMESTAMP)");
  insert({{""}, {""}});
  EXPECT_EQ(batches_of(windows("sold", "1 day")), Sizes{2});
}

TEST_P(TableWindows, EndWithTheYears) {
  execute("CREATE TABLE t (sold TIMESTAMPTZ)");
  insert({{"0001-01-01T00:00:00Z"},
          {"0001-01-02T00:00:00Z"},
          {"9999-12-31T00:00:00Z"},
          {"9999-12-31T23:59:59.999999Z"},
          {"infinity"}});
  EXPECT_EQ(batches_of(windows("sold", "1 day", "Asia/Tokyo")), (Sizes{1, 1, 1, 2}));
  EXPECT_EQ(batches_of(windows("sold", "1 day", "America/New_York")), (Sizes{1, 1, 1, 1, 1}));
}

TEST_P(TableWindows, NeedAColumnOfTimes) {
  execute("CREATE TABLE t (id BIGINT, name VARCHAR, clock TIME, day DATE)");
  EXPECT_EQ(table(windows("sold", "1 day")), nullptr);
  EXPECT_NE(problem_.find("`batch: { on: sold }` names no column of the input"), std::string::npos)
      << problem_;
  for (const std::string name : {"id", "name", "clock"}) {
    EXPECT_EQ(table(windows(name, "1 day")), nullptr);
    EXPECT_NE(problem_.find("Windows of time need a date, a timestamp or a timestamptz, not a"),
              std::string::npos)
        << problem_;
  }
  EXPECT_EQ(table(windows("day", "1 hour")), nullptr);
  EXPECT_NE(problem_.find("A date has no hours"), std::string::npos) << problem_;
}

INSTANTIATE_TEST_SUITE_P(Systems, TableWindows, ::testing::Values("sqlite", "duckdb"), system_name);

class SqliteWindows : public TableWindows {};

TEST_P(SqliteWindows, LeaveWhatIsNoTimeWithItsNeighbours) {
  execute(
      "CREATE TABLE t (sold TIMESTAMP); INSERT INTO t VALUES (20260101), (1.5), "
      "('2026-01-01 00:00:00'), ('2026-01-01 23:59:59.999'), ('2026-01-01 7:00'), "
      "('2026-01-02 00:00:00'), ('2026-02-30 00:00:00'), ('2026-03-01 12:00:00.5'), "
      "('2026-03-01 12:00:00'), ('at noon'), (x'2026'), (NULL)");
  const auto source = table(windows("sold", "1 day"));
  ASSERT_TRUE(source) << problem_;
  const Drained all = drain(*source, 100);
  // The number, the first day and 7:00; the second day; the 30th of February and the first of
  // March; noon and the blob; the null.
  EXPECT_EQ(batches(all.slices), (Sizes{5, 1, 3, 2, 1}));
  EXPECT_EQ(all.rejects.size(), 6U);
  EXPECT_EQ(batches_of(windows("sold", "1 day"), 2).size(), 5U);
}

TEST_P(SqliteWindows, RefuseTimesThatAreOutOfOrderAsText) {
  struct Case {
    const char* type;
    const char* values;
    const char* odd;
  };
  for (const Case& one :
       {Case{"TIMESTAMP", "('2026-01-01 10:00:00'), ('2026-01-01T09:00:00')",
             "holds '2026-01-01T09:00:00' among times"},
        Case{"TIMESTAMPTZ", "('2026-01-01T10:00:00Z'), ('2026-01-01T10:00:00+02:00')",
             "holds '2026-01-01T10:00:00+02:00' among times"},
        Case{"DATE", "('2026-01-01'), ('+2026-01-02'), ('2026-1-3')",
             "holds '+2026-01-02' among times"}}) {
    execute(fmt::format("DROP TABLE IF EXISTS t; CREATE TABLE t (sold {}); INSERT INTO t VALUES {}",
                        one.type, one.values));
    const auto source = table(windows("sold", "1 day"));
    ASSERT_TRUE(source) << problem_;
    const auto stream = source->divide(nullptr);
    ASSERT_FALSE(stream);
    EXPECT_EQ(stream.error().kind, ErrorKind::config);
    EXPECT_NE(stream.error().message.find(one.odd), std::string::npos) << stream.error().message;
  }
  execute(
      "DROP TABLE t; CREATE TABLE t (sold TIMESTAMPTZ); INSERT INTO t VALUES "
      "('2026-01-01 10:00:00'), ('2026-01-01 10:00:00Z'), ('2026-01-02 00:00:00.5+00:00'), "
      "('2026-01-01 23:59:59-00')");
  EXPECT_EQ(batches_of(windows("sold", "1 day")), (Sizes{3, 1}));
}

TEST_P(SqliteWindows, TakeTextOfAnyColumnThatIsDeclaredATime) {
  execute(
      "CREATE TABLE t (sold TEXT); INSERT INTO t VALUES ('2026-01-02 10:00:00'), ('2026-01-01 "
      "10:00:00')");
  EXPECT_EQ(table(windows("sold", "1 day")), nullptr);
  const auto source =
      table(windows("sold", "1 day"), Schema{{Field{"sold", Type{TypeId::timestamp}}}});
  ASSERT_TRUE(source) << problem_;
  EXPECT_EQ(batches(drain(*source, 100).slices), (Sizes{1, 1}));
}

INSTANTIATE_TEST_SUITE_P(Systems, SqliteWindows, ::testing::Values("sqlite"), system_name);

}  // namespace
}  // namespace tranche
