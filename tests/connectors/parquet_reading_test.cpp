// Parquet as a source: windows of time, folders that are columns, files that do not fit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <tranche/core/value.h>

#include "base/temporary_folder.h"
#include "connectors/parquet_connector.h"
#include "drivers/duckdb_database.h"

namespace tranche {
namespace {

using Options = std::vector<std::pair<std::string, Node>>;

class ParquetReading : public TemporaryFolder {
 protected:
  ParquetReading() {
    database_ = DuckDatabase::open(256ULL << 20, "").value();
    duck_ = database_->connect().value();
  }

  void write(const std::string& name, const std::string& select) {
    fs::create_directories((folder_ / name).parent_path());
    const auto done = duck_->execute(
        fmt::format("COPY ({}) TO '{}' (FORMAT parquet, ROW_GROUP_SIZE 2048)", select,
                    (folder_ / name).string()));
    ASSERT_TRUE(done) << done.error().message;
  }

  std::unique_ptr<Source> make(const std::string& pattern, const Options& options = {}) {
    Node node = Node::map();
    node.set("parquet", Node::scalar(pattern));
    for (const auto& [key, value] : options) node.set(key, value);
    const Connector parquet = parquet_connector();
    Problems problems;
    check_options(node, parquet.read_options, parquet.name, problems);
    for (const auto& problem : problems) ADD_FAILURE() << problem.message;
    return parquet.make_source(node, folder_).value();
  }
  std::unique_ptr<Source> open(const std::string& pattern, const Options& options = {}) {
    auto source = make(pattern, options);
    const auto used = source->use_inputs(source->inputs().value());
    EXPECT_TRUE(used) << (used ? "" : used.error().message);
    return source;
  }
  Error refusal(const std::string& pattern, const Options& options = {}) {
    auto source = make(pattern, options);
    const auto used = source->use_inputs(source->inputs().value());
    EXPECT_FALSE(used);
    return used ? Error() : used.error();
  }
  static void divide_by(Source& source, const std::string& column, const std::string& every,
                        const std::string& zone = "") {
    Division division;
    division.window = WindowDivision{column, every, zone, false};
    const auto used = source.use_division(division);
    ASSERT_TRUE(used) << used.error().message;
  }

  static std::vector<Slice> cut(Source& source, const CutLimits& limits = {},
                                const Slice* after = nullptr) {
    auto stream = source.divide(after);
    EXPECT_TRUE(stream) << stream.error().message;
    std::vector<Slice> slices;
    while (true) {
      const auto slice = (*stream)->next(limits);
      EXPECT_TRUE(slice) << slice.error().message;
      if (!slice || !*slice) return slices;
      slices.push_back(**slice);
    }
  }

  // Rows as "a|b", rejects as "!file: error", in record order.
  std::vector<std::string> read(const Source& source, const std::vector<Slice>& slices) {
    std::vector<std::string> all;
    std::uint64_t record = 0;
    for (const Slice& slice : slices) {
      EXPECT_EQ(slice.first_record, record);
      record += slice.records;
      EXPECT_EQ(source.digest(slice).value(), slice.digest);
      auto reader = source.open(slice, worker_);
      EXPECT_TRUE(reader) << reader.error().message;
      std::vector<Reject> rejects;
      const std::size_t before = all.size();
      while (true) {
        const auto page = (*reader)->next(rejects);
        EXPECT_TRUE(page) << page.error().message;
        if (!page || *page == nullptr) break;
        for (std::size_t row = 0; row < (*page)->rows(); ++row) {
          std::string text;
          for (std::size_t i = 0; i < (*page)->column_count(); ++i) {
            if (i > 0) text += '|';
            append_value_text(text, (*page)->column(i), row);
          }
          all.push_back(std::move(text));
        }
      }
      for (const auto& reject : rejects) all.push_back("!" + reject.source + ": " + reject.error);
      EXPECT_EQ(all.size() - before, slice.records);
    }
    return all;
  }
  std::vector<std::string> read(Source& source) { return read(source, cut(source)); }

  std::shared_ptr<DuckDatabase> database_;
  std::unique_ptr<DuckConnection> duck_;
  WorkerScope worker_{0, 256ULL << 20, ""};
};

Node types(const char* column, const char* type) {
  Node node = Node::map();
  node.set(column, Node::scalar(type));
  return node;
}

// What each batch has: the least and the greatest day of its rows, and how many there are.
std::vector<std::string> batches_of(const std::vector<Slice>& slices,
                                    const std::vector<std::string>& rows) {
  std::vector<std::string> batches;
  std::size_t row = 0;
  std::vector<std::string> days;
  for (const Slice& slice : slices) {
    for (std::uint64_t i = 0; i < slice.records; ++i)
      days.push_back(rows[row++].substr(0, 10));
    if (!slice.ends_batch) continue;
    batches.push_back(fmt::format("{} {} {}", *std::min_element(days.begin(), days.end()),
                                  *std::max_element(days.begin(), days.end()), days.size()));
    days.clear();
  }
  EXPECT_TRUE(days.empty());
  return batches;
}

constexpr char minutes[] =
    "SELECT CAST(TIMESTAMP '2026-01-01' + INTERVAL (i) MINUTE AS {}) AS t, i AS id "
    "FROM range(5760) r(i)";

TEST_F(ParquetReading, CutsWindowsHoweverTheRowsLie) {
  for (const char* type : {"TIMESTAMPTZ", "TIMESTAMP_MS", "DATE"}) {
    const std::string select = fmt::format(minutes, type);
    write("sorted.parquet", select);
    write("mixed.parquet", select + " ORDER BY hash(i)");
    write("two-a.parquet", select + " WHERE i >= 3000");
    write("two-b.parquet", select + " WHERE i < 3000");
    for (const char* name : {"sorted.parquet", "mixed.parquet", "two-*.parquet"}) {
      const auto source = open(name);
      divide_by(*source, "T", "1 day");
      for (const CutLimits& limits : {CutLimits{}, CutLimits{900}}) {
        const auto slices = cut(*source, limits);
        auto rows = read(*source, slices);
        EXPECT_EQ(batches_of(slices, rows),
                  (std::vector<std::string>{
                      "2026-01-01 2026-01-01 1440", "2026-01-02 2026-01-02 1440",
                      "2026-01-03 2026-01-03 1440", "2026-01-04 2026-01-04 1440"}))
            << name << " " << type;
        std::sort(rows.begin(), rows.end());
        EXPECT_EQ(std::unique(rows.begin(), rows.end()), rows.end()) << "each row once";
      }
    }
  }
}

TEST_F(ParquetReading, GoesOnInTheMiddleOfAWindow) {
  write("a.parquet", fmt::format(minutes, "TIMESTAMP") + " ORDER BY hash(i)");
  write("b.parquet", "SELECT CASE WHEN i % 3 = 0 THEN NULL ELSE TIMESTAMP '2026-01-02' END AS t, i "
                     "AS id FROM range(100) r(i)");
  const auto source = open("*.parquet");
  divide_by(*source, "t", "12 hours");
  const auto slices = cut(*source, {700});
  ASSERT_GT(slices.size(), 10U);
  for (std::size_t i = 0; i < slices.size(); ++i) {
    EXPECT_EQ(cut(*source, {700}, &slices[i]),
              std::vector<Slice>(slices.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                 slices.end())) << i;
  }
  EXPECT_EQ(read(*source, slices).size(), 5860U);
}

TEST_F(ParquetReading, RowsWithoutATimeAreTheLastBatch) {
  write("a.parquet", "SELECT CASE WHEN i % 10 = 0 THEN NULL ELSE TIMESTAMP '2026-01-01' + INTERVAL "
                     "(i) HOUR END AS t, i AS id FROM range(40) r(i)");
  const auto source = open("a.parquet");
  divide_by(*source, "t", "1 day");
  const auto slices = cut(*source);
  ASSERT_EQ(slices.size(), 3U);
  EXPECT_EQ(slices[0].records, 21U);
  EXPECT_EQ(slices[1].records, 15U);
  const auto rows = read(*source, slices);
  EXPECT_EQ(rows[36], "|0");
  EXPECT_EQ(rows.back(), "|30");
}

TEST_F(ParquetReading, CutsByTheCalendarOfAZone) {
  write("a.parquet", "SELECT TIMESTAMPTZ '2026-10-24 21:30:00+00' + INTERVAL (i) HOUR AS t FROM "
                     "range(30) r(i)");
  const auto source = open("a.parquet");
  divide_by(*source, "t", "1 day", "Europe/Berlin");
  const auto slices = cut(*source);
  ASSERT_EQ(slices.size(), 3U);
  EXPECT_EQ(slices[0].records, 1U);
  EXPECT_EQ(slices[1].records, 25U);
  EXPECT_EQ(read(*source, slices).size(), 30U);
}

TEST_F(ParquetReading, FoldersAreColumns) {
  write("w/day=2026-01-01/store=a%2Fb/x.parquet", "SELECT 1 AS id");
  write("w/day=2026-01-02/store=__HIVE_DEFAULT_PARTITION__/x.parquet", "SELECT 2 AS id");
  const auto source = open("w/**/*.parquet");
  EXPECT_EQ(to_string(*source->schema().value()), "id integer, day date, store varchar");
  EXPECT_EQ(read(*source), (std::vector<std::string>{"1|2026-01-01|a/b", "2|2026-01-02|"}));
  const auto chosen = open("w/**/*.parquet", {{"columns", Node::list({Node::scalar("Day"),
                                                                      Node::scalar("id")})}});
  EXPECT_EQ(read(*chosen), (std::vector<std::string>{"2026-01-01|1", "2026-01-02|2"}));
  const auto only = open("w/**/*.parquet", {{"columns", Node::list({Node::scalar("day")})}});
  EXPECT_EQ(read(*only), (std::vector<std::string>{"2026-01-01", "2026-01-02"}));
  const auto typed = open("w/**/*.parquet", {{"hive_types", types("day", "varchar")}});
  EXPECT_EQ(to_string(*typed->schema().value()), "id integer, day varchar, store varchar");
  const auto off = open("w/**/*.parquet", {{"hive", Node::scalar("false")}});
  EXPECT_EQ(to_string(*off->schema().value()), "id integer");
  divide_by(*source, "day", "1 day");
  EXPECT_EQ(cut(*source).size(), 2U) << "a folder's column tells when, too";
}

TEST_F(ParquetReading, AFilesOwnColumnGoesBeforeTheFolders) {
  write("n=7/x.parquet", "SELECT 1 AS id, 3 AS n");
  EXPECT_EQ(read(*open("*/x.parquet")), (std::vector<std::string>{"1|3"}));
}

TEST_F(ParquetReading, RefusesFoldersThatDoNotFit) {
  write("n=7/x.parquet", "SELECT 1 AS id");
  write("m=7/x.parquet", "SELECT 1 AS id");
  EXPECT_EQ(to_string(*open("*/x.parquet")->schema().value()), "id integer");
  EXPECT_NE(refusal("*/x.parquet", {{"hive", Node::scalar("true")}})
                .message.find("`hive: true`, but the folders of n=7/x.parquet"),
            std::string::npos);
  EXPECT_EQ(refusal("n=7/x.parquet", {{"hive_types", types("n", "date")}}).message,
            "The folder n=7 of n=7/x.parquet is no date, as `hive_types` has it.");
}

TEST_F(ParquetReading, ColumnsThatAFileLacksOrHasBeyondTheFirst) {
  write("a.parquet", "SELECT 1 AS id, 'x' AS name");
  write("b.parquet", "SELECT 2 AS id, 3 AS extra");
  EXPECT_NE(refusal("*.parquet").message.find("`missing_columns: null`"), std::string::npos);
  EXPECT_NE(refusal("*.parquet", {{"missing_columns", Node::scalar("null")}})
                .message.find("`extra_columns: ignore`"),
            std::string::npos);
  const Options both{{"missing_columns", Node::scalar("null")},
                     {"extra_columns", Node::scalar("ignore")}};
  EXPECT_EQ(read(*open("*.parquet", both)), (std::vector<std::string>{"1|x", "2|"}));
}

TEST_F(ParquetReading, AFileThatCantBeReadIsOneReject) {
  write("a.parquet", "SELECT 1 AS id, TIMESTAMP '2026-01-01' AS t");
  put("b.parquet", "this is no Parquet");
  write("c.parquet", "SELECT 'text' AS id, TIMESTAMP '2026-01-01' AS t");
  write("d.parquet", "SELECT 4 AS id, TIMESTAMP '2026-01-02' AS t");
  EXPECT_EQ(refusal("*.parquet").kind, ErrorKind::config);
  for (const bool by_time : {false, true}) {
    const auto source = open("*.parquet", {{"bad_file", Node::scalar("reject")}});
    if (by_time) divide_by(*source, "t", "1 day");
    const auto slices = cut(*source);
    auto rows = read(*source, slices);
    ASSERT_EQ(rows.size(), 4U);
    for (std::size_t i = 0; i < slices.size(); ++i) {
      EXPECT_EQ(cut(*source, {}, &slices[i]),
                std::vector<Slice>(slices.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                   slices.end())) << i;
    }
    std::sort(rows.begin(), rows.end());
    EXPECT_EQ(rows[0], "!b.parquet: The file can't be read: b.parquet is no Parquet file, or only "
                       "a part of one: its 18 bytes do not end with PAR1.");
    EXPECT_EQ(rows[1].substr(0, 63),
              "!c.parquet: The file can't be read: Column \"id\" is varchar in c");
    EXPECT_EQ(rows[2], "1|2026-01-01T00:00:00");
    EXPECT_EQ(rows[3], "4|2026-01-02T00:00:00");
  }
}

TEST_F(ParquetReading, EmptyFilesAreRefusedWhereAsked) {
  write("a.parquet", "SELECT 1 AS id WHERE false");
  EXPECT_TRUE(cut(*open("a.parquet")).empty());
  EXPECT_EQ(refusal("a.parquet", {{"empty", Node::scalar("fail")}}).message,
            "a.parquet has no records, and `empty: fail` is set.");
}

TEST_F(ParquetReading, ListsAndStructsComeAsTheyAre) {
  write("a.parquet", "SELECT [{'sku': 'a', 'tags': ['x', NULL]}, NULL] AS items, "
                     "{'street': 'Long Street of the Town 17', 'no': 5} AS address");
  const auto source = open("a.parquet");
  EXPECT_EQ(to_string(*source->schema().value()),
            "items struct(sku varchar, tags varchar[])[], address struct(street varchar, no "
            "integer)");
  EXPECT_EQ(read(*source), (std::vector<std::string>{
                               R"([{"sku":"a","tags":["x",null]},null]|)"
                               R"({"street":"Long Street of the Town 17","no":5})"}));
}

}  // namespace
}  // namespace tranche
