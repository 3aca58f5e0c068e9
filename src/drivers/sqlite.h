// SQLite databases, statements and transactions, each released by its destructor.
//
// Threads: a database and its statements belong to one thread at a time; two threads open two.
// Lifetime: a database outlives its statements and transactions.
// Errors, by what the caller does next:
//   transient   another connection holds the lock, for longer than the wait
//   bad_record  a constraint, a mismatched type, a value that is too long: the row is refused, the
//               transaction goes on (but see in_transaction)
//   failed      disk full, I/O error, damaged, read-only, can't be opened, not a SQLite database,
//               or a statement that SQLite does not understand
//   memory      SQLite is out of memory
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>

#include <tranche/base/result.h>

#include "drivers/sqlite_writeback.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tranche {

class SqliteDatabase;

// How SQLite stores a value: its type is the value's own, whatever the column was declared as.
enum class SqliteKind { null, integer, real, text, blob };

// Which state of the database a reading transaction sees.
struct SqliteState {
  bool is_wal = false;      // others may write while it is read
  std::uint64_t bytes = 0;  // of its pages
  // Equal as long as nobody has committed anything. Of a write-ahead log with something in it: the
  // checksum of all that; else the database's own count of changes.
  std::string name;
  bool is_named_by_log = false;
  bool operator==(const SqliteState&) const = default;
};

// A prepared statement. Parameters count from 1, columns from 0.
class SqliteStatement {
 public:
  SqliteStatement() = default;
  SqliteStatement(SqliteStatement&& other) noexcept;
  SqliteStatement& operator=(SqliteStatement&& other) noexcept;
  ~SqliteStatement();

  // An error of a bind is kept and returned by the next step. Bytes are not copied: REQUIRES that
  // they stay as they are until the statement is reset or bound anew.
  void bind_null(int parameter);
  void bind_integer(int parameter, std::int64_t value);
  void bind_natural(int parameter, std::uint64_t value);  // the same 64 bits, see natural()
  void bind_real(int parameter, double value);            // REQUIRES no NaN: SQLite makes it a null
  void bind_text(int parameter, std::string_view value);
  void bind_blob(int parameter, std::string_view value);
  void bind_text_copy(int parameter, std::string_view value);  // the bytes may go away
  void bind_blob_copy(int parameter, std::string_view value);

  Result<bool> step();  // true: there is a row; false: done
  Result<void> run();   // steps to the end and resets, also after an error
  void reset();

  int column_count() const;
  std::string column_name(int column) const;
  // As the table's column was declared; empty: without a type, or not of a table.
  std::string declared_type(int column) const;
  SqliteKind kind(int column) const;
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  std::uint64_t natural(int column) const;  // 64 bits that were bound as natural
  double real(int column) const;
  std::string_view text(int column) const;  // valid until the next step or reset
  std::string_view blob(int column) const;  // as text
  std::string string(int column) const { return std::string(text(column)); }

 private:
  friend class SqliteDatabase;
  SqliteStatement(const SqliteDatabase* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}
  void keep(int code);

  const SqliteDatabase* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
  int bind_error_ = 0;
};

class SqliteDatabase {
 public:
  enum class Access { read_only, read_write, create };

  // Opens the file and reads its header, so that a file of another kind is found here. `wait` is
  // how long a statement waits for the locks of others.
  static Result<std::unique_ptr<SqliteDatabase>> open(const std::filesystem::path& path,
                                                      Access access,
                                                      std::chrono::milliseconds wait);
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  // From here on run() and transactions take turns with those of this process's other connections
  // to the file that do so. SQLite by itself has them try again, between sleeps of up to 100 ms.
  void take_turns();

  // Runs one or more statements, rows are dropped.
  Result<void> execute(const std::string& sql);
  Result<SqliteStatement> prepare(std::string_view sql);
  // Runs one statement with `values` (text, integers, doubles) as its parameters, in order.
  template <class... Values> Result<void> run(std::string_view sql, const Values&... values);
  // Prepares one with its parameters, whose text is copied; the caller steps.
  template <class... Values>
  Result<SqliteStatement> query(std::string_view sql, const Values&... values);
  // The first column of the first row; 0 when there is none.
  Result<std::int64_t> query_integer(std::string_view sql);

  // Begins a transaction that reads: until it ends, nothing that others commit is seen. REQUIRES
  // that none is open. Errors: those above.
  Result<SqliteState> begin_reading();
  // Waits for the write lock first, so that the transaction can't fail half-way for want of it.
  Result<void> begin();
  // Has the system write what the file has grown by since the first call, but for what may lie in
  // the connection's cache, so that commit waits for less. Where there is a write-ahead log it does
  // nothing: transactions grow that, and COMMIT the file.
  void begin_writeback();
  Result<void> commit();  // on an error the transaction may still be open: roll back
  void rollback();        // harmless when there is none
  // A transaction is open. SQLite itself ends one on some errors (disk full, a trigger's ROLLBACK).
  bool in_transaction() const;
  // Foreign keys that are asked at the COMMIT are broken as yet.
  bool has_broken_keys() const;
  // Rows that the last INSERT, UPDATE or DELETE changed directly, without those of triggers.
  std::int64_t changes() const;
  std::int64_t last_insert_id() const;
  bool is_read_only() const;  // opened read_only, or the file can't be written
  const std::filesystem::path& path() const { return path_; }

  // The error of a result code of SQLite, with the connection's own message.
  Error error(int code) const;

 private:
  using Turn = std::unique_lock<std::mutex>;
  Turn wait_for_turn();  // owns nothing where none is to be taken, or this connection has it

  // What the files say now, of the last commit of anybody.
  Result<SqliteState> look_at_state();

  SqliteDatabase(sqlite3* handle, std::filesystem::path path, std::chrono::milliseconds wait)
      : handle_(handle), path_(std::move(path)), wait_(wait) {}

  sqlite3* handle_;
  std::filesystem::path path_;
  std::chrono::milliseconds wait_;
  std::unique_ptr<SqliteWriteback> writeback_;  // once it was asked for
  std::shared_ptr<std::mutex> turns_;
  Turn turn_;  // of the transaction
};

// Rolls back when it goes out of scope before commit() succeeded.
class SqliteTransaction {
 public:
  static Result<SqliteTransaction> begin(SqliteDatabase& database);
  SqliteTransaction(SqliteTransaction&& other) noexcept;
  SqliteTransaction& operator=(SqliteTransaction&&) = delete;
  ~SqliteTransaction();
  Result<void> commit();

 private:
  explicit SqliteTransaction(SqliteDatabase& database) : database_(&database) {}
  SqliteDatabase* database_;
};

namespace sqlite_detail {

template <class Value>
void bind(SqliteStatement& statement, int parameter, const Value& value, bool copy) {
  if constexpr (std::is_convertible_v<const Value&, std::string_view>) {
    if (copy) {
      statement.bind_text_copy(parameter, value);
    } else {
      statement.bind_text(parameter, value);
    }
  } else if constexpr (std::is_floating_point_v<Value>) {
    statement.bind_real(parameter, value);
  } else if constexpr (std::is_signed_v<Value>) {
    statement.bind_integer(parameter, value);
  } else {
    statement.bind_natural(parameter, value);
  }
}

}  // namespace sqlite_detail

template <class... Values>
Result<void> SqliteDatabase::run(std::string_view sql, const Values&... values) {
  TRANCHE_ASSIGN(SqliteStatement statement, prepare(sql));
  int parameter = 0;
  (sqlite_detail::bind(statement, ++parameter, values, false), ...);
  const Turn turn = wait_for_turn();
  return statement.run();
}

template <class... Values>
Result<SqliteStatement> SqliteDatabase::query(std::string_view sql, const Values&... values) {
  TRANCHE_ASSIGN(SqliteStatement statement, prepare(sql));
  int parameter = 0;
  (sqlite_detail::bind(statement, ++parameter, values, true), ...);
  return statement;
}

std::string sqlite_identifier(std::string_view name);  // "name", quotes doubled
std::string sqlite_literal(std::string_view text);     // 'text', quotes doubled

}  // namespace tranche
