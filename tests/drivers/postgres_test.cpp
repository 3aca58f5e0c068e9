#include "drivers/postgres.h"

#include <gtest/gtest.h>

#include "postgres_scene.h"

namespace tranche {
namespace {

class Postgres : public ::testing::Test {
 protected:
  static std::unique_ptr<PostgresConnection> open(const std::string& url,
                                                  const PostgresTimeouts& timeouts = {}) {
    auto opened = PostgresConnection::open(url, timeouts);
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(opened).value();
  }
  // The test's server, seen by another user, with a password, or another database.
  static std::string url_as(const std::string& user, const std::string& database = "postgres") {
    const std::string url = postgres_test_url();
    const std::size_t at = url.find('@');
    return "postgresql://" + user + url.substr(at, url.rfind('/') + 1 - at) + database;
  }
  ErrorKind kind_of(const std::string& sql) {
    const auto done = scene_.connection().execute(sql);
    return done ? ErrorKind::bug : done.error().kind;
  }
  PostgresScene scene_;
};

TEST_F(Postgres, GivesBackTypedResults) {
  auto& connection = scene_.connection();
  const auto rows =
      connection.query("SELECT $1::text, $2::bigint, true, NULL, ''", "it's", -5).value();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows.text(0, 0), "it's");
  EXPECT_EQ(rows.integer(0, 1), -5);
  EXPECT_TRUE(rows.boolean(0, 2));
  EXPECT_TRUE(rows.is_null(0, 3));
  EXPECT_FALSE(rows.is_null(0, 4));
  EXPECT_EQ(rows.text(0, 4), "");
  EXPECT_EQ(connection.query_integer("SELECT 7").value(), 7);
}

TEST_F(Postgres, SetsUpItsSessions) {
  EXPECT_EQ(scene_.texts("SELECT current_setting('synchronous_commit'), "
                         "current_setting('client_encoding'), current_setting('lock_timeout'), "
                         "current_setting('application_name')"),
            "on|UTF8|10s|tranche");
}

TEST_F(Postgres, SortsErrorsByWhatComesNext) {
  scene_.must("CREATE TABLE t (a integer PRIMARY KEY CHECK (a < 100))");
  scene_.must("INSERT INTO t VALUES (1)");
  EXPECT_EQ(kind_of("INSERT INTO t VALUES (1)"), ErrorKind::bad_record);
  EXPECT_EQ(kind_of("INSERT INTO t VALUES (100)"), ErrorKind::bad_record);
  EXPECT_EQ(kind_of("INSERT INTO t VALUES ('x'::text::integer)"), ErrorKind::bad_record);
  EXPECT_EQ(kind_of("DO $$ BEGIN RAISE 'no'; END $$"), ErrorKind::bad_record);
  EXPECT_EQ(kind_of("DO $$ BEGIN RAISE 'no' USING ERRCODE = 'A0001'; END $$"),
            ErrorKind::bad_record);
  EXPECT_EQ(kind_of("SELECT * FROM nothing"), ErrorKind::config);
  EXPECT_EQ(kind_of("SELEC"), ErrorKind::config);
  EXPECT_EQ(kind_of("DO $$ BEGIN RAISE 'no' USING ERRCODE = '40P01'; END $$"),
            ErrorKind::transient);
  EXPECT_EQ(postgres_error_kind("40001"), ErrorKind::transient);
  EXPECT_EQ(postgres_error_kind("53300"), ErrorKind::transient);
  EXPECT_EQ(postgres_error_kind("57P01"), ErrorKind::transient);
  EXPECT_EQ(postgres_error_kind("53100"), ErrorKind::failed);
  EXPECT_EQ(postgres_error_kind("53200"), ErrorKind::memory);
  EXPECT_EQ(postgres_error_kind("XX001"), ErrorKind::failed);
  EXPECT_EQ(postgres_error_kind("22P03"), ErrorKind::failed);
}

TEST_F(Postgres, KeepsWhatTheServerSaid) {
  scene_.must("CREATE TABLE t (a integer PRIMARY KEY)");
  scene_.must("INSERT INTO t VALUES (1)");
  const auto done = scene_.connection().execute("INSERT INTO t VALUES (1)");
  ASSERT_FALSE(done);
  const PostgresFailure& failure = scene_.connection().last_failure();
  EXPECT_EQ(failure.sqlstate, "23505");
  EXPECT_EQ(failure.sentence(),
            "23505: duplicate key value violates unique constraint \"t_pkey\": Key (a)=(1) already "
            "exists.");
}

TEST_F(Postgres, CallsAMissingDatabaseAndAWrongPasswordConfig) {
  const auto missing = PostgresConnection::open(url_as("tranche", "no_such_database"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::config);
  EXPECT_NE(missing.error().message.find("database \"no_such_database\" does not exist"),
            std::string::npos)
      << missing.error().message;
  const auto refused = PostgresConnection::open(url_as("locked:hush-hush"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::config);
  EXPECT_NE(refused.error().message.find("password authentication failed"), std::string::npos);
  EXPECT_EQ(refused.error().message.find("hush-hush"), std::string::npos);
  EXPECT_TRUE(PostgresConnection::open(url_as("locked:s3cr3t-Pa55word")));
}

TEST_F(Postgres, CallsAServerThatIsNotThereTransient) {
  const auto opened = PostgresConnection::open("postgresql://u@127.0.0.1:1/d");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::transient) << opened.error().message;
}

TEST_F(Postgres, NamesThePlaceOfAUrlWithoutItsPassword) {
  const auto place =
      parse_postgres_url("postgresql://ann:hush%40@db.example:6543/sales?sslmode=prefer");
  ASSERT_TRUE(place);
  EXPECT_EQ(to_string(*place), "db.example:6543/sales");
  EXPECT_EQ(place->user, "ann");
  for (const char* wrong : {"host=h password=hush", "postgresql://u:hu%zzsh@h/d",
                            "postgresql://u:hush@h:port:9/d?nonsense=hush", "warehouse"}) {
    const auto refused = parse_postgres_url(wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().kind, ErrorKind::config);
    EXPECT_EQ(refused.error().message.find("hu"), std::string::npos) << refused.error().message;
  }
}

TEST_F(Postgres, CallsALockOfAnotherConnectionTransient) {
  scene_.must("CREATE TABLE t (a integer)");
  scene_.must("BEGIN; LOCK TABLE t");
  auto other = open(scene_.url(), PostgresTimeouts{.lock = std::chrono::milliseconds(20)});
  const auto locked = other->execute("INSERT INTO t VALUES (1)");
  ASSERT_FALSE(locked);
  EXPECT_EQ(locked.error().kind, ErrorKind::transient);
  EXPECT_TRUE(other->is_alive());
  scene_.must("ROLLBACK");
  EXPECT_TRUE(other->execute("INSERT INTO t VALUES (1)"));
}

TEST_F(Postgres, IsInDoubtWhenItLosesTheConnectionDuringCommit) {
  auto other = open(scene_.url());
  ASSERT_TRUE(other->execute("CREATE TABLE t (a integer)"));
  ASSERT_TRUE(other->begin());
  ASSERT_TRUE(other->execute("INSERT INTO t VALUES (1)"));
  scene_.must(fmt::format("SELECT pg_terminate_backend({}, 5000)", other->backend()));
  const auto committed = other->commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().kind, ErrorKind::in_doubt) << committed.error().message;
  EXPECT_FALSE(other->is_alive());
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), 0);
}

TEST_F(Postgres, CallsALostConnectionTransient) {
  auto other = open(scene_.url());
  scene_.must(fmt::format("SELECT pg_terminate_backend({}, 5000)", other->backend()));
  const auto done = other->execute("SELECT 1");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::transient);
  EXPECT_FALSE(other->is_alive());
}

TEST_F(Postgres, DoesNotTakeTheRollbackOfAFailedTransactionForItsCommit) {
  auto& connection = scene_.connection();
  ASSERT_TRUE(connection.begin());
  EXPECT_FALSE(connection.execute("SELECT 1/0"));
  EXPECT_FALSE(connection.commit());
  EXPECT_FALSE(connection.in_transaction());
}

TEST_F(Postgres, CopiesInAndOut) {
  scene_.must("CREATE TABLE t (a integer, b text)");
  auto& connection = scene_.connection();
  ASSERT_TRUE(connection.begin_copy_in("COPY t FROM STDIN"));
  std::string rows;
  for (int i = 0; i < 100000; ++i) rows += fmt::format("{}\tsome text\n", i);
  ASSERT_TRUE(connection.put(rows));
  EXPECT_EQ(connection.finish_copy_in().value(), 100000U);
  ASSERT_TRUE(connection.begin_copy_out("COPY (SELECT a FROM t ORDER BY a LIMIT 2) TO STDOUT"));
  EXPECT_EQ(connection.next_copied().value(), "0\n");
  EXPECT_EQ(connection.next_copied().value(), "1\n");
  EXPECT_FALSE(connection.next_copied().value());
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), 100000);
}

TEST_F(Postgres, SaysWithWhichRowACopyFailed) {
  scene_.must("CREATE TABLE t (a integer PRIMARY KEY)");
  auto& connection = scene_.connection();
  ASSERT_TRUE(connection.begin());
  ASSERT_TRUE(connection.begin_copy_in("COPY t FROM STDIN"));
  ASSERT_TRUE(connection.put("1\n2\n1\n3\n"));
  const auto copied = connection.finish_copy_in();
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().kind, ErrorKind::bad_record);
  EXPECT_EQ(connection.last_failure().context, "COPY t, line 3");
  connection.rollback();
  EXPECT_FALSE(connection.in_transaction());
}

TEST_F(Postgres, TakesBackACopyThatWasNotFinished) {
  scene_.must("CREATE TABLE t (a integer)");
  auto& connection = scene_.connection();
  ASSERT_TRUE(connection.begin());
  ASSERT_TRUE(connection.begin_copy_in("COPY t FROM STDIN"));
  ASSERT_TRUE(connection.put("1\n"));
  connection.rollback();
  EXPECT_EQ(scene_.number("SELECT count(*) FROM t"), 0);
}

}  // namespace
}  // namespace tranche
