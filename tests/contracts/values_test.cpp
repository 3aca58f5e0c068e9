// DuckDB is the oracle for values: what Tranche reads from CSV is what DuckDB reads from it, for
// every type; and what Tranche writes, as CSV or Parquet, is the same to DuckDB again.
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tranche/tranche.h>

#include "base/temporary_folder.h"
#include "drivers/duckdb_database.h"

namespace tranche {
namespace {

struct ColumnOfType {
  const char* name;
  const char* type;
  std::vector<std::string> values;  // that are worth a look
};

// Every type, with the ends of its range.
const std::vector<ColumnOfType>& every_type() {
  static const std::vector<ColumnOfType> columns{
      {"truth", "boolean", {"true", "false", "TRUE", "f", "1", "0"}},
      {"i8", "tinyint", {"-128", "127", "+5", "007"}},
      {"i16", "smallint", {"-32768", "32767"}},
      {"i32", "integer", {"-2147483648", "2147483647"}},
      {"i64", "bigint", {"-9223372036854775808", "9223372036854775807"}},
      {"i128", "hugeint",
       {"-170141183460469231731687303715884105728", "170141183460469231731687303715884105727"}},
      {"u8", "utinyint", {"0", "255"}},
      {"u16", "usmallint", {"65535"}},
      {"u32", "uinteger", {"4294967295"}},
      {"u64", "ubigint", {"18446744073709551615"}},
      {"single", "real",
       {"3.4028235e38", "-3.4028235e38", "1.1754944e-38", "1e-45", "inf", "-inf", "nan", "0.1",
        "16777217"}},
      {"wide", "double",
       {"1.7976931348623157e308", "2.2250738585072014e-308", "5e-324", "-0.0", "inf", "nan",
        "9007199254740993", "0.30000000000000004", "1e23"}},
      {"d4", "decimal(4,2)", {"-99.99", "99.99", "1.5", "7", ".5", "5."}},
      {"d9", "decimal(9,0)", {"999999999", "-999999999"}},
      {"d18", "decimal(18,18)", {"0.999999999999999999", "-.000000000000000001"}},
      {"d38", "decimal(38,10)",
       {"9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999"}},
      {"day", "date", {"0001-01-01", "9999-12-31", "2024-02-29", "1900-02-28", "infinity"}},
      {"clock", "time", {"00:00:00", "23:59:59.999999", "12:34:56.7"}},
      {"at", "timestamp",
       {"0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "1969-12-31T23:59:59.5", "infinity",
        "-infinity"}},
      {"zoned", "timestamptz",
       {"2026-01-31 12:00:00Z", "2026-01-31 00:30:00+05:45", "1999-12-31 23:59:59.25-08"}},
      {"text", "varchar",
       {"plain", "\"\"", "\" blank \"", "\"comma, \"\"quote\"\"\"", "\"two\nlines\"", "\"\r\n\"",
        "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "NULL", "exactly12byt", "thirteen byte"}},
      {"bytes", "blob", {"plain", "\\x00\\xFF\\x0a", "\\x5C", "\"\""}},
      {"id", "uuid", {"00000000-0000-0000-0000-000000000000",
                      "ffffffff-ffff-ffff-ffff-ffffffffffff",
                      "123e4567-E89B-12d3-a456-426614174000"}},
  };
  return columns;
}

class Values : public TemporaryFolder {
 protected:
  Values() {
    database_ = DuckDatabase::open(256ULL << 20, "").value();
    duck_ = database_->connect().value();
  }

  void sql(const std::string& text) {
    const auto done = duck_->execute(text);
    ASSERT_TRUE(done) << text << ": " << done.error().message;
  }

  // The value of a row that only chance knows; nothing is null.
  std::string by_chance(const ColumnOfType& column) {
    const std::string type = column.type;
    if (random_() % 5 == 0) return "";
    if (random_() % 3 == 0) return column.values[random_() % column.values.size()];
    const auto bits = static_cast<std::int64_t>(random_());
    const auto below = [this](std::uint64_t end) { return random_() % end; };
    const auto day = [&] {
      return fmt::format("{:04}-{:02}-{:02}", below(9999) + 1, below(12) + 1, below(28) + 1);
    };
    const auto time = [&] {
      const std::string text = fmt::format("{:02}:{:02}:{:02}", below(24), below(60), below(60));
      return below(2) == 0 ? text : text + fmt::format(".{:06}", below(1000000));
    };
    if (type == "boolean") return below(2) == 0 ? "true" : "false";
    if (type == "tinyint") return fmt::format("{}", static_cast<std::int8_t>(bits));
    if (type == "smallint") return fmt::format("{}", static_cast<std::int16_t>(bits));
    if (type == "integer") return fmt::format("{}", static_cast<std::int32_t>(bits));
    if (type == "bigint") return fmt::format("{}", bits);
    if (type == "hugeint") return fmt::format("{}{:018}", bits, below(1000000000000000000ULL));
    if (type == "utinyint") return fmt::format("{}", static_cast<std::uint8_t>(bits));
    if (type == "usmallint") return fmt::format("{}", static_cast<std::uint16_t>(bits));
    if (type == "uinteger") return fmt::format("{}", static_cast<std::uint32_t>(bits));
    if (type == "ubigint") return fmt::format("{}", static_cast<std::uint64_t>(bits));
    if (type == "real") return fmt::format("{}e{}", bits, static_cast<int>(below(60)) - 50);
    if (type == "double") return fmt::format("{}e{}", bits, static_cast<int>(below(560)) - 300);
    if (type == "decimal(4,2)") {
      return fmt::format("{}.{:02}", static_cast<int>(below(199)) - 99, below(100));
    }
    if (type == "decimal(9,0)") return fmt::format("{}", static_cast<int>(bits % 1000000000));
    if (type == "decimal(18,18)") return fmt::format("0.{:018}", below(1000000000000000000ULL));
    if (type == "decimal(38,10)") return fmt::format("{}.{:010}", bits, below(10000000000ULL));
    if (type == "date") return day();
    if (type == "time") return time();
    if (type == "timestamp") return day() + (below(2) == 0 ? " " : "T") + time();
    if (type == "timestamptz") {
      return fmt::format("{} {}{}{:02}:{:02}", day(), time(), below(2) == 0 ? "+" : "-", below(12),
                         below(60));
    }
    if (type == "uuid") {
      return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", below(1ULL << 32), below(65536),
                         below(65536), below(65536), below(1ULL << 48));
    }
    if (type == "blob") return fmt::format("\\x{:02X}{}", below(256), below(100));
    std::string text;
    for (std::size_t i = below(40); i > 0; --i) text += static_cast<char>('a' + below(26));
    return text;
  }

  // A file of every type, whose first rows have each value that is worth a look.
  std::string file_of_chance(std::size_t rows) {
    std::string text;
    for (const auto& column : every_type()) {
      text += fmt::format("{}{}", text.empty() ? "" : ",", column.name);
    }
    text += "\n";
    for (std::size_t row = 0; row < rows; ++row) {
      bool is_first = true;
      for (const auto& column : every_type()) {
        if (!is_first) text += ',';
        is_first = false;
        text += row < column.values.size() ? column.values[row] : by_chance(column);
      }
      text += "\n";
    }
    return text;
  }

  // How DuckDB is told to read our CSV.
  std::string read_csv(const std::string& name) const {
    std::string columns;
    for (const auto& column : every_type()) {
      columns += fmt::format("{}'{}': '{}'", columns.empty() ? "" : ", ", column.name, column.type);
    }
    return fmt::format("read_csv({}, header=true, delim=',', quote='\"', escape='\"', "
                       "auto_detect=false, nullstr='', allow_quoted_nulls=false, "
                       "parallel=false, columns={{{}}})", sql_literal(at(name).string()), columns);
  }

  // All columns, or all but `left_out`.
  void run_to(Use target, std::string_view left_out = {}) {
    std::vector<std::pair<std::string, std::string>> columns;
    for (const auto& column : every_type()) {
      if (column.name != left_out) columns.emplace_back(column.name, column.type);
    }
    const JobSpec spec = job("values").memory(256ULL << 20).step(
        step("copy")
            .read(csv(at("in.csv").string())
                      .columns(columns)
                      .option("extra_columns", "undeclared"))
            .batch_rows(700)
            .write(std::move(target)));
    RunOptions options;
    options.state = at("state");
    options.fresh = true;
    const auto done = run(spec, options);
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_EQ(to_string(done->state), "completed") << (done->error ? done->error->message : "");
  }

  // Rows that the one has and the other has not, of both.
  void expect_same(const std::string& a, const std::string& b) {
    for (const auto& [left, right] : {std::pair(a, b), std::pair(b, a)}) {
      const auto rows = duck_->query_texts(
          fmt::format("SELECT * FROM {} EXCEPT ALL SELECT * FROM {} LIMIT 3", left, right));
      ASSERT_TRUE(rows) << rows.error().message;
      for (const auto& row : *rows) {
        std::string shown;
        for (const auto& value : row) shown += value + "|";
        ADD_FAILURE() << "only in " << left << ": " << shown;
      }
    }
    EXPECT_EQ(duck_->query_texts("SELECT count(*) FROM " + a).value(),
              duck_->query_texts("SELECT count(*) FROM " + b).value());
  }

  const std::uint64_t seed_ = std::random_device()();
  std::mt19937_64 random_{seed_};
  std::shared_ptr<DuckDatabase> database_;
  std::unique_ptr<DuckConnection> duck_;
};

TEST_F(Values, AreThoseThatDuckDbReads) {
  SCOPED_TRACE(fmt::format("seed {}", seed_));
  put("in.csv", file_of_chance(3000));
  sql("CREATE TABLE theirs AS SELECT * FROM " + read_csv("in.csv"));
  run_to(csv(at("out.csv").string()));
  sql("CREATE TABLE written AS SELECT * FROM " + read_csv("out.csv"));
  expect_same("written", "theirs");

  // Parquet holds no hugeint.
  run_to(parquet(at("parts").string()).mode(replace), "i128");
  sql(fmt::format("CREATE TABLE ours AS SELECT * FROM read_parquet({})",
                  sql_literal(at("parts/*.parquet").string())));
  sql("CREATE TABLE narrower AS SELECT * EXCLUDE (i128) FROM theirs");
  EXPECT_EQ(duck_->query_texts("SELECT column_name, column_type FROM (DESCRIBE ours)").value(),
            duck_->query_texts("SELECT column_name, column_type FROM (DESCRIBE narrower)").value());
  expect_same("ours", "narrower");
}

struct Stricter {
  const char* type;
  const char* text;
  const char* why;
};

// What DuckDB takes and Tranche rejects, since taking it would change the value or guess at it.
constexpr Stricter stricter[] = {
    {"integer", "1.5", "a fraction is not rounded away"},
    {"integer", "1e3", "an integer has digits and a sign"},
    {"integer", " 7", "a blank is no digit; `trim` is for that"},
    {"decimal(4,2)", "1.005", "digits are not rounded away"},
    {"decimal(4,2)", "1e1", "a decimal has no exponent"},
    {"double", " 1.5", "a blank is no digit"},
    {"date", "2024-1-5", "months and days have two digits; `date_format` is for that"},
    {"date", "2024/01/05", "a date has dashes; `date_format` is for that"},
    {"date", " 2024-01-05", "a blank is no digit"},
    {"time", "24:00:00", "a day ends before 24:00"},
    {"time", "1:02:03", "hours have two digits"},
    {"time", "12:34:56.1234567", "digits beyond microseconds are not dropped"},
    {"timestamp", "2024-01-05", "a day is no time; `timestamp_format` is for that"},
    {"timestamp", "2024-01-05 10:00:00+02", "a zone would be lost; timestamptz is for that"},
    {"uuid", "123e4567e89b12d3a456426614174000", "a UUID has its dashes"},
};

TEST_F(Values, AreRejectedWhereDuckDbWouldChangeThem) {
  for (const Stricter& strict : stricter) {
    SCOPED_TRACE(fmt::format("\"{}\" as {}: {}", strict.text, strict.type, strict.why));
    const auto theirs = duck_->query_texts(fmt::format(
        "SELECT TRY_CAST({} AS {}) IS NOT NULL", sql_literal(strict.text), strict.type));
    EXPECT_EQ(theirs.value(), (std::vector<std::vector<std::string>>{{"true"}}));
    put("one.csv", fmt::format("v\n{}\n", strict.text));
    const JobSpec spec = job("strict").memory(256ULL << 20).step(
        step("copy")
            .read(csv(at("one.csv").string()).columns({{"v", strict.type}}))
            .on_error(max_rejects(1))
            .write(csv(at("one_out.csv").string())));
    RunOptions options;
    options.state = at("state");
    options.fresh = true;
    const auto done = run(spec, options);
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_EQ(done->steps.size(), 1U);
    EXPECT_EQ(done->steps[0].counts.read_rejects, 1U);
  }
}

}  // namespace
}  // namespace tranche
