#include <chrono>
#include <thread>

#include <fmt/format.h>

#include <tranche/core/value.h>
#include "connectors/postgres_fixture.h"

namespace tranche {
namespace {

using PostgresCommit = PostgresSinkTest;
using PostgresRefused = PostgresSinkTest;

TEST_F(PostgresCommit, ShowsRowsOnlyOnceTheirGroupIsCommitted) {
  auto sink = this->sink("append");
  recover(*sink);
  auto committer = sink->committer().value();
  const auto applied =
      committer->apply(0, encode(*sink, page_of({{1, "a"}, {2, std::nullopt}})), "r0");
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(applied->rows, 2U);
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), 0);
  const auto receipt = committer->commit().value();
  EXPECT_EQ(receipt.rows, 2U);
  EXPECT_EQ(receipt.reject_id, "r0");
  EXPECT_EQ(scene_.texts("SELECT id, name FROM t ORDER BY id"), "1|a,2|null");
  EXPECT_EQ(scene_.texts("SELECT batch, rows, reject_id FROM tranche_commits"), "0|2|r0");
}

TEST_F(PostgresCommit, LeavesNothingOfAGroupThatIsRolledBack) {
  auto sink = this->sink("append");
  recover(*sink);
  auto committer = sink->committer().value();
  ASSERT_TRUE(committer->apply(0, encode(*sink, page_of({{1, "a"}})), "r0"));
  committer->rollback();
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), 0);
  EXPECT_FALSE(sink->find_receipt(0).value());
  const Receipt receipt = commit(*sink, 0, {{1, "a"}});
  EXPECT_EQ(sink->find_receipt(0).value(), receipt);
}

TEST_F(PostgresCommit, CommitsAGroupWithoutARow) {
  auto sink = this->sink("append");
  recover(*sink);
  auto committer = sink->committer().value();
  EXPECT_EQ(committer->apply(0, {}, "r0")->rows, 0U);
  EXPECT_EQ(committer->commit()->rows, 0U);
  EXPECT_EQ(scene_.number("SELECT count(*) FROM tranche_commits"), 1);
}

TEST_F(PostgresCommit, TellsAfterARestartWhichGroupsTheTargetHas) {
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
  const auto receipts = recover(*again, {first});
  ASSERT_EQ(receipts.size(), 2U);
  EXPECT_EQ(receipts[0], first);
  EXPECT_EQ(receipts[1].group, 1U);
  commit(*again, 2, {{3, "c"}});
  EXPECT_EQ(scene_.texts("SELECT id FROM t ORDER BY id"), "1,2,3");
}

TEST_F(PostgresCommit, CommitsAGroupOnceThoughItIsAppliedTwice) {
  auto sink = this->sink("append");
  recover(*sink);
  const Receipt first = commit(*sink, 0, {{1, "a"}});
  EXPECT_EQ(commit(*sink, 0, {{1, "a"}}), first);
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), 1);
  auto committer = sink->committer().value();
  const auto other = committer->apply(0, encode(*sink, page_of({{1, "b"}})), "r0");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::failed);
}

TEST_F(PostgresCommit, GivesEqualRowsEqualDigestsAndOthersOthers) {
  auto sink = this->sink("append");
  recover(*sink);
  const auto a = commit(*sink, 0, {{1, "a"}});
  EXPECT_EQ(a.checksum, commit(*sink, 1, {{1, "a"}}).checksum);
  EXPECT_NE(a.checksum, commit(*sink, 2, {{1, "b"}}).checksum);
}

TEST_F(PostgresCommit, GoesOnWithANewConnectionWhenOneIsLostBeforeTheCommit) {
  auto sink = this->sink("append");
  recover(*sink);
  auto committer = sink->committer().value();
  const auto segments = encode(*sink, page_of({{1, "a"}}));
  ASSERT_TRUE(committer->apply(0, segments, "r0"));
  cut_connections();
  const auto lost = committer->commit();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, ErrorKind::in_doubt);
  EXPECT_FALSE(sink->find_receipt(0).value());
  committer->rollback();
  cut_connections();
  ASSERT_TRUE(committer->apply(0, segments, "r1"));
  EXPECT_EQ(committer->commit()->reject_id, "r1");
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), 1);
}

TEST_F(PostgresCommit, CallsAConnectionThatIsLostBetweenGroupsTransient) {
  auto sink = this->sink("append");
  recover(*sink);
  auto committer = sink->committer().value();
  ASSERT_TRUE(committer->apply(0, encode(*sink, page_of({{1, "a"}})), "r0"));
  ASSERT_TRUE(committer->commit());
  cut_connections();
  const auto segments = encode(*sink, page_of({{2, "b"}}));
  const auto lost = committer->apply(1, segments, "r1");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, ErrorKind::transient) << lost.error().message;
  ASSERT_TRUE(committer->apply(1, segments, "r2"));
  ASSERT_TRUE(committer->commit());
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), 2);
}

TEST_F(PostgresCommit, CallsALockThatSomebodyHoldsTransient) {
  auto sink = this->sink("append");
  recover(*sink);
  auto committer = sink->committer().value();
  const auto segments = encode(*sink, page_of({{1, "a"}}));
  scene_.must("BEGIN; LOCK TABLE t");
  const auto refused = committer->apply(0, segments, "r0");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::transient);
  committer->rollback();
  scene_.must("ROLLBACK");
  ASSERT_TRUE(committer->apply(0, segments, "r1"));
  ASSERT_TRUE(committer->commit());
}

// Else whoever waits for a lock that the group ahead holds keeps the group before it waiting, which
// has to be committed first.
TEST_F(PostgresCommit, AGroupAheadHoldsNoLockThatTheGroupBeforeItHasYetToTake) {
  auto sink = this->sink("append");
  recover(*sink);
  auto committer = sink->committer().value();
  ASSERT_TRUE(committer->works_ahead());
  const auto segments = encode(*sink, page_of({{1, "a"}}));
  const auto ahead = encode(*sink, page_of({{2, "b"}}));
  const std::string take_locks =
      "BEGIN; LOCK TABLE tranche_commits, t IN EXCLUSIVE MODE NOWAIT; ROLLBACK";
  committer->begin_ahead(1, ahead, "r1");
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // time to do it wrong
  scene_.must(take_locks);
  ASSERT_TRUE(committer->apply(0, segments, "r0"));
  committer->rollback();
  scene_.must(take_locks);
  committer->begin_ahead(1, ahead, "r1");
  ASSERT_TRUE(committer->apply(0, segments, "r0 again"));
  ASSERT_TRUE(committer->commit());
  ASSERT_TRUE(committer->apply(1, ahead, "r1"));
  ASSERT_TRUE(committer->commit());
  EXPECT_EQ(scene_.texts("SELECT id FROM t ORDER BY id"), "1,2");
}

TEST_F(PostgresCommit, KeepsWhatIsCommittedWhenTheTableIsDroppedOnTheWay) {
  auto sink = this->sink("append");
  recover(*sink);
  auto committer = sink->committer().value();
  scene_.must("DROP TABLE t");
  const auto refused = committer->apply(0, encode(*sink, page_of({{1, "a"}})), "r0");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::failed);
  expect_contains(refused.error().message, "42P01");
}

TEST_F(PostgresRefused, RowsBecomeRejectsAndTheirNeighboursGoIn) {
  scene_.must("CREATE TABLE t (id bigint UNIQUE, name text NOT NULL CHECK (name <> 'bad'))");
  auto sink = this->sink("append");
  recover(*sink);
  const auto [applied, receipt] = commit_page(
      *sink, 0, page_of({{1, "a"}, {1, "again"}, {2, std::nullopt}, {3, "bad"}, {4, "d"}}, 100));
  EXPECT_EQ(applied.rows, 2U);
  ASSERT_EQ(applied.rejects.size(), 3U);
  const Reject& duplicate = applied.rejects[0];
  EXPECT_EQ(duplicate.phase, "write");
  EXPECT_EQ(duplicate.error,
            "PostgreSQL refused the row (23505): duplicate key value violates unique constraint "
            "\"t_id_key\": Key (id)=(1) already exists.");
  EXPECT_EQ(duplicate.record, 101U);
  EXPECT_EQ(duplicate.source, "in.csv");
  EXPECT_EQ(duplicate.line, 3U);
  EXPECT_EQ(duplicate.offset, 10U);
  EXPECT_EQ(duplicate.raw, R"({"id":1,"name":"again"})");
  expect_contains(applied.rejects[1].error, "(23502)");
  expect_contains(applied.rejects[2].error, "(23514)");
  EXPECT_EQ(receipt.rows, 2U);
  EXPECT_EQ(scene_.number("SELECT rows FROM tranche_commits"), 2);
  EXPECT_EQ(scene_.texts("SELECT id FROM t ORDER BY id"), "1,4");
}

TEST_F(PostgresRefused, RowsAreFoundWhateverRefusesThem) {
  struct Case {
    const char* tables;
    const char* sqlstate;  // of the row {2, "b"}
  };
  const Case cases[] = {
      {"CREATE TABLE t (id bigint, name varchar(1) CHECK (name <> 'b'))", "23514"},
      {"CREATE DOMAIN letter AS text CHECK (VALUE <> 'b'); CREATE TABLE t (id bigint, name letter)",
       "23514"},
      {"CREATE TYPE known AS ENUM ('a', 'c', 'd'); CREATE TABLE t (id bigint, name known)",
       "22P02"},
      {"CREATE TABLE p (name text PRIMARY KEY); INSERT INTO p VALUES ('a'), ('c'), ('d'); CREATE "
       "TABLE t (id bigint, name text REFERENCES p)",
       "23503"},
      {"CREATE TABLE p (name text PRIMARY KEY); INSERT INTO p VALUES ('a'), ('c'), ('d'); CREATE "
       "TABLE t (id bigint, name text REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
       "23503"},
      {"CREATE TABLE t (id bigint, name text, EXCLUDE USING btree (name WITH =)); INSERT INTO t "
       "VALUES (0, 'b')",
       "23P01"},
      {"CREATE TABLE t (id bigint, name text); CREATE FUNCTION f() RETURNS trigger LANGUAGE "
       "plpgsql "
       "AS $$ BEGIN IF new.name = 'b' THEN RAISE 'no b'; END IF; RETURN new; END $$; CREATE "
       "TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
       "P0001"},
      {"CREATE TABLE t (id bigint, name text); CREATE FUNCTION f() RETURNS trigger LANGUAGE "
       "plpgsql "
       "AS $$ BEGIN IF new.name = 'b' THEN RAISE 'no b' USING ERRCODE = 'A0001'; END IF; RETURN "
       "NULL; END $$; CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
       "A0001"},
      {"CREATE TABLE t (id bigint, name text) PARTITION BY LIST (name); CREATE TABLE t1 PARTITION "
       "OF t FOR VALUES IN ('a', 'c', 'd')",
       "23514"},
      {"CREATE TABLE t (id bigint, name text, twice bigint GENERATED ALWAYS AS (4 / (2 - id)) "
       "STORED)",
       "22012"},
  };
  for (const std::string mode : {"append", "upsert"}) {
    for (const Case& one : cases) {
      SCOPED_TRACE(mode + ": " + one.tables);
      scene_.must(fmt::format("DROP SCHEMA {0} CASCADE; CREATE SCHEMA {0}", scene_.schema()));
      scene_.must(one.tables);
      const bool has_index =
          scene_.connection().execute("CREATE UNIQUE INDEX ON t (id)").has_value();
      if (mode == "upsert" && !has_index) continue;  // a partitioned one has no such key
      auto sink = this->sink(
          mode, mode == "upsert" ? std::vector<std::string>{"id"} : std::vector<std::string>{});
      recover(*sink);
      const auto [applied, receipt] =
          commit_page(*sink, 0, page_of({{1, "a"}, {2, "b"}, {3, "c"}, {4, "d"}}));
      ASSERT_EQ(applied.rejects.size(), 1U);
      expect_contains(applied.rejects[0].error,
                      fmt::format("refused the row ({}): ", one.sqlstate));
      EXPECT_EQ(applied.rejects[0].record, 1U);
      EXPECT_EQ(applied.rejects[0].raw, R"({"id":2,"name":"b"})");
      EXPECT_EQ(receipt.rows, 3U);
      EXPECT_EQ(scene_.texts("SELECT id FROM t WHERE id > 0 ORDER BY id"), "1,3,4");
    }
  }
}

TEST_F(PostgresRefused, TextWithANulByteIsOne) {
  auto sink = this->sink("append");
  recover(*sink);
  const auto [applied, receipt] =
      commit_page(*sink, 0, page_of({{1, "a"}, {2, std::string("\0b", 2)}, {3, "c"}}));
  ASSERT_EQ(applied.rejects.size(), 1U);
  expect_contains(applied.rejects[0].error, "(22021)");
  EXPECT_EQ(applied.rejects[0].raw, "{\"id\":2,\"name\":\"\\u0000b\"}");
  EXPECT_EQ(receipt.rows, 2U);
}

TEST_F(PostgresRefused, ATriggerThatIgnoresARowIsNoSilence) {
  scene_.must(
      "CREATE TABLE t (id bigint, name text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql "
      "AS $$ BEGIN IF new.id = 2 THEN RETURN NULL; END IF; RETURN new; END $$; CREATE TRIGGER x "
      "BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()");
  auto sink = this->sink("append");
  recover(*sink);
  const auto [applied, receipt] = commit_page(*sink, 0, page_of({{1, "a"}, {2, "b"}, {3, "c"}}));
  ASSERT_EQ(applied.rejects.size(), 1U);
  EXPECT_EQ(applied.rejects[0].error, "A trigger of the table ignored the row.");
  EXPECT_EQ(scene_.texts("SELECT id FROM t ORDER BY id"), "1,3");
}

TEST_F(PostgresRefused, ManyOfThemInManyRowsGroupAfterGroup) {
  scene_.must("CREATE TABLE t (id bigint CHECK (id % 97 <> 5), name text)");
  auto sink = this->sink("append");
  recover(*sink);
  std::uint64_t rejects = 0;
  for (std::uint64_t group = 0; group < 3; ++group) {
    std::vector<Row> rows;
    for (std::int64_t i = 0; i < 5000; ++i) {
      rows.push_back({static_cast<std::int64_t>(group) * 5000 + i, "name"});
    }
    const auto [applied, receipt] = commit_page(*sink, group, page_of(rows));
    EXPECT_EQ(applied.rows + applied.rejects.size(), 5000U);
    for (const Reject& reject : applied.rejects) {
      EXPECT_EQ((group * 5000 + reject.record) % 97, 5U);
    }
    rejects += applied.rejects.size();
  }
  EXPECT_EQ(rejects, 155U);
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), 15000 - 155);
}

TEST_F(PostgresRefused, RowsHaveTheOthersOfAnUpsertMergedOnce) {
  scene_.must(
      "CREATE TABLE t (id bigint PRIMARY KEY CHECK (id % 100 <> 99), name text); CREATE FUNCTION "
      "f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.name = 'updated'; RETURN new; END $$; "
      "CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()");
  auto sink = this->sink("upsert", {"id"});
  recover(*sink);
  std::vector<Row> rows;
  for (std::int64_t i = 0; i < 500; ++i) rows.push_back({i, "inserted"});
  const auto [applied, receipt] = commit_page(*sink, 0, page_of(rows));
  EXPECT_EQ(applied.rejects.size(), 5U);
  EXPECT_EQ(receipt.rows, 495U);
  EXPECT_EQ(scene_.texts("SELECT name, count(*) FROM t GROUP BY name"), "inserted|495");
}

TEST_F(PostgresRefused, EveryRowMayBeOne) {
  scene_.must("CREATE TABLE t (id bigint CHECK (id < 0), name text)");
  auto sink = this->sink("append");
  recover(*sink);
  const auto [applied, receipt] = commit_page(*sink, 0, page_of({{1, "a"}, {2, "b"}, {3, "c"}}));
  EXPECT_EQ(applied.rejects.size(), 3U);
  EXPECT_EQ(receipt.rows, 0U);
}

TEST_F(PostgresRefused, NumbersBeyondTheColumnAreFoundByTheEncoder) {
  scene_.must("CREATE TABLE t (id smallint, name text)");
  auto sink = this->sink("append");
  recover(*sink);
  const auto [applied, receipt] =
      commit_page(*sink, 0, page_of({{1, "a"}, {40000, "b"}, {3, "c"}}, 7));
  ASSERT_EQ(applied.rejects.size(), 1U);
  EXPECT_EQ(applied.rejects[0].error,
            "Column \"id\" is 40000, beyond what its type in the table holds.");
  EXPECT_EQ(applied.rejects[0].record, 8U);
  EXPECT_EQ(applied.rejects[0].line, 3U);
  EXPECT_EQ(applied.rejects[0].raw, R"({"id":40000,"name":"b"})");
  EXPECT_EQ(scene_.texts("SELECT id FROM t ORDER BY id"), "1,3");
}

TEST_F(PostgresCommit, UpdatesRowsOfTheSameKeyTheLastOneWins) {
  auto sink = this->sink("upsert", {"id"});
  recover(*sink);
  EXPECT_FALSE(sink->appends());
  EXPECT_EQ(commit(*sink, 0, {{1, "a"}, {2, "b"}, {1, "c"}}).rows, 3U);
  EXPECT_EQ(commit(*sink, 1, {{2, "d"}, {3, "e"}}).rows, 2U);
  EXPECT_EQ(scene_.texts("SELECT id, name FROM t ORDER BY id"), "1|c,2|d,3|e");
  const auto [applied, receipt] = commit_page(*sink, 2, page_of({{std::nullopt, "x"}, {4, "y"}}));
  ASSERT_EQ(applied.rejects.size(), 1U);
  EXPECT_EQ(applied.rejects[0].error, "Column \"id\" is part of the key and is null.");
  EXPECT_EQ(receipt.rows, 1U);
}

TEST_F(PostgresCommit, LetsTheLastRecordOfAKeyWinAmongThousands) {
  auto sink = this->sink("upsert", {"id"});
  recover(*sink);
  std::vector<Row> rows;
  // Long and short rows in turn: a heap puts short ones where long ones left room.
  for (int i = 0; i < 6000; ++i) {
    rows.push_back({i % 1000, fmt::format("{}{}", i / 1000, std::string(i * 37 % 900, 'x'))});
  }
  commit(*sink, 0, rows);
  EXPECT_EQ(scene_.texts("SELECT count(*), count(*) FILTER (WHERE name LIKE '5%') FROM t"),
            "1000|1000");
}

TEST_F(PostgresCommit, KeepsRowsWhoseColumnsAreAllKey) {
  auto sink = this->sink("upsert", {"id", "name"});
  recover(*sink);
  EXPECT_EQ(commit(*sink, 0, {{1, "a"}, {1, "a"}}).rows, 2U);
  EXPECT_EQ(commit(*sink, 1, {{1, "a"}}).rows, 1U);
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), 1);
}

TEST_F(PostgresCommit, WritesTablesWhoseNamesNeedQuotes) {
  auto sink = this->sink("append", {}, scene_.schema() + ".\"My \"\"odd\"\" ta.ble\"");
  recover(*sink);
  seal(*sink, {commit(*sink, 0, {{1, "a"}})});
  EXPECT_EQ(scene_.number("SELECT count(*) FROM \"My \"\"odd\"\" ta.ble\""), 1);
}

}  // namespace
}  // namespace tranche
