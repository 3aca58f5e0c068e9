// Where a step writes: a table of a DuckDB database file, as the job names it, what that table is
// like, and the database's own record of commits.
//
// Threads: one at a time. Lifetime: value types and functions of a connection of the caller's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/sink.h>

#include "connectors/table_commits.h"
#include "drivers/duckdb_database.h"

namespace tranche::duck {

using Mode = TableMode;

// Rows of the option tables: the file that is written to, and what DuckDB may hold in memory.
Option written_file_option();
Option memory_option();

struct Target {
  std::filesystem::path database;  // absolute
  std::string table;
  Mode mode = Mode::append;
  std::vector<std::string> key;  // of upsert
  std::string commits_table;
  std::uint64_t memory_bytes = 0;  // the same at each start: a log is replayed within it
  std::string place() const;       // "Table sales of /data/w.duckdb", for messages
  TablePlace table_place() const;
};

// The table beside the real one that a replacing run fills.
std::string staging_table(const Target& target, const std::string& run_id);

struct TableColumn {
  std::string name;
  std::string type;  // in DuckDB's words
  bool not_null = false;
  bool has_default = false;
};

struct TableShape {
  std::string name;
  bool is_view = false;
  std::vector<TableColumn> columns;
  std::vector<std::vector<std::string>> unique;  // sets of columns that no two rows have alike
  std::vector<std::string> indexes;              // made by CREATE INDEX
  std::vector<std::string> referring;            // tables with a foreign key to it
  std::string sql;                               // that creates it
  const TableColumn* find(std::string_view column) const;
};

bool contains_name(const std::vector<std::string>& names, std::string_view name);
bool same_names(const std::vector<std::string>& a, const std::vector<std::string>& b);

// nullopt: there is no such table.
Result<std::optional<TableShape>> read_shape(DuckConnection& connection, const std::string& table);
// Whether rows of `schema` can go into the table unchanged. Errors: config.
Result<void> check_shape(const Schema& schema, const TableShape& shape, const Target& target);
// A table for the schema; with a primary key when `key` is not empty.
std::string create_table_sql(const Schema& schema, const std::string& table,
                             const std::vector<std::string>& key);
// The table's own definition under another name.
std::string create_like_sql(const TableShape& shape, const std::string& table);

// tranche_commits: a row a committed group, and a row with batch -1 for the seal, each written in
// the transaction of what it stands for. No primary key: the database is this process's alone, and
// an index would have to be rebuilt from the log.
class CommitRecord {
 public:
  CommitRecord(DuckConnection& connection, const Target& target)
      : connection_(connection), table_(sql_identifier(target.commits_table)), target_(target) {}

  Result<bool> exists();
  // Whether the table, when there is one, is such a record. Errors: config.
  Result<void> check();
  Result<void> create();                                      // when missing
  Result<std::vector<Receipt>> receipts(const SinkRun& run);  // in order, without the seal
  Result<std::optional<Receipt>> find(const SinkRun& run, std::uint64_t group);
  Result<bool> is_sealed(const SinkRun& run);
  Result<void> insert(const SinkRun& run, const Receipt& receipt);
  Result<void> insert_seal(const SinkRun& run, std::uint64_t rows);
  Result<void> erase(const SinkRun& run);

  // For watermarks (table_commits.h).
  const std::string& sql_name() const { return table_; }
  static std::string literal(std::string_view text) { return sql_literal(text); }
  Result<bool> has_column(std::string_view name);
  Result<void> execute(const std::string& sql);
  Result<std::optional<std::string>> first_text(const std::string& sql);  // nullopt: no row

 private:
  Result<std::vector<Receipt>> select(const SinkRun& run, const std::string& condition);
  Result<void> insert_row(const SinkRun& run, std::int64_t batch, const Receipt& receipt);

  DuckConnection& connection_;
  std::string table_;
  const Target& target_;
};

// Runs a statement whose rows nobody wants.
Result<void> run(DuckConnection& connection, const std::string& sql);

}  // namespace tranche::duck
