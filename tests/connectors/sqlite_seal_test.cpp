#include "connectors/sqlite_fixture.h"

namespace tranche {
namespace {

using SqliteSeal = SqliteSinkTest;
using SqliteExamine = SqliteSinkTest;

constexpr const char* staging = "t__tranche_01234567";

TEST_F(SqliteSeal, ReplacesATableOnlyAtTheSeal) {
  execute("CREATE TABLE t (id INTEGER, name TEXT); INSERT INTO t VALUES (9, 'old')");
  auto sink = this->sink("replace");
  ASSERT_TRUE(sink->examine(schema()));
  recover(*sink);
  EXPECT_FALSE(sink->appends());
  const std::vector<Receipt> committed = {commit(*sink, 0, {{1, "a"}}),
                                          commit(*sink, 1, {{2, "b"}})};
  EXPECT_EQ(texts("SELECT name FROM t"), "old");
  const std::string intent = seal(*sink, committed);
  EXPECT_EQ(texts("SELECT name FROM t ORDER BY id"), "a,b");
  EXPECT_EQ(texts("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"),
            "t,tranche_commits");
  EXPECT_TRUE(sink->verify(run_, intent, committed)->empty());
}

TEST_F(SqliteSeal, CreatesTheTableThatIsReplacedWhenItIsMissing) {
  auto sink = this->sink("replace");
  recover(*sink);
  seal(*sink, {commit(*sink, 0, {{1, "a"}})});
  EXPECT_EQ(texts("SELECT name FROM t"), "a");
}

TEST_F(SqliteSeal, ReplacesByAnEmptyTableWhenThereIsNoRecord) {
  execute("CREATE TABLE t (id INTEGER, name TEXT); INSERT INTO t VALUES (9, 'old')");
  auto sink = this->sink("replace");
  recover(*sink);
  seal(*sink, {});
  EXPECT_EQ(number("SELECT count(*) FROM t"), 0);
}

TEST_F(SqliteSeal, RollsForwardByANewObjectThatKnowsOnlyTheIntent) {
  std::string intent;
  {
    auto sink = this->sink("replace");
    recover(*sink);
    intent = sink->plan_seal(std::vector<Receipt>{commit(*sink, 0, {{1, "a"}})}).value();
  }
  ASSERT_TRUE(this->sink("replace")->seal(intent));
  ASSERT_TRUE(this->sink("replace")->seal(intent));  // a crash after it, before it was recorded
  EXPECT_EQ(texts("SELECT name FROM t"), "a");
  EXPECT_EQ(number("SELECT count(*) FROM tranche_commits WHERE batch = -1"), 1);
}

TEST_F(SqliteSeal, KeepsWhatDependsOnTheTableThatIsReplaced) {
  execute(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, note TEXT DEFAULT 'n');"
      "CREATE UNIQUE INDEX by_name ON t (name);"
      "CREATE VIEW v AS SELECT name FROM t;"
      "INSERT INTO t VALUES (9, 'old', 'x')");
  auto sink = this->sink("replace");
  recover(*sink);
  auto committer = sink->committer().value();
  const auto applied =
      committer->apply(0, encode(*sink, page_of({{2, "b"}, {1, "a"}, {3, "a"}})), "r0");
  ASSERT_TRUE(applied);
  ASSERT_EQ(applied->rejects.size(), 1U) << "a unique index refuses rows while they are loaded";
  EXPECT_EQ(applied->rejects[0].error, "SQLite refused the row: UNIQUE constraint failed: t.name.");
  const auto receipt = committer->commit().value();
  committer.reset();
  seal(*sink, {receipt});
  EXPECT_EQ(texts("SELECT name FROM v ORDER BY name"), "a,b");
  EXPECT_EQ(texts("SELECT note FROM t"), "n,n");
  EXPECT_EQ(texts("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"),
            "by_name");
  EXPECT_EQ(
      number("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%tranche\\_0%' ESCAPE '\\'"), 0);
}

TEST_F(SqliteSeal, RefusesATriggerThatIgnoresRowsOfAReplacement) {
  for (const char* trigger :
       {"BEFORE INSERT ON t WHEN new.id = 2 BEGIN SELECT RAISE(IGNORE); END",
        "BEFORE DELETE ON t WHEN old.id = 9 BEGIN SELECT RAISE(IGNORE); END"}) {
    execute(std::string("DROP TABLE IF EXISTS t; DROP TABLE IF EXISTS tranche_commits;"
                        "CREATE TABLE t (id INTEGER, name TEXT);"
                        "INSERT INTO t VALUES (9, 'old'); CREATE TRIGGER ignores ") +
            trigger);
    auto sink = this->sink("replace");
    recover(*sink);
    const auto receipt = commit(*sink, 0, {{1, "a"}, {2, "b"}});
    const auto sealed = sink->seal(sink->plan_seal({&receipt, 1}).value());
    ASSERT_FALSE(sealed) << trigger;
    EXPECT_EQ(sealed.error().kind, ErrorKind::failed);
    EXPECT_NE(sealed.error().message.find("trigger"), std::string::npos) << sealed.error().message;
    EXPECT_EQ(texts("SELECT name FROM t"), "old");
    ASSERT_TRUE(sink->discard(run_, {&receipt, 1}, false));
  }
}

TEST_F(SqliteSeal, DoesNotCascadeIntoOtherTablesAndRefusesToOrphanTheirRows) {
  execute(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);"
      "CREATE TABLE child (t INTEGER REFERENCES t (id) ON DELETE CASCADE);"
      "INSERT INTO t VALUES (1, 'old'), (2, 'old'); INSERT INTO child VALUES (1)");
  {
    auto sink = this->sink("replace");
    recover(*sink);
    const auto intent = sink->plan_seal(std::vector<Receipt>{commit(*sink, 0, {{2, "b"}})}).value();
    const auto refused = sink->seal(intent);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("1 rows of other tables"), std::string::npos);
    EXPECT_EQ(texts("SELECT name FROM t"), "old,old");
    ASSERT_TRUE(sink->discard(run_, {}, false));
  }
  auto sink = this->sink("replace");
  recover(*sink);
  seal(*sink, {commit(*sink, 0, {{1, "a"}, {2, "b"}})});
  EXPECT_EQ(texts("SELECT name FROM t ORDER BY id"), "a,b");
  EXPECT_EQ(number("SELECT count(*) FROM child"), 1);
}

TEST_F(SqliteSeal, LoadsAStagingTableAgainThatWasDropped) {
  {
    auto sink = this->sink("replace");
    recover(*sink);
    commit(*sink, 0, {{1, "a"}});
  }
  execute(std::string("DROP TABLE ") + staging);
  auto again = this->sink("replace");
  EXPECT_TRUE(recover(*again).empty());
  seal(*again, {commit(*again, 0, {{1, "a"}})});
  EXPECT_EQ(number("SELECT count(*) FROM t"), 1);
}

TEST_F(SqliteSeal, FindsRowsThatSomebodyTookOutOfTheStagingTable) {
  auto sink = this->sink("replace");
  recover(*sink);
  const auto intent =
      sink->plan_seal(std::vector<Receipt>{commit(*sink, 0, {{1, "a"}, {2, "b"}})}).value();
  execute(std::string("DELETE FROM ") + staging + " WHERE id = 1");
  const auto refused = sink->seal(intent);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("changed from outside"), std::string::npos);
}

TEST_F(SqliteSeal, TakesBackAReplacementThatIsNotSealed) {
  execute("CREATE TABLE t (id INTEGER, name TEXT); INSERT INTO t VALUES (9, 'old')");
  auto sink = this->sink("replace");
  recover(*sink);
  const auto receipt = commit(*sink, 0, {{1, "a"}});
  ASSERT_TRUE(sink->discard(run_, std::vector<Receipt>{receipt}, false));
  EXPECT_EQ(texts("SELECT name FROM t"), "old");
  EXPECT_EQ(number("SELECT count(*) FROM tranche_commits"), 0);
  EXPECT_EQ(number("SELECT count(*) FROM sqlite_schema WHERE name LIKE 't\\_\\_%' ESCAPE '\\'"), 0);
}

TEST_F(SqliteSeal, TakesCommittedRowsOfATableBackOnlyByLeavingThem) {
  auto sink = this->sink("append");
  recover(*sink);
  const std::vector<Receipt> committed = {commit(*sink, 0, {{1, "a"}})};
  const auto refused = sink->discard(run_, committed, false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::config);
  ASSERT_TRUE(sink->discard(run_, committed, true));
  EXPECT_EQ(number("SELECT count(*) FROM t"), 1);
  EXPECT_TRUE(this->sink("append", {}, "none.db")->discard(run_, {}, false));
  EXPECT_FALSE(fs::exists(at("none.db")));
}

TEST_F(SqliteSeal, RefusesATargetThatLostItsRecordOfCommits) {
  auto sink = this->sink("append");
  recover(*sink);
  const std::vector<Receipt> committed = {commit(*sink, 0, {{1, "a"}})};
  sink.reset();
  execute("DROP TABLE tranche_commits");
  const auto recovered = this->sink("append")->recover(run_, schema(), committed);
  ASSERT_FALSE(recovered);
  EXPECT_NE(recovered.error().message.find("lost its record of commits"), std::string::npos);
}

TEST_F(SqliteSeal, RefusesToGoOnWithATableThatWasDropped) {
  auto sink = this->sink("append");
  recover(*sink);
  const std::vector<Receipt> committed = {commit(*sink, 0, {{1, "a"}})};
  sink.reset();
  execute("DROP TABLE t");
  const auto recovered = this->sink("append")->recover(run_, schema(), committed);
  ASSERT_FALSE(recovered);
  EXPECT_NE(recovered.error().message.find("is gone"), std::string::npos);
}

TEST_F(SqliteSeal, NamesEveryDifferenceThatItFindsLater) {
  auto sink = this->sink("replace");
  recover(*sink);
  const std::vector<Receipt> committed = {commit(*sink, 0, {{1, "a"}}),
                                          commit(*sink, 1, {{2, "b"}})};
  const std::string intent = seal(*sink, committed);
  execute(
      "DELETE FROM t WHERE id = 2; DELETE FROM tranche_commits WHERE batch = 0;"
      "UPDATE tranche_commits SET digest = 'ff' WHERE batch = 1");
  const auto differences = sink->verify(run_, intent, committed).value();
  ASSERT_EQ(differences.size(), 3U);
  EXPECT_NE(differences[0].find("Batch 0 is not in"), std::string::npos);
  EXPECT_NE(differences[1].find("Batch 1"), std::string::npos);
  EXPECT_NE(differences[2].find("has 1 rows; the run left 2"), std::string::npos);
}

TEST_F(SqliteSeal, LeavesTheJournalModeOfADatabaseAlone) {
  execute("PRAGMA journal_mode = WAL; CREATE TABLE x (a)");
  auto sink = this->sink("append");
  recover(*sink);
  seal(*sink, {commit(*sink, 0, {{1, "a"}})});
  EXPECT_EQ(texts("PRAGMA journal_mode"), "wal");
}

TEST_F(SqliteExamine, NamesTheColumnThatTheTableLacks) {
  execute("CREATE TABLE t (id INTEGER)");
  const auto examined = sink("append")->examine(schema());
  ASSERT_FALSE(examined);
  EXPECT_EQ(examined.error().kind, ErrorKind::config);
  EXPECT_EQ(examined.error().message,
            "Table t of " + at("w.db").string() +
                " has another shape: it has no column \"name\". The table is (id INTEGER); the "
                "records are (id bigint, name varchar).");
}

TEST_F(SqliteExamine, RefusesColumnsThatWouldChangeValues) {
  for (const std::string shape :
       {"id TEXT, name TEXT", "id REAL, name TEXT", "id INTEGER, name NUMERIC",
        "id INTEGER, name TEXT AS (id)", "id INTEGER, name TEXT, more TEXT NOT NULL"}) {
    execute("DROP TABLE IF EXISTS t; CREATE TABLE t (" + shape + ")");
    const auto examined = sink("append")->examine(schema());
    ASSERT_FALSE(examined) << shape;
    EXPECT_EQ(examined.error().kind, ErrorKind::config);
    EXPECT_NE(examined.error().message.find("has another shape"), std::string::npos);
  }
}

TEST_F(SqliteExamine, TakesTablesThatKeepValuesAsTheyAre) {
  for (const std::string shape :
       {"id BIGINT, name VARCHAR(20)", "ID int, NAME clob", "id, name",
        "k INTEGER PRIMARY KEY, id INTEGER, name TEXT",
        "id INTEGER, name TEXT, at TEXT NOT NULL DEFAULT 'x', twice AS (id * 2)"}) {
    execute("DROP TABLE IF EXISTS t; CREATE TABLE t (" + shape + ")");
    EXPECT_EQ(problem(sink("append")->examine(schema())), "none") << shape;
  }
  execute("DROP TABLE t; CREATE TABLE t (id INTEGER, name ANY) STRICT");
  EXPECT_EQ(problem(sink("append")->examine(schema())), "none");
}

TEST_F(SqliteExamine, RefusesViewsAndFilesThatAreNoDatabase) {
  execute("CREATE VIEW t AS SELECT 1 AS id, 'a' AS name");
  EXPECT_NE(problem(sink("append")->examine(schema())).find("is a view"), std::string::npos);
  put("notes.txt", std::string(4096, 'x'));
  const auto examined = sink("append", {}, "notes.txt")->examine(schema());
  ASSERT_FALSE(examined);
  EXPECT_EQ(examined.error().kind, ErrorKind::config);
  EXPECT_NE(examined.error().message.find("is not a SQLite database"), std::string::npos);
  fs::create_directories(at("folder"));
  EXPECT_NE(problem(sink("append", {}, "folder")->examine(schema())).find("is a folder"),
            std::string::npos);
  EXPECT_NE(problem(sink("append", {}, "notes.txt/w.db")->examine(schema())).find("Can't create"),
            std::string::npos);
}

TEST_F(SqliteExamine, NeedsAUniqueIndexForAnUpsert) {
  execute("CREATE TABLE t (id INTEGER, name TEXT)");
  EXPECT_NE(problem(sink("upsert", {"id"})->examine(schema())).find("no unique index"),
            std::string::npos);
  execute("CREATE UNIQUE INDEX i ON t (id)");
  EXPECT_EQ(problem(sink("upsert", {"id"})->examine(schema())), "none");
  EXPECT_EQ(problem(sink("upsert", {"ID"})->examine(schema())), "none");
  EXPECT_NE(problem(sink("upsert", {"key"})->examine(schema())).find("key names column \"key\""),
            std::string::npos);
}

TEST_F(SqliteExamine, RefusesOptionsThatContradictEachOther) {
  EXPECT_EQ(try_sink("upsert", {}, "w.db").error().kind, ErrorKind::config);
  EXPECT_EQ(try_sink("append", {"id"}, "w.db").error().kind, ErrorKind::config);
  EXPECT_EQ(try_sink("append", {}, "w.db", "sqlite_x").error().kind, ErrorKind::config);
  EXPECT_EQ(try_sink("append", {}, "w.db", "Tranche_Commits").error().kind, ErrorKind::config);
}

TEST_F(SqliteExamine, ClaimsTheTableOfTheDatabaseByItsAbsolutePath) {
  EXPECT_EQ(sink("append", {}, "./x/../w.db")->targets(),
            std::vector<std::string>{"sqlite:" + at("w.db").string() + ":t"});
}

}  // namespace
}  // namespace tranche
