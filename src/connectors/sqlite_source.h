// The source `sqlite`: a table or a query of a SQLite database, read by ranges of a key, which is
// the row's number where the job names none.
//
// All that a run reads is one state of the database. The transaction that the source holds keeps
// writers out, or, where the database has a write-ahead log, goes on seeing what was there; workers
// begin transactions of their own, and find out whether they see the same state.
// Threads and lifetime: as core/source.h says; the connection that is held belongs to the thread
// that divides, each worker has its own.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/source.h>

#include "connectors/sqlite_increment.h"
#include "connectors/sqlite_keys.h"
#include "connectors/sqlite_values.h"
#include "connectors/time_windows.h"

namespace tranche::sqlite {

// A name of the state, by which it is known again.
Result<std::string> snapshot_name(const SqliteState& state, const std::filesystem::path& path);

struct SourceOptions {
  std::string name;            // the database file as the user wrote it
  std::filesystem::path path;  // absolute
  std::string table;           // or
  std::string query;
  std::vector<std::string> columns;   // which, and in which order; empty: all
  Schema types;                       // of columns that are not what they were declared as
  std::vector<std::string> literals;  // of columns that are read as such
  std::string key;                    // empty: the row's number
  std::optional<IncrementUse> increment;
  std::chrono::milliseconds lock_wait{10000};
  std::string snapshot;  // the state that it must be in; empty: any
};

class TableSource final : public Source {
 public:
  explicit TableSource(SourceOptions options) : options_(std::move(options)) {}

  bool is_incremental() const override { return options_.increment.has_value(); }
  void read_behind(std::string until) override { read_until_ = std::move(until); }
  Result<std::vector<Input>> inputs() override;
  Result<void> use_inputs(std::vector<Input> inputs) override;
  Result<SchemaPtr> schema() override;
  Result<void> use_division(const Division& division) override;
  Result<std::unique_ptr<SliceStream>> divide(const Slice* after) override;
  Result<std::unique_ptr<Reader>> open(const Slice& slice, WorkerScope& worker) const override;
  Result<std::optional<std::uint64_t>> digest(const Slice& slice) const override;
  Division default_division() const override;
  std::vector<std::string> notes() const override;
  std::vector<std::string> keeps_from_writing() const override;

 private:
  std::string what() const;  // the table, or "the query", for messages and origins
  Result<void> look();
  Result<void> find_table();
  Result<void> find_columns();
  Result<void> find_types(const SqliteStatement& statement);
  Result<void> sample();
  Result<void> use_key(const std::string& key);
  Result<TimeForm> form_of_windows(const Slice* after);
  std::vector<Taken> taken() const;
  std::optional<Type> known_type(const SqliteStatement& statement, int at) const;
  Result<NamedColumn> increment_column();

  SourceOptions options_;
  std::vector<Input> inputs_;
  std::unique_ptr<SqliteDatabase> database_;  // from look() on, with its reading transaction
  SqliteState state_;
  std::string snapshot_;  // the name of that state
  ReadShape shape_;
  std::optional<TimeWindows> windows_;  // of the key
  std::string read_until_;              // by earlier runs
  std::vector<std::string> names_;      // of all columns
  SchemaPtr schema_;
  std::vector<std::string> guessed_;  // columns whose type only their values told
  std::string only_key_;              // of a table WITHOUT ROWID
  bool is_key_indexed_ = true;
  std::uint64_t rows_about_ = 0;    // 0: unknown
  std::uint64_t record_bytes_ = 1;  // in the database, about
  std::uint64_t record_memory_bytes_ = 1;
};

}  // namespace tranche::sqlite
