#include "drivers/sqlite.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <cstring>
#include <limits>
#include <thread>

#include "base/temporary_folder.h"
#include "base/writeback_requests.h"

namespace tranche {
namespace {

using std::chrono::milliseconds;

class Sqlite : public TemporaryFolder {
 protected:
  std::unique_ptr<SqliteDatabase> open(const std::string& name,
                                       milliseconds wait = milliseconds(0)) {
    auto opened = SqliteDatabase::open(at(name), SqliteDatabase::Access::create, wait);
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(opened).value();
  }
};

TEST_F(Sqlite, GivesBackEveryKindOfValue) {
  auto database = open("a.db");
  ASSERT_TRUE(database->execute("CREATE TABLE t (i, n, r, s, b, z)"));
  const std::string bytes("\0\xff|", 3);
  auto insert = database->prepare("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)").value();
  insert.bind_integer(1, std::numeric_limits<std::int64_t>::min());
  insert.bind_natural(2, std::numeric_limits<std::uint64_t>::max());
  insert.bind_real(3, 0.1);
  insert.bind_text(4, "");
  insert.bind_blob(5, bytes);
  insert.bind_null(6);
  ASSERT_TRUE(insert.run());
  auto row = database->query("SELECT * FROM t").value();
  ASSERT_TRUE(row.step().value());
  EXPECT_EQ(row.integer(0), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(row.natural(1), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(row.real(2), 0.1);
  EXPECT_EQ(row.text(3), "");
  EXPECT_FALSE(row.is_null(3));
  EXPECT_EQ(row.blob(4), bytes);
  EXPECT_TRUE(row.is_null(5));
  EXPECT_FALSE(row.step().value());
}

TEST_F(Sqlite, SaysThatAFileOfAnotherKindIsNoDatabase) {
  put("notes.txt", std::string(4096, 'x'));
  const auto opened =
      SqliteDatabase::open(at("notes.txt"), SqliteDatabase::Access::read_write, milliseconds(0));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::failed);
  EXPECT_EQ(opened.error().message, at("notes.txt").string() + " is not a SQLite database.");
}

TEST_F(Sqlite, SaysWhyAMissingDatabaseCantBeOpened) {
  const auto opened =
      SqliteDatabase::open(at("none/a.db"), SqliteDatabase::Access::create, milliseconds(0));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::failed);
  EXPECT_NE(opened.error().message.find("No such file or directory"), std::string::npos)
      << opened.error().message;
}

TEST_F(Sqlite, CallsALockOfAnotherConnectionTransient) {
  auto holder = open("a.db");
  ASSERT_TRUE(holder->execute("CREATE TABLE t (a)"));
  ASSERT_TRUE(holder->begin());
  auto other = open("a.db", milliseconds(20));
  const auto begun = other->begin();
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().kind, ErrorKind::transient);
  ASSERT_TRUE(holder->commit());
  EXPECT_TRUE(other->begin());
}

TEST_F(Sqlite, CallsARefusedRowABadRecordAndGoesOnWithTheTransaction) {
  auto database = open("a.db");
  ASSERT_TRUE(database->execute("CREATE TABLE t (a INTEGER UNIQUE)"));
  ASSERT_TRUE(database->begin());
  ASSERT_TRUE(database->run("INSERT INTO t VALUES (?)", 1));
  const auto refused = database->run("INSERT INTO t VALUES (?)", 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::bad_record);
  EXPECT_EQ(refused.error().message, "UNIQUE constraint failed: t.a");
  EXPECT_TRUE(database->in_transaction());
  ASSERT_TRUE(database->run("INSERT INTO t VALUES (?)", 2));
  ASSERT_TRUE(database->commit());
  EXPECT_EQ(database->query_integer("SELECT count(*) FROM t").value(), 2);
}

TEST_F(Sqlite, RollsBackATransactionThatGoesOutOfScope) {
  auto database = open("a.db");
  ASSERT_TRUE(database->execute("CREATE TABLE t (a)"));
  {
    auto transaction = SqliteTransaction::begin(*database);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(database->run("INSERT INTO t VALUES (?)", 1));
  }
  EXPECT_FALSE(database->in_transaction());
  EXPECT_EQ(database->query_integer("SELECT count(*) FROM t").value(), 0);
}

TEST_F(Sqlite, NamesAStatementThatItDoesNotUnderstand) {
  auto database = open("a.db");
  const auto prepared = database->prepare("SELECT a FROM nowhere");
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().kind, ErrorKind::failed);
  EXPECT_NE(prepared.error().message.find("no such table: nowhere"), std::string::npos)
      << prepared.error().message;
}

TEST_F(Sqlite, QuotesNamesAndTexts) {
  auto database = open("a.db");
  const std::string name = "odd \"name\" with 'quotes'";
  ASSERT_TRUE(database->execute("CREATE TABLE " + sqlite_identifier(name) + " (a)"));
  EXPECT_EQ(
      database
          ->query_integer("SELECT count(*) FROM sqlite_schema WHERE name = " + sqlite_literal(name))
          .value(),
      1);
}

// The kernel refuses to let a file grow beyond a limit: an error of I/O that needs no disk.
TEST_F(Sqlite, SaysWhyTheKernelRefusesAWrite) {
  for (const char* journal : {"delete", "wal"}) {
    auto database = open(std::string(journal) + ".db");
    ASSERT_TRUE(database->execute(fmt::format("PRAGMA journal_mode = {}", journal)));
    ASSERT_TRUE(database->execute("CREATE TABLE t (a)"));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    rlimit tight = before;
    tight.rlim_cur = 64 * 1024;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
    const auto written = database->run("INSERT INTO t VALUES (?)", std::string(1 << 20, 'x'));
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, handler);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().kind, ErrorKind::failed);
    EXPECT_NE(written.error().message.find("disk I/O error (File too large)"), std::string::npos)
        << journal << ": " << written.error().message;
    EXPECT_EQ(database->query_integer("SELECT count(*) FROM t").value(), 0);
  }
}

class SqliteWritebackTest : public Sqlite {
 protected:
  void SetUp() override {
    database_ = open("a.db");
    ASSERT_TRUE(database_->execute("PRAGMA cache_size = -1024; CREATE TABLE t (a)"));
    WritebackRequests::take();
  }
  // 16 MiB in a transaction that stays open.
  void insert() {
    ASSERT_TRUE(database_->begin());
    auto statement = database_->prepare("INSERT INTO t VALUES (?)").value();
    const std::string kilobyte(1024, 'x');
    for (int row = 0; row < 16 * 1024; ++row) {
      statement.bind_text(1, kilobyte);
      ASSERT_TRUE(statement.run());
      if (row % 1024 == 0) database_->begin_writeback();
    }
  }
  // What another thread asks for sooner or later, or nothing.
  std::vector<WritebackRequest> requests() {
    std::vector<WritebackRequest> found;
    for (int look = 0; look < 5000 && found.empty(); ++look) {
      database_->begin_writeback();
      std::this_thread::sleep_for(milliseconds(1));
      found = WritebackRequests::take();
    }
    return found;
  }
  std::int64_t rows() { return database_->query_integer("SELECT count(*) FROM t").value(); }

  std::unique_ptr<SqliteDatabase> database_;
};

TEST_F(SqliteWritebackTest, AsksTheSystemToWriteTheEndOfTheDatabaseBeforeTheCommit) {
  insert();
  const auto asked = requests();
  ASSERT_FALSE(asked.empty());
  std::uint64_t end = asked.front().offset;
  for (const auto& request : asked) {
    EXPECT_EQ(request.file, fs::canonical(at("a.db")));
    EXPECT_EQ(request.offset, end);
    end += request.bytes;
  }
  // But for about as much as lies in the cache.
  EXPECT_LT(end, fs::file_size(at("a.db")) - (512 << 10));
  ASSERT_TRUE(database_->commit());
  EXPECT_EQ(rows(), 16 * 1024);
}

// A connection of this process would be told by SQLite, whatever became of the file's locks.
TEST_F(SqliteWritebackTest, LeavesTheLocksOfTheTransactionAlone) {
  const File other = File::open_write(at("a.db")).value();
  constexpr off_t reserved_byte = 0x40000001;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = reserved_byte;
  lock.l_len = 1;
  insert();
  ASSERT_FALSE(requests().empty());
  ASSERT_EQ(::fcntl(other.descriptor(), F_OFD_GETLK, &lock), 0);
  EXPECT_NE(lock.l_type, F_UNLCK);
  ASSERT_TRUE(database_->commit());
}

TEST_F(SqliteWritebackTest, GoesOnBehindARollback) {
  insert();
  ASSERT_FALSE(requests().empty());
  database_->rollback();
  EXPECT_EQ(rows(), 0);
  insert();
  EXPECT_FALSE(requests().empty());
  ASSERT_TRUE(database_->commit());
  EXPECT_EQ(rows(), 16 * 1024);
}

TEST_F(SqliteWritebackTest, DoesNothingWhereThereIsAWriteAheadLog) {
  ASSERT_TRUE(database_->execute("PRAGMA journal_mode = WAL"));
  insert();
  ASSERT_TRUE(database_->commit());
  insert();
  ASSERT_TRUE(database_->commit());
  database_.reset();
  EXPECT_TRUE(WritebackRequests::take().empty());
}

TEST_F(Sqlite, SaysThatTheDiskIsFull) {
  fs::create_directories(at("small"));
  if (::mount("tmpfs", at("small").c_str(), "tmpfs", 0, "size=256k") != 0) {
    GTEST_SKIP() << "a small file system can't be mounted here: " << std::strerror(errno);
  }
  {
    auto database = open("small/a.db");
    ASSERT_TRUE(database->execute("CREATE TABLE t (a)"));
    const auto written = database->run("INSERT INTO t VALUES (?)", std::string(1 << 20, 'x'));
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().kind, ErrorKind::failed);
    EXPECT_NE(written.error().message.find("the disk is full"), std::string::npos)
        << written.error().message;
    EXPECT_EQ(database->query_integer("SELECT count(*) FROM t").value(), 0);
  }
  ::umount(at("small").c_str());
}

}  // namespace
}  // namespace tranche
