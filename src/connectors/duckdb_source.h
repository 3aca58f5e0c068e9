// The source `duckdb`: a table or a query of a DuckDB database file, read by ranges of a key, which
// is the row's number where the job names none.
//
// The file is opened for reading by the engine and by each worker; as long as one of them has it,
// no other process can write to it, so all batches see one state.
// Threads and lifetime: as core/source.h says; the connection of the source belongs to the thread
// that divides, each worker has its own.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/source.h>

#include "connectors/key_ranges.h"
#include "connectors/table_increment.h"
#include "drivers/duckdb_database.h"

namespace tranche {

// A name of what the file holds, by which it is known again.
Result<std::string> duckdb_state(const std::filesystem::path& path);
// A connection that finds the file's tables under their plain names.
Result<std::unique_ptr<DuckConnection>> connect_to_file(DuckDatabase& database,
                                                        const std::filesystem::path& path);

struct DuckSourceOptions {
  std::string name;            // the database file as the user wrote it
  std::filesystem::path path;  // absolute
  std::string table;           // or
  std::string query;
  std::vector<std::string> columns;  // which, and in which order; empty: all
  Schema types;                      // of columns that are read as something else
  std::string key;                   // empty: the row's number
  std::optional<IncrementUse> increment;
};

class DuckSource final : public Source {
 public:
  explicit DuckSource(DuckSourceOptions options) : options_(std::move(options)) {}

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
  bool uses_database() const override { return true; }
  std::uint64_t planner_bytes() const override;
  std::vector<std::string> keeps_from_writing() const override;

 private:
  std::string what() const;
  std::string from() const;
  std::string selected(const std::string& column) const;
  std::string list() const;
  std::string order() const;
  Result<void> look();
  Result<void> find_columns();
  Result<void> sample();
  Result<void> use_key(const std::string& key);
  Result<Type> type_of(const std::string& column, std::string_view role) const;
  Result<std::string> increment_end(const IncrementUse& use) const;
  Result<std::string> increment_filter(const IncrementUse& use, const Input& input) const;
  Result<void> check_unchanged() const;
  std::string where(const KeyRange& range) const;

  DuckSourceOptions options_;
  std::vector<Input> inputs_;
  std::shared_ptr<DuckDatabase> database_;      // from look() on, with the file
  std::unique_ptr<DuckConnection> connection_;  // for everything but a walk over the keys
  SchemaPtr all_;                               // of the table or query
  SchemaPtr schema_;                            // of what is read
  bool has_rowid_ = false;
  std::string key_;  // as SQL; empty: none yet
  Type key_type_;
  WindowEnd window_end_;    // where the job divides by time
  std::string read_until_;  // by earlier runs
  std::string filter_;      // of the increment; empty: none
  std::uint64_t rows_ = 0;  // of a table
  std::uint64_t record_bytes_ = 1;
};

}  // namespace tranche
