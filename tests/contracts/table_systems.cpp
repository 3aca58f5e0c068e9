// SQLite, DuckDB and PostgreSQL for the contract suites.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/text.h"
#include "contracts/system.h"
#include "drivers/duckdb_database.h"
#include "drivers/postgres.h"
#include "drivers/postgres_copy.h"
#include "drivers/sqlite.h"
#include "postgres_scene.h"

namespace tranche::contracts {
namespace {

namespace fs = std::filesystem;

Node table_node(const std::string& system, const std::string& database, const std::string& table) {
  Node node = Node::map();
  node.set(system, Node::scalar(database));
  node.set("table", Node::scalar(table));
  return node;
}

Node output_node(const std::string& system, const std::string& database, const std::string& mode) {
  Node node = table_node(system, database, "t");
  node.set("mode", Node::scalar(mode));
  if (mode == "upsert") node.set("key", Node::list({Node::scalar("id")}));
  return node;
}

bool is_integer(Type type) {
  return is_numeric(type) && type.id != TypeId::real && type.id != TypeId::double_ &&
         type.id != TypeId::decimal;
}

class SqliteSystem final : public System {
 public:
  explicit SqliteSystem(const fs::path& folder)
      : in_(folder / "in.db"), out_(folder / "out" / "w.db") {
    fs::create_directories(out_.parent_path());
  }

  bool reads(Type type) const override { return !is_nested(type); }
  Type read_back(Type type) const override { return is_nested(type) ? Type{TypeId::json} : type; }
  bool holds(Type type, const std::string& text) const override {
    if (text == "nan") return false;
    std::int64_t small = 0;
    return !is_integer(type) || parse_integer(text, small) == ParseStatus::ok;
  }

  void make_input(const Table& table) override {
    std::string columns;
    for (const Field& field : table.schema.fields) {
      columns +=
          fmt::format("{}{} {}", columns.empty() ? "" : ", ", field.name, declared(field.type));
    }
    const auto database = open(in_);
    execute(*database, fmt::format("CREATE TABLE t ({})", columns));
    for (const auto& row : table.rows) {
      std::string values;
      for (std::size_t at = 0; at < row.size(); ++at) {
        values += at > 0 ? ", " : "";
        values += row[at] ? literal(table.schema.fields[at].type, *row[at]) : "NULL";
      }
      execute(*database, fmt::format("INSERT INTO t VALUES ({})", values));
    }
  }
  Node input(const Schema& columns) const override { return node(in_, columns); }

  Node output(const std::string& mode) const override {
    Node node = output_node("sqlite", out_.string(), mode);
    node.set("lock_wait", Node::scalar("50ms"));
    return node;
  }
  std::optional<Node> output_as_input(const Schema& columns) const override {
    if (!fs::exists(out_)) return std::nullopt;
    const auto there =
        open(out_)->query_integer("SELECT count(*) FROM pragma_table_list WHERE name = 't'");
    if (!there || *there == 0) return std::nullopt;
    return node(out_, columns);
  }
  void make_misfit() override {
    execute(*open(out_), "CREATE TABLE t (id INTEGER, other TEXT NOT NULL)");
  }
  // Somebody else holds the lock, which he can't from an apply on.
  std::vector<Moment> troubles() const override {
    return {Moment::before_recover, Moment::before_apply, Moment::before_seal};
  }
  void hurt(Moment) override {
    locker_ = open(out_);
    execute(*locker_, "BEGIN EXCLUSIVE");
  }
  void mend() override { locker_.reset(); }

 private:
  static std::unique_ptr<SqliteDatabase> open(const fs::path& path) {
    return SqliteDatabase::open(path, SqliteDatabase::Access::create, std::chrono::seconds(1))
        .value();
  }
  static void execute(SqliteDatabase& database, const std::string& sql) {
    const auto done = database.execute(sql);
    ASSERT_TRUE(done) << sql << ": " << done.error().message;
  }
  static const char* declared(Type type) {
    if (type.id == TypeId::hugeint || type.id == TypeId::ubigint) return "BLOB";  // as it is
    if (is_integer(type) || type.id == TypeId::boolean) return "INTEGER";
    if (type.id == TypeId::real || type.id == TypeId::double_) return "REAL";
    return type.id == TypeId::blob ? "BLOB" : "TEXT";
  }
  static std::string literal(Type type, const std::string& text) {
    if (type.id == TypeId::boolean) return text == "true" ? "1" : "0";
    if (text == "inf") return "9e999";
    if (text == "-inf") return "-9e999";
    const bool is_real = type.id == TypeId::real || type.id == TypeId::double_;
    std::int64_t small = 0;
    if (is_real || (is_integer(type) && parse_integer(text, small) == ParseStatus::ok)) return text;
    if (type.id != TypeId::blob) return sqlite_literal(text);
    Arena arena;
    StringRef bytes;
    EXPECT_EQ(parse_blob(text, arena, bytes), ParseStatus::ok);
    return fmt::format("x'{}'", hex(bytes.view()));
  }
  static Node node(const fs::path& path, const Schema& columns) {
    Node node = table_node("sqlite", path.string(), "t");
    node.set("columns", columns_node(columns));
    node.set("lock_wait", Node::scalar("50ms"));
    return node;
  }

  const fs::path in_;
  const fs::path out_;
  std::unique_ptr<SqliteDatabase> locker_;
};

class DuckSystem final : public System {
 public:
  explicit DuckSystem(const fs::path& folder)
      : in_(folder / "in.duckdb"), out_(folder / "out" / "w.duckdb") {
    fs::create_directories(out_.parent_path());
  }

  void make_input(const Table& table) override {
    execute(in_, fmt::format("CREATE TABLE t AS {}", select_of(table)));
  }
  Node input(const Schema& columns) const override { return node(in_, columns); }
  Node output(const std::string& mode) const override {
    return output_node("duckdb", out_.string(), mode);
  }
  std::optional<Node> output_as_input(const Schema& columns) const override {
    if (!fs::exists(out_)) return std::nullopt;
    const auto database = DuckDatabase::open_file(out_.string(), 64ULL << 20, "").value();
    const auto there = database->connect().value()->query_texts(
        "SELECT 1 FROM information_schema.tables WHERE table_name = 't'");
    if (!there || there->empty()) return std::nullopt;
    return node(out_, columns);
  }
  void make_misfit() override {
    execute(out_, "CREATE TABLE t (id BIGINT, other VARCHAR NOT NULL)");
  }
  // Another process has the file open, which it can't while ours has.
  std::vector<Moment> troubles() const override { return {Moment::before_recover}; }
  void hurt(Moment) override {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    child_ = ::fork();
    if (child_ == 0) {
      // Not DuckDB's own code, which a forked process of several threads must not run.
      struct flock lock {};
      lock.l_type = F_WRLCK;
      const int file = ::open(out_.c_str(), O_RDWR);
      ::fcntl(file, F_SETLK, &lock);
      (void)!::write(ready[1], "x", 1);
      ::pause();
      ::_exit(0);
    }
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  void mend() override {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

 private:
  static void execute(const fs::path& path, const std::string& sql) {
    const auto database = DuckDatabase::open_file(path.string(), 64ULL << 20, "").value();
    const auto done = database->connect().value()->execute(sql);
    ASSERT_TRUE(done) << sql << ": " << done.error().message;
  }
  static Node node(const fs::path& path, const Schema& columns) {
    Node node = table_node("duckdb", path.string(), "t");
    node.set("columns", names_node(columns));
    return node;
  }

  const fs::path in_;
  const fs::path out_;
  pid_t child_ = -1;
};

class PostgresSystem final : public System {
 public:
  bool reads(Type type) const override { return type == read_back(type); }
  // The nearest type that the server has.
  Type read_back(Type type) const override {
    switch (type.id) {
      case TypeId::tinyint:
      case TypeId::utinyint:
        return Type{TypeId::smallint};
      case TypeId::usmallint:
        return Type{TypeId::integer};
      case TypeId::uinteger:
        return Type{TypeId::bigint};
      case TypeId::ubigint:
        return decimal_type(20, 0);
      case TypeId::hugeint:
        return Type{TypeId::varchar};  // more digits than a decimal has
      case TypeId::struct_:
        return Type{TypeId::json};
      default:
        return type;
    }
  }

  void make_input(const Table& table) override {
    std::string columns;
    for (const Field& field : table.schema.fields) {
      columns += fmt::format("{}{} {}", columns.empty() ? "" : ", ", field.name,
                             postgres_type_name(field.type));
      if (field.name == "id") columns += " PRIMARY KEY";
    }
    scene_.must(fmt::format("CREATE TABLE source ({})", columns));
    for (const auto& row : table.rows) {
      std::string values;
      for (std::size_t at = 0; at < row.size(); ++at) {
        values += at > 0 ? ", " : "";
        values += row[at] ? literal(table.schema.fields[at].type, *row[at]) : "NULL";
      }
      scene_.must(fmt::format("INSERT INTO source VALUES ({})", values));
    }
  }
  Node input(const Schema& columns) const override { return node("source", columns); }
  Node output(const std::string& mode) const override {
    Node node = output_node("postgres", scene_.url(), mode);
    node.set("lock_wait", Node::scalar("50ms"));
    return node;
  }
  std::optional<Node> output_as_input(const Schema& columns) const override {
    if (scene_.number("SELECT count(*) FROM pg_class WHERE oid = to_regclass('t')") == 0)
      return std::nullopt;
    return node("t", columns);
  }
  void make_misfit() override { scene_.must("CREATE TABLE t (id bigint, other text NOT NULL)"); }
  // The server ends our connection within a transaction; between two, somebody else holds a lock.
  std::vector<Moment> troubles() const override {
    return {Moment::before_recover, Moment::before_apply, Moment::before_commit,
            Moment::before_seal};
  }
  void hurt(Moment moment) override {
    scene_.must(moment == Moment::before_commit
                    ? "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> "
                      "pg_backend_pid() AND application_name = 'tranche'"
                    : "BEGIN; LOCK TABLE tranche_commits");
  }
  void mend() override {
    if (scene_.connection().in_transaction()) scene_.must("ROLLBACK");
  }

 private:
  static std::string literal(Type type, const std::string& text) {
    std::string value = text;
    if (type.id == TypeId::blob) {
      Arena arena;
      StringRef bytes;
      EXPECT_EQ(parse_blob(text, arena, bytes), ParseStatus::ok);
      value = "\\x" + hex(bytes.view());
    }
    if (type.id == TypeId::list) {
      value.front() = '{';
      value.back() = '}';
    }
    return fmt::format("{}::{}", postgres_literal(value), postgres_type_name(type));
  }
  Node node(const std::string& table, const Schema& columns) const {
    Node node = table_node("postgres", scene_.url(), table);
    node.set("columns", columns_node(columns));
    return node;
  }

  mutable PostgresScene scene_;
};

}  // namespace

std::unique_ptr<System> make_sqlite_system(const fs::path& folder) {
  return std::make_unique<SqliteSystem>(folder);
}
std::unique_ptr<System> make_duckdb_system(const fs::path& folder) {
  return std::make_unique<DuckSystem>(folder);
}
std::unique_ptr<System> make_postgres_system() { return std::make_unique<PostgresSystem>(); }

}  // namespace tranche::contracts
