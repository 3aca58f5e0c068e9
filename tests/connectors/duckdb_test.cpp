// The connector `duckdb` against real database files.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>
#include <set>

#include "connectors/duckdb_connector.h"
#include "connectors/table_source_fixture.h"
#include "drivers/duckdb_database.h"

namespace tranche {
namespace {

using Rows = std::vector<std::string>;

class DuckTest : public TableSourceTest {
 protected:
  std::shared_ptr<DuckDatabase> database() {
    auto opened = DuckDatabase::open_file(at("d.duckdb").string(), 64 << 20, "");
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? *opened : nullptr;
  }
  void execute(const std::vector<std::string>& statements) {
    const auto connection = database()->connect().value();
    for (const auto& sql : statements) {
      const auto done = connection->execute(sql);
      ASSERT_TRUE(done) << sql << ": " << done.error().message;
    }
  }
  Rows texts(const std::string& sql) {
    const auto connection = database()->connect().value();
    const auto found = connection->query_texts(sql);
    if (!found) return {found.error().message};
    Rows rows;
    for (const auto& row : *found) {
      std::string text;
      for (const auto& cell : row) text += (text.empty() ? "" : "|") + cell;
      rows.push_back(text);
    }
    return rows;
  }
  std::unique_ptr<Source> table(const std::string& name, const std::string& key = "") {
    Division division;
    division.key = key;
    return bound(duckdb_connector(), {{"duckdb", "d.duckdb"}, {"table", name}}, division);
  }

  // ---- The sink.
  Result<std::unique_ptr<Sink>> try_sink(const std::string& mode, const std::string& key = "") {
    Node options = Node::map();
    options.set("duckdb", Node::scalar("d.duckdb"));
    options.set("table", Node::scalar("t"));
    options.set("mode", Node::scalar(mode));
    if (!key.empty()) options.set("key", Node::scalar(key));
    return duckdb_connector().make_sink(options, folder_);
  }
  std::unique_ptr<Sink> sink(const std::string& mode, const std::string& key = "") {
    auto made = try_sink(mode, key);
    EXPECT_TRUE(made) << made.error().message;
    return *std::move(made);
  }
  static SchemaPtr schema() {
    return std::make_shared<const Schema>(
        Schema{{Field{"id", Type{TypeId::bigint}}, Field{"name", Type{TypeId::varchar}}}});
  }
  struct Record {
    std::optional<std::int64_t> id;
    std::string name;
  };
  static std::vector<Segment> encode(const Sink& sink, const std::vector<Record>& records) {
    Page page(schema(), std::max<std::size_t>(1, records.size()));
    page.set_rows(records.size());
    page.base.source = std::make_shared<const std::string>("in.csv");
    page.base.line = 2;
    for (std::size_t i = 0; i < records.size(); ++i) {
      page.origins.push_back(
          Origin{.line = static_cast<std::uint32_t>(i), .record = static_cast<std::uint32_t>(i)});
      page.column(0).values<std::int64_t>()[i] = records[i].id.value_or(0);
      if (!records[i].id) page.column(0).set_null(i);
      page.column(1).values<StringRef>()[i] = StringRef::make(page.arena.copy(records[i].name));
    }
    WorkerScope worker(0, 0, "");
    auto encoder = sink.encoder(worker).value();
    EXPECT_TRUE(encoder->add(page));
    return encoder->finish().value();
  }
  std::vector<Receipt> recover(Sink& sink, const std::vector<Receipt>& committed = {}) {
    EXPECT_TRUE(sink.examine(schema()));
    auto receipts = sink.recover(run_, schema(), committed);
    EXPECT_TRUE(receipts) << receipts.error().message;
    return receipts ? *receipts : std::vector<Receipt>{};
  }
  Receipt commit(Sink& sink, std::uint64_t group, const std::vector<Record>& records) {
    auto committer = sink.committer().value();
    auto applied = committer->apply(group, encode(sink, records), "r");
    EXPECT_TRUE(applied) << applied.error().message;
    if (!applied) return {};
    rejects_ = applied->rejects;
    EXPECT_EQ(applied->rows + rejects_.size(), records.size());
    auto receipt = committer->commit();
    EXPECT_TRUE(receipt) << receipt.error().message;
    return receipt ? *receipt : Receipt{};
  }
  std::string seal(Sink& sink, const std::vector<Receipt>& receipts) {
    const std::string intent = sink.plan_seal(receipts).value();
    const auto sealed = sink.seal(intent);
    EXPECT_TRUE(sealed) << sealed.error().message;
    EXPECT_EQ(sink.verify(run_, intent, receipts).value(), std::vector<std::string>{});
    return intent;
  }
  Rows refused() const {
    Rows lines;
    for (const Reject& reject : rejects_)
      lines.push_back(std::to_string(reject.line) + ": " + reject.error);
    return lines;
  }

  SinkRun run_{"0123456789abcdef0123456789abcdef", "load", ""};
  std::vector<Reject> rejects_;
};

TEST_F(DuckTest, ExtremesArriveAsTheyAre) {
  execute(
      {"CREATE TABLE t (i BIGINT, h HUGEINT, d DECIMAL(38,10), r DOUBLE, b BOOLEAN, dt DATE, ts "
       "TIMESTAMP, tz TIMESTAMPTZ, s VARCHAR, x BLOB, u UUID, l INTEGER[], e ENUM('a', 'b'))",
       "INSERT INTO t VALUES (-9223372036854775808, "
       "-170141183460469231731687303715884105728, -9999999999999999999999999999.9999999999, "
       "'-inf', false, '0001-01-01', '0001-01-01 00:00:00', '0001-01-01 00:00:00Z', '', ''::BLOB,"
       "'00000000-0000-0000-0000-000000000000', [], 'a')",
       "INSERT INTO t VALUES (9223372036854775807, 170141183460469231731687303715884105727, "
       "9999999999999999999999999999.9999999999, 5e-324, true, '9999-12-31', '9999-12-31 "
       "23:59:59.999999', '9999-12-31 23:59:59.999999Z', 'longer than twelve bytes', "
       "'\\x00\\xFF'::BLOB, 'ffffffff-ffff-ffff-ffff-ffffffffffff', [1, NULL], 'b')",
       "INSERT INTO t (i) VALUES (NULL)"});
  const auto source = table("t");
  ASSERT_TRUE(source) << problem_;
  EXPECT_EQ(
      drain(*source, 2).rows,
      (Rows{"-9223372036854775808|-170141183460469231731687303715884105728|"
            "-9999999999999999999999999999.9999999999|-inf|false|0001-01-01|0001-01-01T00:00:00|"
            "0001-01-01T00:00:00Z|||00000000-0000-0000-0000-000000000000|[]|a",
            "9223372036854775807|170141183460469231731687303715884105727|"
            "9999999999999999999999999999.9999999999|5e-324|true|9999-12-31|"
            "9999-12-31T23:59:59.999999|9999-12-31T23:59:59.999999Z|longer than twelve bytes|"
            "\\x00\\xFF|ffffffff-ffff-ffff-ffff-ffffffffffff|[1,null]|b",
            "~|~|~|~|~|~|~|~|~|~|~|~|~"}));
}

TEST_F(DuckTest, KeysHoldEachRowOnceAndPartNoTwo) {
  std::mt19937 random(11);
  execute({"CREATE TABLE t (n INTEGER, k VARCHAR, d DATE)",
           "INSERT INTO t SELECT range, CASE WHEN range % 13 = 0 THEN NULL ELSE 'key ' || (range * "
           "7 % 40) END, DATE '2026-01-01' + (range * 31 % 90)::INTEGER FROM range(5000)",
           "DELETE FROM t WHERE n % 5 = 0", "CREATE TABLE empty (a INTEGER)",
           "CREATE VIEW v AS SELECT n, k FROM t WHERE n < 100"});
  for (const std::string key : {"", "k", "n", "d"}) {
    for (const std::uint64_t rows : {1, 300, 2048, 100000}) {
      if (rows == 1 && key != "k") continue;
      const auto source = table("t", key);
      ASSERT_TRUE(source) << problem_;
      const Drained all = drain(*source, rows);
      EXPECT_EQ(all.rows.size(), 4000U);
      EXPECT_EQ(std::set<std::string>(all.rows.begin(), all.rows.end()).size(), 4000U);
      const std::size_t middle = random() % all.slices.size();
      const Drained rest = drain(*source, rows, &all.slices[middle]);
      EXPECT_EQ(
          std::vector<Slice>(all.slices.begin() + static_cast<long>(middle) + 1, all.slices.end()),
          rest.slices);
    }
  }
  const auto empty = table("empty");
  ASSERT_TRUE(empty) << problem_;
  EXPECT_TRUE(drain(*empty).slices.empty());
  EXPECT_EQ(table("v"), nullptr);
  EXPECT_NE(problem_.find("A view is read by ranges of a key"), std::string::npos) << problem_;
  const auto view = table("v", "n");
  ASSERT_TRUE(view) << problem_;
  EXPECT_EQ(drain(*view, 7).rows.size(), 80U);
  Division division;
  division.key = "n";
  const auto query =
      bound(duckdb_connector(),
            {{"duckdb", "d.duckdb"},
             {"query", "SELECT n * 2 AS n, count(*) AS c FROM t GROUP BY ALL; -- so"}},
            division);
  EXPECT_EQ(query, nullptr);  // a comment behind the semicolon is one statement too many
  const auto counted =
      bound(duckdb_connector(), {{"duckdb", "d.duckdb"}, {"query", "SELECT n * 2 AS n FROM t; "}},
            division);
  ASSERT_TRUE(counted) << problem_;
  EXPECT_EQ(drain(*counted, 900).rows.size(), 4000U);
}

TEST_F(DuckTest, AChangedFileIsNoticed) {
  execute({"CREATE TABLE t (a INTEGER)", "INSERT INTO t VALUES (1), (2)"});
  auto source = table("t");
  ASSERT_TRUE(source) << problem_;
  const std::vector<Input> planned = inputs_;
  source.reset();
  source = table("t");
  EXPECT_EQ(inputs_, planned);
  source.reset();
  execute({"INSERT INTO t VALUES (3)"});
  source = table("t");
  ASSERT_TRUE(source) << problem_;
  EXPECT_NE(inputs_, planned);
  ASSERT_TRUE(source->use_inputs(planned));
  const auto divided = source->divide(nullptr);
  ASSERT_FALSE(divided);
  EXPECT_NE(divided.error().message.find("was changed since"), std::string::npos);
}

TEST_F(DuckTest, AnotherProcessIsToldWhoHasTheFile) {
  execute({"CREATE TABLE t (a INTEGER)"});
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    // Not DuckDB's own code, which a forked process of several threads must not run.
    struct flock lock {};
    lock.l_type = F_WRLCK;
    const int file = ::open(at("d.duckdb").c_str(), O_RDWR);
    ::fcntl(file, F_SETLK, &lock);
    (void)!::write(ready[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(table("t"), nullptr);
  EXPECT_NE(problem_.find("(PID " + std::to_string(child) + ") has DuckDB database"),
            std::string::npos)
      << problem_;
  const auto examined = sink("append")->examine(schema());
  ASSERT_FALSE(examined);
  EXPECT_EQ(examined.error().kind, ErrorKind::busy);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(DuckTest, GroupsAreCommittedWithTheirRecordAndTheTargetIsTheAuthority) {
  auto first = sink("append");
  EXPECT_TRUE(recover(*first).empty());
  const Receipt zero = commit(*first, 0, {{1, "a"}, {2, "b"}});
  EXPECT_EQ(zero.rows, 2U);
  {
    auto committer = first->committer().value();
    ASSERT_TRUE(committer->apply(1, encode(*first, {{3, "c"}}), "r"));
    committer->rollback();
  }
  const Receipt one = commit(*first, 1, {{3, "c"}});
  EXPECT_EQ(first->find_receipt(1).value(), one);
  EXPECT_EQ(first->find_receipt(2).value(), std::nullopt);
  // A group that is committed already is not written again.
  EXPECT_EQ(commit(*first, 1, {{3, "c"}}), one);
  first.reset();
  auto second = sink("append");
  EXPECT_EQ(recover(*second, {zero}), (std::vector<Receipt>{zero, one}));
  const std::string intent = seal(*second, {zero, one});
  EXPECT_TRUE(second->seal(intent));  // rolls forward, changes nothing
  second.reset();
  EXPECT_EQ(texts("SELECT * FROM t"), (Rows{"1|a", "2|b", "3|c"}));
  EXPECT_EQ(texts("SELECT batch, rows FROM tranche_commits ORDER BY 1"),
            (Rows{"-1|3", "0|2", "1|1"}));
}

TEST_F(DuckTest, RefusedRowsAreFoundAndTheOthersGoIn) {
  execute(
      {"CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR NOT NULL UNIQUE, CHECK (id < 1000))",
       "INSERT INTO t VALUES (5, 'five')"});
  auto to = sink("append");
  recover(*to);
  std::vector<Record> records;
  for (int id = 0; id < 200; ++id) records.push_back({id, "n" + std::to_string(id)});
  records[5].name = "other";  // there is an id 5
  records[17].id.reset();
  records[30] = {29, "doubled"};  // behind another one of its group
  records[40] = {1040, "too large"};
  records[41] = {41, "too large"};  // the name of one that was refused, so it is free
  records[42] = {42, "five"};
  records[43] = {43, "n42"};  // likewise
  records[50] = {51, "n49"};  // would stand against two of them
  const Receipt receipt = commit(*to, 0, records);
  EXPECT_EQ(receipt.rows, 194U);
  EXPECT_EQ(
      refused(),
      (Rows{
          "7: DuckDB refused the row: Duplicate key \"id: 5\" violates primary key constraint.",
          "19: Column \"id\" is null, which t does not take.",
          "32: DuckDB would refuse the row: an earlier record of its batch has the same id, which "
          "is unique.",
          "42: DuckDB refused the row: CHECK constraint failed on table t with expression "
          "CHECK((id < 1000)).",
          "44: DuckDB refused the row: Duplicate key \"name: five\" violates unique constraint.",
          "52: DuckDB would refuse the row: an earlier record of its batch has the same name, "
          "which is unique."}));
  EXPECT_EQ(commit(*to, 1, {{2000, "bad"}, {2001, "bad"}}).rows, 0U);
  EXPECT_EQ(rejects_.size(), 2U);
  to.reset();
  EXPECT_EQ(texts("SELECT count(*), count(DISTINCT id), max(id) FROM t"), (Rows{"195|195|199"}));
}

TEST_F(DuckTest, TheLastRecordOfAKeyWins) {
  auto to = sink("upsert", "id");
  recover(*to);
  const Receipt zero =
      commit(*to, 0, {{1, "a"}, {2, "b"}, {1, "c"}, {std::nullopt, "none"}, {1, "d"}});
  EXPECT_EQ(zero.rows, 4U);
  EXPECT_EQ(refused(), (Rows{"5: Column \"id\" is null, which t does not take."}));
  const Receipt one = commit(*to, 1, {{2, "new"}, {3, "e"}, {2, "newer"}});
  EXPECT_EQ(one.rows, 3U);
  seal(*to, {zero, one});
  to.reset();
  EXPECT_EQ(texts("SELECT * FROM t ORDER BY id"), (Rows{"1|d", "2|newer", "3|e"}));
}

TEST_F(DuckTest, ReplaceShowsNothingBeforeTheSeal) {
  execute(
      {"CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR DEFAULT 'x', extra INTEGER DEFAULT 7)",
       "INSERT INTO t VALUES (1, 'old', 1)"});
  auto to = sink("replace");
  recover(*to);
  const Receipt zero = commit(*to, 0, {{1, "new"}, {2, "newer"}, {1, "doubled"}});
  EXPECT_EQ(zero.rows, 2U);
  EXPECT_EQ(rejects_.size(), 1U);
  to.reset();
  EXPECT_EQ(texts("SELECT * FROM t"), (Rows{"1|old|1"}));
  // Gone on with, and sealed.
  to = sink("replace");
  EXPECT_EQ(recover(*to, {zero}), std::vector<Receipt>{zero});
  seal(*to, {zero});
  to.reset();
  EXPECT_EQ(texts("SELECT * FROM t"), (Rows{"1|new|7", "2|newer|7"}));
  EXPECT_EQ(texts("SELECT table_name FROM duckdb_tables() ORDER BY 1"),
            (Rows{"t", "tranche_commits"}));
  EXPECT_NE(texts("INSERT INTO t VALUES (1, '', 1)")[0].find("Duplicate key"), std::string::npos);
  // Given up, nothing is left of it.
  run_.run_id = "fedcba9876543210fedcba9876543210";
  to = sink("replace");
  recover(*to);
  commit(*to, 0, {{9, "z"}});
  ASSERT_TRUE(to->discard(run_, {}, false));
  to.reset();
  EXPECT_EQ(texts("SELECT count(*) FROM t"), Rows{"2"});
  EXPECT_EQ(texts("SELECT count(*) FROM duckdb_tables()"), Rows{"2"});
}

TEST_F(DuckTest, TargetsThatCantTakeTheRowsAreFoundBeforeTheStart) {
  execute({"CREATE TABLE t (id INTEGER, name VARCHAR)"});
  const auto problem = [&](const std::string& mode, const std::string& key = "") {
    const auto examined = sink(mode, key)->examine(schema());
    return examined ? std::string() : examined.error().message;
  };
  EXPECT_NE(problem("append").find("its column \"id\" is integer, which does not keep bigint"),
            std::string::npos)
      << problem("append");
  execute({"DROP TABLE t", "CREATE TABLE t (id BIGINT, name VARCHAR, more INTEGER NOT NULL)"});
  EXPECT_NE(problem("append").find("must not be null"), std::string::npos);
  execute(
      {"DROP TABLE t", "CREATE TABLE t (id HUGEINT, name VARCHAR)", "CREATE INDEX i ON t (id)"});
  EXPECT_EQ(problem("append"), "");
  EXPECT_NE(problem("replace").find("its index i"), std::string::npos);
  EXPECT_NE(problem("upsert", "id").find("no unique index"), std::string::npos);
  EXPECT_NE(problem("upsert", "nothing").find("which the records don't have"), std::string::npos);
  execute({"DROP TABLE t", "CREATE VIEW t AS SELECT 1 AS id, 'x' AS name"});
  EXPECT_NE(problem("append").find("is a view"), std::string::npos);
  EXPECT_FALSE(try_sink("append", "id"));
  EXPECT_FALSE(try_sink("upsert"));
}

}  // namespace
}  // namespace tranche
