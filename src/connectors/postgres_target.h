// Where a step writes: a table of a PostgreSQL database, as the job names it, and the database's
// own record of commits.
//
// Threads: one at a time. Lifetime: value types and functions of a connection of the caller's.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/sink.h>

#include "connectors/table_commits.h"
#include "drivers/postgres.h"

namespace tranche::postgres {

using Mode = TableMode;

// A name with its schema; without one, the schema is the session's own.
struct TableName {
  std::string schema;
  std::string table;
  std::string sql() const;   // "public"."sales"
  std::string text() const;  // public.sales
  bool operator==(const TableName&) const = default;
};
// `sales`, `public.sales`, `"My Shop"."a.b"`: taken as written, with quotes around what holds a
// dot or a quote. nullopt: it names no table.
std::optional<TableName> parse_table_name(std::string_view text);
// The value of an option. Errors: config, naming the option.
Result<TableName> read_table_name(const std::string& text, std::string_view option);

// Rows of the option tables: the database, and how long a lock is waited for.
Option database_option();
Option lock_wait_option();

struct Target {
  std::string url;  // with its password
  PostgresPlace place;
  TableName table;
  Mode mode = Mode::append;
  std::vector<std::string> key;  // of upsert
  TableName commits_table;       // in the table's schema, when it names none
  PostgresTimeouts timeouts;
  std::string named() const;  // "Table sales of db.example:5432/shop", for messages
  TablePlace table_place() const;
};

// The table beside the real one that a replacing run fills.
TableName staging_table(const TableName& table, const std::string& run_id);

// Opens a connection and gives the target's names their schemas, where the job left them out.
Result<std::unique_ptr<PostgresConnection>> connect(Target& target);

// tranche_commits: a row a committed group, and a row with batch -1 for the seal, each written in
// the transaction of what it stands for.
class CommitRecord {
 public:
  CommitRecord(PostgresConnection& connection, const Target& target)
      : connection_(connection),
        table_(target.commits_table),
        sql_name_(target.commits_table.sql()),
        place_(target.place) {}

  Result<bool> exists();
  // Whether the table, when there is one, is such a record. Errors: config.
  Result<void> check();
  // When it is missing; nobody else creates it meanwhile. REQUIRES an open transaction.
  Result<void> create();
  Result<std::vector<Receipt>> receipts(const SinkRun& run);  // in order, without the seal
  Result<std::optional<Receipt>> find(const SinkRun& run, std::uint64_t group);
  Result<bool> is_sealed(const SinkRun& run);
  // Waits for whoever is inserting the same. False: it is there already.
  Result<bool> insert(const SinkRun& run, const Receipt& receipt);
  // Rows and digest of what the table took in the end.
  Result<void> set_acknowledged(const SinkRun& run, const Receipt& receipt);
  Result<void> insert_seal(const SinkRun& run, std::uint64_t rows);
  Result<void> erase(const SinkRun& run);

  // For watermarks (table_commits.h).
  const std::string& sql_name() const { return sql_name_; }
  static std::string literal(std::string_view text) { return postgres_literal(text); }
  Result<bool> has_column(std::string_view name);
  Result<void> execute(const std::string& sql);
  Result<std::optional<std::string>> first_text(const std::string& sql);  // nullopt: no row

 private:
  Result<bool> insert_row(const SinkRun& run, std::int64_t batch, const Receipt& receipt);

  PostgresConnection& connection_;
  TableName table_;
  std::string sql_name_;
  PostgresPlace place_;
};

}  // namespace tranche::postgres
