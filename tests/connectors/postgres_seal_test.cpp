#include <fmt/format.h>

#include "connectors/postgres_fixture.h"

namespace tranche {
namespace {

using PostgresSeal = PostgresSinkTest;
using PostgresExamine = PostgresSinkTest;

constexpr const char* staging = "t__tranche_01234567";

TEST_F(PostgresSeal, ReplacesATableOnlyAtTheSeal) {
  scene_.must(
      "CREATE TABLE t (id bigint PRIMARY KEY, name text CHECK (name <> 'bad'));"
      "CREATE INDEX by_name ON t (name); INSERT INTO t VALUES (9, 'old')");
  auto sink = this->sink("replace");
  recover(*sink);
  EXPECT_FALSE(sink->appends());
  const auto [applied, first] =
      commit_page(*sink, 0, page_of({{1, "a"}, {1, "again"}, {5, "bad"}}));
  ASSERT_EQ(applied.rejects.size(), 2U);
  expect_contains(applied.rejects[0].error, "unique constraint \"t_pkey\"");
  expect_contains(applied.rejects[1].error, "relation \"t\" violates check constraint");
  const std::vector<Receipt> committed = {first, commit(*sink, 1, {{2, "b"}})};
  EXPECT_EQ(scene_.texts("SELECT name FROM t"), "old");
  const std::string oid = scene_.texts("SELECT 't'::regclass::oid");
  const std::string intent = seal(*sink, committed);
  EXPECT_NE(scene_.texts("SELECT 't'::regclass::oid"), oid) << "it was not swapped";
  EXPECT_EQ(scene_.texts("SELECT name FROM t ORDER BY id"), "a,b");
  EXPECT_EQ(scene_.texts("SELECT relname FROM pg_class WHERE relnamespace = '" + scene_.schema() +
                         "'::regnamespace ORDER BY 1"),
            "by_name,t,t_pkey,tranche_commits,tranche_commits_pkey");
  EXPECT_TRUE(sink->verify(run_, intent, committed)->empty());
}

TEST_F(PostgresSeal, CreatesTheTableThatIsReplacedWhenItIsMissing) {
  auto sink = this->sink("replace");
  recover(*sink);
  seal(*sink, {commit(*sink, 0, {{1, "a"}})});
  EXPECT_EQ(scene_.texts("SELECT name FROM t"), "a");
}

TEST_F(PostgresSeal, ReplacesByAnEmptyTableWhenThereIsNoRecord) {
  scene_.must("CREATE TABLE t (id bigint, name text); INSERT INTO t VALUES (9, 'old')");
  auto sink = this->sink("replace");
  recover(*sink);
  seal(*sink, {});
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), 0);
}

TEST_F(PostgresSeal, RollsForwardByANewObjectThatKnowsOnlyTheIntent) {
  std::string intent;
  {
    auto sink = this->sink("replace");
    recover(*sink);
    intent = sink->plan_seal(std::vector<Receipt>{commit(*sink, 0, {{1, "a"}})}).value();
  }
  ASSERT_TRUE(this->sink("replace")->seal(intent));
  ASSERT_TRUE(this->sink("replace")->seal(intent));  // a crash after it, before it was recorded
  EXPECT_EQ(scene_.texts("SELECT name FROM t"), "a");
  EXPECT_EQ(scene_.number("SELECT count(*) FROM tranche_commits WHERE batch = -1"), 1);
}

TEST_F(PostgresSeal, ReplacesTheRowsWhereSomethingDependsOnTheTable) {
  const char* const dependents[] = {
      "CREATE VIEW v AS SELECT name FROM t",
      "CREATE MATERIALIZED VIEW v AS SELECT name FROM t",
      "CREATE TABLE child (t bigint REFERENCES t (id)); INSERT INTO child VALUES (1)",
      "CREATE TABLE p (name text PRIMARY KEY); INSERT INTO p VALUES ('a'), ('b'), ('old'); ALTER "
      "TABLE t ADD FOREIGN KEY (name) REFERENCES p",
      "GRANT SELECT ON t TO PUBLIC",
      "GRANT SELECT (name) ON t TO PUBLIC",
      "CREATE POLICY mine ON t USING (true)",
      "ALTER TABLE t ADD COLUMN number serial",
      "ALTER TABLE t ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY",
      "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$; CREATE "
      "TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
      "CREATE FUNCTION f(t) RETURNS bigint LANGUAGE sql AS 'SELECT $1.id'",
      "COMMENT ON TABLE t IS 'sales'",
      "CREATE TABLE heir () INHERITS (t)",
      "ALTER TABLE t SET (fillfactor = 50)",
  };
  for (const char* const dependent : dependents) {
    SCOPED_TRACE(dependent);
    scene_.must(fmt::format("DROP SCHEMA {0} CASCADE; CREATE SCHEMA {0}", scene_.schema()));
    scene_.must(
        "CREATE TABLE t (id bigint PRIMARY KEY, name text, twice bigint GENERATED ALWAYS AS "
        "(2 * id) STORED); INSERT INTO t VALUES (1, 'old')");
    scene_.must(dependent);
    const std::string oid = scene_.texts("SELECT 't'::regclass::oid");
    auto sink = this->sink("replace");
    recover(*sink);
    const std::vector<Receipt> committed = {commit(*sink, 0, {{1, "a"}, {2, "b"}})};
    const std::string intent = seal(*sink, committed);
    EXPECT_EQ(scene_.texts("SELECT id, name, twice FROM t ORDER BY id"), "1|a|2,2|b|4");
    EXPECT_EQ(scene_.texts("SELECT 't'::regclass::oid"), oid);
    EXPECT_EQ(
        scene_.number(fmt::format("SELECT count(*) FROM pg_class WHERE relname = '{}'", staging)),
        0);
    EXPECT_EQ(scene_.number("SELECT count(*) FROM pg_constraint WHERE condeferrable"), 0);
    EXPECT_TRUE(sink->verify(run_, intent, committed)->empty());
  }
}

TEST_F(PostgresSeal, RefusesToOrphanOrToRemoveRowsOfOtherTables) {
  scene_.must(
      "CREATE TABLE t (id bigint PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'old');"
      "CREATE TABLE child (t bigint REFERENCES t (id)); INSERT INTO child VALUES (1)");
  auto sink = this->sink("replace");
  recover(*sink);
  const auto receipt = commit(*sink, 0, {{2, "b"}});
  const auto refused = sink->seal(sink->plan_seal({&receipt, 1}).value());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::failed);
  expect_contains(refused.error().message, "23503");
  EXPECT_EQ(scene_.texts("SELECT name FROM t"), "old");
  ASSERT_TRUE(sink->discard(run_, {&receipt, 1}, false));
  scene_.must("DROP TABLE child; CREATE TABLE child (t bigint REFERENCES t ON DELETE CASCADE)");
  expect_contains(problem_of("replace"), "(ON DELETE CASCADE)");
}

TEST_F(PostgresSeal, RefusesATriggerThatIgnoresRowsOfAReplacement) {
  scene_.must(
      "CREATE TABLE t (id bigint, name text); INSERT INTO t VALUES (9, 'old'); CREATE FUNCTION f() "
      "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.id = 2 THEN RETURN NULL; END IF; RETURN "
      "new; END $$; CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()");
  auto sink = this->sink("replace");
  recover(*sink);
  const auto receipt = commit(*sink, 0, {{1, "a"}, {2, "b"}});
  const auto refused = sink->seal(sink->plan_seal({&receipt, 1}).value());
  ASSERT_FALSE(refused);
  expect_contains(refused.error().message, "let in 1 of the 2 new ones");
  EXPECT_EQ(scene_.texts("SELECT name FROM t"), "old");
}

TEST_F(PostgresSeal, LoadsAStagingTableAgainThatWasDropped) {
  {
    auto sink = this->sink("replace");
    recover(*sink);
    commit(*sink, 0, {{1, "a"}});
  }
  scene_.must(std::string("DROP TABLE ") + staging);
  auto again = this->sink("replace");
  EXPECT_TRUE(recover(*again).empty());
  seal(*again, {commit(*again, 0, {{1, "a"}})});
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), 1);
}

TEST_F(PostgresSeal, FindsRowsThatSomebodyTookOutOfTheStagingTable) {
  auto sink = this->sink("replace");
  recover(*sink);
  const auto receipt = commit(*sink, 0, {{1, "a"}, {2, "b"}});
  scene_.must(std::string("DELETE FROM ") + staging + " WHERE id = 1");
  const auto refused = sink->seal(sink->plan_seal({&receipt, 1}).value());
  ASSERT_FALSE(refused);
  expect_contains(refused.error().message, "changed from outside");
}

TEST_F(PostgresSeal, TakesBackAReplacementThatIsNotSealed) {
  scene_.must("CREATE TABLE t (id bigint, name text); INSERT INTO t VALUES (9, 'old')");
  auto sink = this->sink("replace");
  recover(*sink);
  const auto receipt = commit(*sink, 0, {{1, "a"}});
  ASSERT_TRUE(sink->discard(run_, {&receipt, 1}, false));
  EXPECT_EQ(scene_.texts("SELECT name FROM t"), "old");
  EXPECT_EQ(scene_.number("SELECT count(*) FROM tranche_commits"), 0);
  EXPECT_EQ(scene_.texts(fmt::format("SELECT to_regclass('{}')", staging)), "null");
}

TEST_F(PostgresSeal, TakesCommittedRowsOfATableBackOnlyByLeavingThem) {
  auto sink = this->sink("append");
  recover(*sink);
  const std::vector<Receipt> committed = {commit(*sink, 0, {{1, "a"}})};
  const auto refused = sink->discard(run_, committed, false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::config);
  ASSERT_TRUE(sink->discard(run_, committed, true));
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), 1);
}

TEST_F(PostgresSeal, RefusesATargetThatLostItsRecordOfCommits) {
  auto sink = this->sink("append");
  recover(*sink);
  const std::vector<Receipt> committed = {commit(*sink, 0, {{1, "a"}})};
  scene_.must("DROP TABLE tranche_commits");
  const auto recovered = this->sink("append")->recover(run_, schema(), committed);
  ASSERT_FALSE(recovered);
  expect_contains(recovered.error().message, "lost its record of commits");
}

TEST_F(PostgresSeal, RefusesToGoOnWithATableThatWasDropped) {
  auto sink = this->sink("append");
  recover(*sink);
  const std::vector<Receipt> committed = {commit(*sink, 0, {{1, "a"}})};
  scene_.must("DROP TABLE t");
  const auto recovered = this->sink("append")->recover(run_, schema(), committed);
  ASSERT_FALSE(recovered);
  expect_contains(recovered.error().message, "is gone");
}

TEST_F(PostgresSeal, NamesEveryDifferenceThatItFindsLater) {
  auto sink = this->sink("replace");
  recover(*sink);
  const std::vector<Receipt> committed = {commit(*sink, 0, {{1, "a"}}),
                                          commit(*sink, 1, {{2, "b"}})};
  const std::string intent = seal(*sink, committed);
  scene_.must(
      "DELETE FROM t WHERE id = 2; DELETE FROM tranche_commits WHERE batch = 0;"
      "UPDATE tranche_commits SET digest = 'ff' WHERE batch = 1");
  const auto differences = sink->verify(run_, intent, committed).value();
  ASSERT_EQ(differences.size(), 3U);
  expect_contains(differences[0], "Batch 0 is not in");
  expect_contains(differences[1], "Batch 1");
  expect_contains(differences[2], "has 1 rows; the run left 2");
}

TEST_F(PostgresExamine, NamesTheColumnThatTheTableLacks) {
  scene_.must("CREATE TABLE t (id bigint)");
  const std::string problem = problem_of("append");
  expect_contains(problem,
                  "has another shape: it has no column \"name\". The table is (id bigint); "
                  "the records are (id bigint, name varchar).");
  EXPECT_TRUE(problem.starts_with("Table " + scene_.schema() + ".t of 127.0.0.1:")) << problem;
}

TEST_F(PostgresExamine, RefusesColumnsThatWouldChangeValues) {
  for (const std::string shape :
       {"id text, name text", "id real, name text", "id bigint, name bytea", "id bigint, name inet",
        "id bigint, name text GENERATED ALWAYS AS ('x') STORED",
        "id bigint, name text, more text NOT NULL", "id bigint[], name text"}) {
    scene_.must("DROP TABLE IF EXISTS t; CREATE TABLE t (" + shape + ")");
    expect_contains(problem_of("append"), "has another shape");
  }
}

TEST_F(PostgresExamine, RefusesPrecisionsThatWouldRound) {
  const auto exact = std::make_shared<const Schema>(
      Schema{{Field{"d", decimal_type(8, 2)}, Field{"at", Type{TypeId::timestamp}}}});
  for (const auto& [shape, is_good] :
       std::vector<std::pair<std::string, bool>>{{"d numeric(8,1), at timestamp", false},
                                                 {"d numeric(8,2), at timestamp(0)", false},
                                                 {"d numeric, at timestamp", true},
                                                 {"d numeric(10,4), at timestamp(6)", true},
                                                 {"d double precision, at timestamp", false},
                                                 {"d numeric, at timestamptz", false}}) {
    scene_.must("DROP TABLE IF EXISTS t; CREATE TABLE t (" + shape + ")");
    EXPECT_EQ(sink("append")->examine(exact).has_value(), is_good) << shape;
  }
}

TEST_F(PostgresExamine, TakesTablesThatKeepValuesAsTheyAre) {
  for (const std::string shape :
       {"id integer, name varchar(20)", "\"ID\" numeric, \"Name\" char(3)", "id int8, name jsonb",
        "k serial PRIMARY KEY, id bigint, name text",
        "id bigint, name text, at text NOT NULL DEFAULT 'x', n bigint GENERATED ALWAYS AS "
        "IDENTITY"}) {
    scene_.must("DROP TABLE IF EXISTS t; CREATE TABLE t (" + shape + ")");
    EXPECT_EQ(problem_of("append"), "none") << shape;
  }
}

TEST_F(PostgresExamine, RefusesWhatIsNoTableAndWhatItMayNotWrite) {
  scene_.must("CREATE VIEW t AS SELECT 1 AS id, 'a' AS name");
  expect_contains(problem_of("append"), "is a view");
  expect_contains(problem_of("append", {}, "no_such_schema.t"), "there is no schema");
  const auto absent = try_sink("append", {}, "t", "postgresql://u@127.0.0.1:1/d");
  ASSERT_TRUE(absent);
  const auto examined = (*absent)->examine(schema());
  ASSERT_FALSE(examined);
  EXPECT_EQ(examined.error().kind, ErrorKind::transient);
  expect_contains(examined.error().message, "Can't connect to PostgreSQL database 127.0.0.1:1/d");
}

TEST_F(PostgresExamine, NeedsAUniqueIndexForAnUpsert) {
  scene_.must(
      "CREATE TABLE t (id bigint, name text); CREATE UNIQUE INDEX ON t (id, name);"
      "CREATE UNIQUE INDEX ON t (id) WHERE id > 0");
  expect_contains(problem_of("upsert", {"id"}), "no unique index");
  EXPECT_EQ(problem_of("upsert", {"name", "id"}), "none");
  scene_.must("CREATE UNIQUE INDEX ON t (id) INCLUDE (name)");
  EXPECT_EQ(problem_of("upsert", {"id"}), "none");
  EXPECT_EQ(problem_of("upsert", {"ID"}), "none");
  expect_contains(problem_of("upsert", {"key"}), "key names column \"key\"");
}

TEST_F(PostgresExamine, RefusesOptionsThatContradictEachOther) {
  const std::string url = scene_.url();
  EXPECT_EQ(try_sink("upsert", {}, "t", url).error().kind, ErrorKind::config);
  EXPECT_EQ(try_sink("append", {"id"}, "t", url).error().kind, ErrorKind::config);
  EXPECT_EQ(try_sink("append", {}, "a.b.c", url).error().kind, ErrorKind::config);
  EXPECT_EQ(try_sink("append", {}, "\"open", url).error().kind, ErrorKind::config);
  EXPECT_EQ(try_sink("append", {}, "x.tranche_commits", url).error().kind, ErrorKind::config);
  EXPECT_EQ(try_sink("append", {}, "t", "w.db").error().kind, ErrorKind::config);
}

TEST_F(PostgresExamine, ClaimsTheTableWithoutAPassword) {
  const auto made = try_sink("append", {}, "sales", "postgresql://ann:hush@db.example:6543/shop");
  ASSERT_TRUE(made);
  EXPECT_EQ((*made)->targets(),
            std::vector<std::string>{"postgresql://db.example:6543/shop/public.sales"});
}

}  // namespace
}  // namespace tranche
