// Where a step writes: a table of a SQLite database, as the job names it, and the database's own
// record of commits.
//
// Threads: one at a time. Lifetime: value types and functions of a database of the caller's.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/sink.h>

#include "connectors/table_commits.h"
#include "drivers/sqlite.h"

namespace tranche::sqlite {

using Mode = TableMode;

// Rows of the option tables: the file that is written to, and how long its lock is waited for.
Option written_file_option();
Option lock_wait_option();
Option foreign_keys_option();

struct Target {
  std::filesystem::path database;  // absolute
  std::string table;
  Mode mode = Mode::append;
  std::vector<std::string> key;       // of upsert
  std::vector<std::string> literals;  // columns that are stored as what their literals say
  std::string commits_table;
  std::chrono::milliseconds lock_wait{10000};
  bool checks_foreign_keys = true;
  std::string place() const;  // "Table sales of /data/w.db", for messages
  TablePlace table_place() const;
};

// The table beside the real one that a replacing run fills.
std::string staging_table(const Target& target, const std::string& run_id);

// Opens the database for writing: every commit is on the disk, its folder's entry included, before
// it is acknowledged (synchronous=EXTRA, which also covers a rollback journal's removal); foreign
// keys are enforced; the journal mode stays as it is. Creates a missing file when `create`.
Result<std::unique_ptr<SqliteDatabase>> open_for_writing(const Target& target, bool create);

// tranche_commits: a row a committed group, and a row with batch -1 for the seal, each written in
// the transaction of what it stands for.
class CommitRecord {
 public:
  CommitRecord(SqliteDatabase& database, const Target& target)
      : database_(database),
        table_(target.commits_table),
        sql_name_(sqlite_identifier(target.commits_table)) {}

  Result<bool> exists();
  // Whether the table, when there is one, is such a record. Errors: config.
  Result<void> check();
  Result<void> create();                                      // when missing
  Result<std::vector<Receipt>> receipts(const SinkRun& run);  // in order, without the seal
  Result<std::optional<Receipt>> find(const SinkRun& run, std::uint64_t group);
  Result<bool> is_sealed(const SinkRun& run);
  // Errors: bad_record, when it is there already.
  Result<void> insert(const SinkRun& run, const Receipt& receipt);
  // Rows and digest of what the table took in the end.
  Result<void> set_acknowledged(const SinkRun& run, const Receipt& receipt);
  Result<void> insert_seal(const SinkRun& run, std::uint64_t rows);
  Result<void> erase(const SinkRun& run);

  // For watermarks (table_commits.h).
  const std::string& sql_name() const { return sql_name_; }
  static std::string literal(std::string_view text) { return sqlite_literal(text); }
  Result<bool> has_column(std::string_view name);
  Result<void> execute(const std::string& sql);
  Result<std::optional<std::string>> first_text(const std::string& sql);  // nullopt: no row

 private:
  Result<void> insert_row(const SinkRun& run, std::int64_t batch, const Receipt& receipt);

  SqliteDatabase& database_;
  std::string table_;
  std::string sql_name_;
};

// Replacing (sqlite_replace.cpp).
// Creates the staging table: shaped and constrained like the table it will replace, or, when there
// is none, for the schema. REQUIRES an open transaction.
Result<void> create_staging(SqliteDatabase& database, const Target& target, const Schema& schema,
                            const std::string& staging);
// Puts what is in the staging table in the place of the table: by a swap, or, where indexes,
// triggers, views or foreign keys depend on the table, row by row. REQUIRES an open transaction,
// and foreign keys not enforced. Errors: failed, when rows of other tables would lose their
// parents.
Result<void> replace_table(SqliteDatabase& database, const Target& target,
                           const std::string& staging);

}  // namespace tranche::sqlite
