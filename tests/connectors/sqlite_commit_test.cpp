#include <sys/mount.h>

#include <cmath>
#include <cstring>
#include <limits>

#include <tranche/core/value.h>
#include "connectors/sqlite_fixture.h"

namespace tranche {
namespace {

using SqliteCommit = SqliteSinkTest;

TEST_F(SqliteCommit, CreatesDatabaseFolderAndTable) {
  auto sink = this->sink("append", {}, "new/folder/w.db");
  ASSERT_TRUE(sink->examine(schema()));
  EXPECT_FALSE(fs::exists(at("new")));
  recover(*sink);
  EXPECT_EQ(database("new/folder/w.db")
                ->query_integer("SELECT count(*) FROM pragma_table_info('t')")
                .value(),
            2);
}

TEST_F(SqliteCommit, ShowsRowsOnlyOnceTheirGroupIsCommitted) {
  auto sink = this->sink("append");
  recover(*sink);
  execute("PRAGMA journal_mode = WAL");  // so that a reader sees the state before the commit
  auto committer = sink->committer().value();
  const auto segments = encode(*sink, page_of({{1, "a"}, {2, std::nullopt}}));
  const auto applied = committer->apply(0, segments, "r0");
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(applied->rows, 2U);
  EXPECT_EQ(number("SELECT count(*) FROM t"), 0);
  const auto receipt = committer->commit().value();
  EXPECT_EQ(receipt.rows, 2U);
  EXPECT_EQ(receipt.reject_id, "r0");
  EXPECT_EQ(texts("SELECT name FROM t ORDER BY id"), "a,null");
  EXPECT_EQ(texts("SELECT batch || ':' || rows || ':' || reject_id FROM tranche_commits"),
            "0:2:r0");
}

TEST_F(SqliteCommit, LeavesNothingOfAGroupThatIsRolledBack) {
  auto sink = this->sink("append");
  recover(*sink);
  auto committer = sink->committer().value();
  ASSERT_TRUE(committer->apply(0, encode(*sink, page_of({{1, "a"}})), "r0"));
  committer->rollback();
  EXPECT_EQ(number("SELECT count(*) FROM t"), 0);
  EXPECT_FALSE(sink->find_receipt(0).value());
  commit(*sink, 0, {{1, "a"}});
  EXPECT_TRUE(sink->find_receipt(0).value());
}

TEST_F(SqliteCommit, TellsAfterARestartWhichGroupsTheTargetHas) {
  Receipt first;
  {
    auto sink = this->sink("append");
    recover(*sink);
    first = commit(*sink, 0, {{1, "a"}});
    commit(*sink, 1, {{2, "b"}});
    auto committer = sink->committer().value();
    ASSERT_TRUE(committer->apply(2, encode(*sink, page_of({{3, "c"}})), "r2"));
  }  // dies before the commit of group 2
  auto again = this->sink("append");
  ASSERT_TRUE(again->examine(schema()));
  const auto receipts = recover(*again, {first});
  ASSERT_EQ(receipts.size(), 2U);
  EXPECT_EQ(receipts[0], first);
  EXPECT_EQ(receipts[1].group, 1U);
  commit(*again, 2, {{3, "c"}});
  EXPECT_EQ(texts("SELECT id FROM t ORDER BY id"), "1,2,3");
}

TEST_F(SqliteCommit, CommitsAGroupOnceThoughItIsAppliedTwice) {
  auto sink = this->sink("append");
  recover(*sink);
  const Receipt first = commit(*sink, 0, {{1, "a"}});
  EXPECT_EQ(commit(*sink, 0, {{1, "a"}}), first);
  EXPECT_EQ(number("SELECT count(*) FROM t"), 1);
  auto committer = sink->committer().value();
  const auto other = committer->apply(0, encode(*sink, page_of({{1, "b"}})), "r0");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::failed);
}

TEST_F(SqliteCommit, GivesEqualRowsEqualDigestsAndOthersOthers) {
  auto sink = this->sink("append");
  recover(*sink);
  const auto a = commit(*sink, 0, {{1, "a"}});
  const auto b = commit(*sink, 1, {{1, "a"}});
  const auto c = commit(*sink, 2, {{1, "b"}});
  EXPECT_EQ(a.checksum, b.checksum);
  EXPECT_NE(a.checksum, c.checksum);
}

TEST_F(SqliteCommit, IsolatesRowsThatTheTableRefuses) {
  execute("CREATE TABLE t (id INTEGER UNIQUE, name TEXT NOT NULL CHECK (name <> 'bad'))");
  auto sink = this->sink("append");
  ASSERT_TRUE(sink->examine(schema()));
  recover(*sink);
  auto committer = sink->committer().value();
  const auto page = page_of({{1, "a"}, {1, "again"}, {2, std::nullopt}, {3, "bad"}, {4, "d"}}, 100);
  const auto applied = committer->apply(0, encode(*sink, page), "r0");
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(applied->rows, 2U);
  ASSERT_EQ(applied->rejects.size(), 3U);
  const Reject& duplicate = applied->rejects[0];
  EXPECT_EQ(duplicate.phase, "write");
  EXPECT_EQ(duplicate.error, "SQLite refused the row: UNIQUE constraint failed: t.id.");
  EXPECT_EQ(duplicate.record, 101U);
  EXPECT_EQ(duplicate.source, "in.csv");
  EXPECT_EQ(duplicate.line, 3U);
  EXPECT_EQ(duplicate.offset, 10U);
  EXPECT_EQ(duplicate.raw, R"({"id":1,"name":"again"})");
  EXPECT_NE(applied->rejects[1].error.find("NOT NULL"), std::string::npos);
  EXPECT_NE(applied->rejects[2].error.find("CHECK"), std::string::npos);
  EXPECT_EQ(committer->commit()->rows, 2U);
  EXPECT_EQ(number("SELECT rows FROM tranche_commits"), 2);
  EXPECT_EQ(texts("SELECT id FROM t ORDER BY id"), "1,4");
}

TEST_F(SqliteCommit, LetsNoConflictClauseOfTheTableDropOrOverwriteARow) {
  execute(
      "CREATE TABLE t (id INTEGER UNIQUE ON CONFLICT IGNORE, "
      "name TEXT UNIQUE ON CONFLICT REPLACE)");
  auto sink = this->sink("append");
  recover(*sink);
  auto committer = sink->committer().value();
  const auto applied =
      committer->apply(0, encode(*sink, page_of({{1, "a"}, {1, "b"}, {2, "a"}})), "r0");
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->rows, 1U);
  EXPECT_EQ(applied->rejects.size(), 2U);
  ASSERT_TRUE(committer->commit());
  EXPECT_EQ(texts("SELECT id || name FROM t"), "1a");
}

TEST_F(SqliteCommit, CountsRowsThatATriggerRefusesOrIgnores) {
  execute(
      "CREATE TABLE t (id INTEGER, name TEXT);"
      "CREATE TRIGGER x BEFORE INSERT ON t WHEN new.id = 2 BEGIN SELECT RAISE(IGNORE); END;"
      "CREATE TRIGGER y AFTER INSERT ON t WHEN new.id = 3 BEGIN SELECT RAISE(FAIL, 'no 3'); END");
  auto sink = this->sink("append");
  recover(*sink);
  auto committer = sink->committer().value();
  const auto applied =
      committer->apply(0, encode(*sink, page_of({{1, "a"}, {2, "b"}, {3, "c"}, {4, "d"}})), "r");
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(applied->rows, 2U);
  ASSERT_EQ(applied->rejects.size(), 2U);
  EXPECT_EQ(applied->rejects[0].error, "A trigger of the table ignored the row.");
  EXPECT_EQ(applied->rejects[1].error, "SQLite refused the row: no 3.");
  ASSERT_TRUE(committer->commit());
  EXPECT_EQ(texts("SELECT id FROM t ORDER BY id"), "1,4");
}

TEST_F(SqliteCommit, InventsNoKeyInPlaceOfANull) {
  execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
  auto sink = this->sink("append");
  recover(*sink);
  auto committer = sink->committer().value();
  const auto applied =
      committer->apply(0, encode(*sink, page_of({{1, "a"}, {std::nullopt, "b"}, {3, "c"}})), "r0");
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->rows, 2U);
  ASSERT_EQ(applied->rejects.size(), 1U);
  EXPECT_EQ(applied->rejects[0].error, "Column \"id\" is part of the key and is null.");
  ASSERT_TRUE(committer->commit());
  EXPECT_EQ(texts("SELECT name FROM t ORDER BY id"), "a,c");
}

TEST_F(SqliteCommit, EnforcesForeignKeys) {
  execute(
      "CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (1);"
      "CREATE TABLE t (id INTEGER REFERENCES parent (id), name TEXT)");
  auto sink = this->sink("append");
  recover(*sink);
  auto committer = sink->committer().value();
  const auto applied = committer->apply(0, encode(*sink, page_of({{1, "a"}, {2, "b"}})), "r0");
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->rows, 1U);
  ASSERT_EQ(applied->rejects.size(), 1U);
  EXPECT_NE(applied->rejects[0].error.find("FOREIGN KEY"), std::string::npos);
}

TEST_F(SqliteCommit, CallsALockedDatabaseTransientAndCommitsOnceItIsFree) {
  auto sink = this->sink("append");
  recover(*sink);
  auto holder = database();
  ASSERT_TRUE(holder->begin());
  auto committer = sink->committer().value();
  const auto segments = encode(*sink, page_of({{1, "a"}}));
  const auto refused = committer->apply(0, segments, "r0");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::transient);
  committer->rollback();
  holder->rollback();
  ASSERT_TRUE(committer->apply(0, segments, "r1"));
  EXPECT_EQ(committer->commit()->reject_id, "r1");
}

TEST_F(SqliteCommit, TriesACommitAgainThatAReaderHeldUp) {
  auto sink = this->sink("append");
  recover(*sink);
  auto reader = database();
  ASSERT_TRUE(reader->execute("BEGIN"));
  ASSERT_TRUE(reader->query_integer("SELECT count(*) FROM t"));  // a shared lock, held from here
  auto committer = sink->committer().value();
  const auto segments = encode(*sink, page_of({{1, "a"}}));
  ASSERT_TRUE(committer->apply(0, segments, "r0"));
  const auto refused = committer->commit();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::transient);
  committer->rollback();
  reader->rollback();
  ASSERT_TRUE(committer->apply(0, segments, "r1"));
  ASSERT_TRUE(committer->commit());
  EXPECT_EQ(number("SELECT count(*) FROM t"), 1);
}

TEST_F(SqliteCommit, UpdatesRowsOfTheSameKeyInOrder) {
  auto sink = this->sink("upsert", {"id"});
  ASSERT_TRUE(sink->examine(schema()));
  recover(*sink);
  EXPECT_FALSE(sink->appends());
  commit(*sink, 0, {{1, "a"}, {2, "b"}, {1, "c"}});
  EXPECT_EQ(commit(*sink, 1, {{2, "d"}, {3, "e"}}).rows, 2U);
  EXPECT_EQ(texts("SELECT id || name FROM t ORDER BY id"), "1c,2d,3e");
  auto committer = sink->committer().value();
  const auto applied = committer->apply(2, encode(*sink, page_of({{std::nullopt, "x"}})), "r");
  ASSERT_TRUE(applied);
  ASSERT_EQ(applied->rejects.size(), 1U);
  EXPECT_EQ(applied->rejects[0].error, "Column \"id\" is part of the key and is null.");
}

TEST_F(SqliteCommit, KeepsRowsWhoseColumnsAreAllKey) {
  auto sink = this->sink("upsert", {"id", "name"});
  recover(*sink);
  EXPECT_EQ(commit(*sink, 0, {{1, "a"}, {1, "a"}}).rows, 2U);
  EXPECT_EQ(number("SELECT count(*) FROM t"), 1);
}

TEST_F(SqliteCommit, StopsCleanlyOnAFullDiskAndGoesOnWithMoreRoom) {
  fs::create_directories(at("small"));
  if (::mount("tmpfs", at("small").c_str(), "tmpfs", 0, "size=512k") != 0) {
    GTEST_SKIP() << "a small file system can't be mounted here: " << std::strerror(errno);
  }
  {
    auto sink = this->sink("append", {}, "small/w.db");
    recover(*sink);
    const Receipt first = commit(*sink, 0, {{1, "a"}});
    auto committer = sink->committer().value();
    const auto segments = encode(*sink, page_of({{2, std::string(1 << 20, 'x')}}));
    auto applied = committer->apply(1, segments, "r1");
    Error error = applied ? committer->commit().error() : applied.error();
    EXPECT_EQ(error.kind, ErrorKind::failed);
    EXPECT_NE(error.message.find("the disk is full"), std::string::npos) << error.message;
    committer.reset();
    sink.reset();
    ASSERT_EQ(::mount("tmpfs", at("small").c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
    auto again = this->sink("append", {}, "small/w.db");
    EXPECT_EQ(recover(*again, {first}), std::vector<Receipt>{first});
    commit(*again, 1, {{2, std::string(1 << 20, 'x')}});
    EXPECT_EQ(database("small/w.db")->query_integer("SELECT count(*) FROM t").value(), 2);
  }
  ::umount(at("small").c_str());
}

// A value of each type as SQL literal text of what the table then holds.
struct TypeCase {
  Type type;
  std::string text;
  std::string stored;  // typeof and value
};

TEST_F(SqliteCommit, KeepsValuesOfEveryTypeExactly) {
  const std::vector<TypeCase> cases = {
      {Type{TypeId::boolean}, "true", "integer 1"},
      {Type{TypeId::tinyint}, "-128", "integer -128"},
      {Type{TypeId::usmallint}, "65535", "integer 65535"},
      {Type{TypeId::bigint}, "-9223372036854775808", "integer -9223372036854775808"},
      {Type{TypeId::hugeint}, "9223372036854775807", "integer 9223372036854775807"},
      {Type{TypeId::ubigint}, "9223372036854775807", "integer 9223372036854775807"},
      {Type{TypeId::double_}, "0.1", "real 0.1"},
      {decimal_type(12, 2), "12.30", "text 12.30"},
      {decimal_type(38, 10), "-1234567890123456789012345678.0000000001",
       "text -1234567890123456789012345678.0000000001"},
      {decimal_type(9, 0), "123", "integer 123"},
      {Type{TypeId::date}, "2026-01-31", "text 2026-01-31"},
      {Type{TypeId::time}, "12:34:56", "text 12:34:56"},
      {Type{TypeId::varchar}, "007", "text 007"},
      {Type{TypeId::uuid}, "0123abcd-0000-4000-8000-00000000000f",
       "text 0123abcd-0000-4000-8000-00000000000f"},
  };
  Schema columns;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    columns.fields.push_back(Field{"c" + std::to_string(i), cases[i].type});
  }
  const auto shared = std::make_shared<const Schema>(columns);
  Page page(shared);
  page.set_rows(1);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    ASSERT_EQ(parse_value(cases[i].type, cases[i].text, page.column(i).bytes(), page.arena),
              ParseStatus::ok)
        << cases[i].text;
  }
  auto sink = this->sink("append");
  ASSERT_TRUE(sink->recover(run_, shared, {}));
  auto committer = sink->committer().value();
  ASSERT_TRUE(committer->apply(0, encode(*sink, page), "r"));
  ASSERT_TRUE(committer->commit());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::string column = "c" + std::to_string(i);
    EXPECT_EQ(texts("SELECT typeof(" + column + ") || ' ' || " + column + " FROM t"),
              cases[i].stored);
  }
  EXPECT_TRUE(sink->examine(shared)) << "a table that it created suits it";
}

TEST_F(SqliteCommit, RefusesValuesThatSqliteWouldChange) {
  const auto shared = std::make_shared<const Schema>(
      Schema{{Field{"d", Type{TypeId::double_}}, Field{"u", Type{TypeId::ubigint}}}});
  Page page(shared);
  page.set_rows(3);
  auto* doubles = page.column(0).values<double>();
  auto* naturals = page.column(1).values<std::uint64_t>();
  doubles[0] = std::nan("");
  doubles[1] = 1;
  doubles[2] = std::numeric_limits<double>::infinity();
  naturals[0] = naturals[2] = 1;
  naturals[1] = UINT64_MAX;
  auto sink = this->sink("append");
  ASSERT_TRUE(sink->recover(run_, shared, {}));
  auto committer = sink->committer().value();
  const auto applied = committer->apply(0, encode(*sink, page), "r");
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->rows, 1U);
  ASSERT_EQ(applied->rejects.size(), 2U);
  EXPECT_EQ(applied->rejects[0].error, "Column \"d\" is NaN, which SQLite can't store.");
  EXPECT_EQ(applied->rejects[1].error,
            "Column \"u\" is 18446744073709551615, beyond the 64 bits of SQLite's integers.");
}

}  // namespace
}  // namespace tranche
