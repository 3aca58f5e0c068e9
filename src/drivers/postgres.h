// Connections to PostgreSQL: queries, transactions and COPY, released by their destructors.
//
// Threads: a connection belongs to one thread at a time; two threads open two.
// Lifetime: what a connection hands out (bytes of a row) says how long it holds.
// Errors, by what the caller does next:
//   transient   the connection is lost or was refused for now, a deadlock, a serialization failure,
//               a lock that was not got in time, a server that shuts down or has no room: roll
//               back, open a new connection, try again
//   bad_record  the server refused a row: its value (class 22), a constraint (23), an error that a
//               trigger or a function raised for it
//   config      no such database, user, table or column, a wrong password, no permission
//   in_doubt    the connection was lost during COMMIT: whether it happened, only the server knows
//   memory      the server is out of memory
//   failed      everything else: the disk is full, the server is damaged, wrong SQL of ours
// The password is in no message.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <tranche/base/result.h>

struct pg_conn;
struct pg_result;

namespace tranche {

// Where a URL leads, without the password.
struct PostgresPlace {
  std::string host;  // a name, an address, or the folder of a Unix socket; empty: libpq's default
  std::string port;
  std::string database;
  std::string user;
};
// Parses postgresql://user:password@host:port/database?options. Errors: config, and the message
// holds nothing of the URL.
Result<PostgresPlace> parse_postgres_url(const std::string& url);
std::string to_string(const PostgresPlace& place);  // "host:5432/warehouse"

// What the server said about the last statement that failed.
struct PostgresFailure {
  std::string sqlstate;  // empty: the failure is not the server's (a lost connection)
  std::string message;
  std::string detail;
  std::string hint;
  std::string context;  // of COPY: "COPY sales, line 7"
  // What it is about, when it is a constraint, or a null where there may be none.
  std::string table;
  std::string column;
  std::string constraint;
  // "23505: duplicate key ...: Key (id)=(7) already exists."
  std::string sentence() const;
};

// Rows of a query, as text.
class PostgresRows {
 public:
  PostgresRows() = default;
  explicit PostgresRows(pg_result* result) : result_(result) {}
  PostgresRows(PostgresRows&& other) noexcept;
  PostgresRows& operator=(PostgresRows&& other) noexcept;
  ~PostgresRows();
  std::size_t size() const;
  std::size_t column_count() const;
  std::string column_name(std::size_t column) const;
  std::uint32_t column_type(std::size_t column) const;     // its oid; of a domain: of its base
  std::int32_t column_modifier(std::size_t column) const;  // of the type; -1: it has none
  bool is_null(std::size_t row, std::size_t column) const;
  std::string_view text(std::size_t row, std::size_t column) const;  // while the rows live
  std::string string(std::size_t row, std::size_t column) const {
    return std::string(text(row, column));
  }
  bool boolean(std::size_t row, std::size_t column) const { return text(row, column) == "t"; }
  std::int64_t integer(std::size_t row, std::size_t column) const;  // 0 for what is none
  std::uint64_t natural(std::size_t row, std::size_t column) const {
    return static_cast<std::uint64_t>(integer(row, column));
  }
  std::uint64_t affected() const;  // rows that an INSERT, UPDATE, DELETE or COPY changed

 private:
  pg_result* result_ = nullptr;
};

struct PostgresTimeouts {
  std::chrono::seconds connect{10};
  std::chrono::milliseconds network{60000};  // sent bytes that nobody acknowledges
  std::chrono::milliseconds lock{10000};     // one wait for a lock; 0: for ever
};

class PostgresConnection {
 public:
  // Sessions have synchronous_commit=on, UTF8, and dates, numbers and floats in the one form that
  // this project reads.
  static Result<std::unique_ptr<PostgresConnection>> open(const std::string& url,
                                                          const PostgresTimeouts& timeouts = {});
  // The same; it may be one that was given back, with a session like new, see KeptConnections.
  static Result<std::unique_ptr<PostgresConnection>> borrow(const std::string& url,
                                                            const PostgresTimeouts& timeouts = {});
  ~PostgresConnection();
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  // One or more statements; their rows are dropped.
  Result<void> execute(const std::string& sql);
  // One statement with parameters $1, $2, ... (text and numbers).
  template <class... Values>
  Result<PostgresRows> query(const std::string& sql, const Values&... values) {
    return query_with(sql, {parameter(values)...});
  }
  // The first column of the first row; 0 when there is none.
  Result<std::int64_t> query_integer(const std::string& sql);

  Result<void> begin() { return execute("BEGIN"); }
  // Errors: in_doubt, when the connection is lost on the way. A transaction that an earlier error
  // has already failed is an error here too, not a silent rollback.
  Result<void> commit();
  void rollback();  // harmless when there is none, or no connection
  bool in_transaction() const;
  bool is_alive() const;  // false: open a new one

  // COPY ... FROM STDIN. `sql` may be several statements, of which the COPY is the last.
  // Errors that the server finds in the rows come with finish_copy_in.
  Result<void> begin_copy_in(const std::string& sql);
  Result<void> put(std::string_view bytes);
  Result<std::uint64_t> finish_copy_in();  // rows copied
  // Ends it without a row copied; the transaction has failed.
  void cancel_copy_in();

  // COPY ... TO STDOUT. Bytes are valid until the next call. A piece holds whole rows: in binary,
  // the first one begins with the header, the last one is the trailer.
  Result<void> begin_copy_out(const std::string& sql);
  Result<std::optional<std::string_view>> next_copied();  // nullopt: the end, all rows came

  const PostgresFailure& last_failure() const { return failure_; }
  const PostgresPlace& place() const { return place_; }
  std::int64_t server_version() const;  // 150018
  // The descriptor of the socket, and the number of the server's process: for tests and waits.
  int backend() const;

 private:
  PostgresConnection(pg_conn* handle, PostgresPlace place)
      : handle_(handle), place_(std::move(place)) {}
  static std::string parameter(std::string_view value) { return std::string(value); }
  static std::string parameter(const std::string& value) { return value; }
  static std::string parameter(const char* value) { return value; }
  template <class Number>
  requires std::is_integral_v<Number>
  static std::string parameter(Number value) { return std::to_string(value); }
  Result<PostgresRows> query_with(const std::string& sql, const std::vector<std::string>& values);
  Error failed(const pg_result* result);
  Result<PostgresRows> last_result();  // of all that a COPY still has to say
  void drop_copied();
  void give_back();

  pg_conn* handle_;
  PostgresPlace place_;
  PostgresFailure failure_;
  char* copied_ = nullptr;
  std::string borrowed_as_;  // by what it is found again; empty: it ends with this
};

// While one lives, connections that were borrowed are kept for the next who borrows one to the same
// database: for a new one the server makes a process, which reads its catalogs first.
// Threads: any. Lifetime: the last one ends those that nobody has borrowed.
class KeptConnections {
 public:
  KeptConnections();
  ~KeptConnections();
  KeptConnections(const KeptConnections&) = delete;
  KeptConnections& operator=(const KeptConnections&) = delete;
};

// Rolls back when it goes out of scope before commit() succeeded.
class PostgresTransaction {
 public:
  static Result<PostgresTransaction> begin(PostgresConnection& connection);
  PostgresTransaction(PostgresTransaction&& other) noexcept;
  PostgresTransaction& operator=(PostgresTransaction&&) = delete;
  ~PostgresTransaction();
  Result<void> commit();

 private:
  explicit PostgresTransaction(PostgresConnection& connection) : connection_(&connection) {}
  PostgresConnection* connection_;
};

// The kind of an error of the server by its SQLSTATE, as described above.
ErrorKind postgres_error_kind(std::string_view sqlstate);

std::string postgres_identifier(std::string_view name);  // "name", quotes doubled
std::string postgres_literal(std::string_view text);     // 'text', whatever the settings

}  // namespace tranche
