// What the contract suites have to know of a system: how an input of it is made without our own
// code, and how what was written to it is read again. One class a connector; a connector without
// one fails the suites.
//
// Values are texts as append_value_text writes them, so that no suite knows a type.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/options.h>
#include <tranche/core/page.h>
#include <tranche/core/schema.h>

namespace tranche::contracts {

struct Table {
  Schema schema;
  std::vector<std::vector<std::optional<std::string>>> rows;
};

// What can befall a target, and when.
enum class Moment { before_recover, before_apply, before_commit, before_seal };

class System {
 public:
  virtual ~System() = default;

  // ---- Inputs
  virtual bool reads(Type) const { return true; }
  virtual void make_input(const Table& table) = 0;
  // False: a column that no record has is one of nulls.
  virtual bool knows_its_columns() const { return true; }
  // `read:` of it, with these columns where the job declares any.
  virtual Node input(const Schema& columns) const = 0;

  // ---- Outputs
  virtual bool writes(Type) const { return true; }
  // As what a column that was written is read.
  virtual Type read_back(Type type) const { return type; }
  // Values that the system can't hold are rejects, or written otherwise.
  virtual bool holds(Type, const std::string&) const { return true; }
  // `write:` of it; `mode` is one of the option's choices, empty where there is no such option.
  virtual Node output(const std::string& mode) const = 0;
  // `read:` of what was written; nullopt: there is nothing.
  virtual std::optional<Node> output_as_input(const Schema& columns) const = 0;
  // Puts something in the output's place that can't take such records.
  virtual void make_misfit() = 0;
  // Makes the target unusable for a while, at one of these moments.
  virtual std::vector<Moment> troubles() const = 0;
  virtual void hurt(Moment moment) = 0;
  virtual void mend() = 0;
};

// nullptr: nobody has written one for this connector.
std::unique_ptr<System> make_system(const std::string& connector,
                                    const std::filesystem::path& folder);
std::unique_ptr<System> make_csv_system(const std::filesystem::path& folder);
std::unique_ptr<System> make_jsonl_system(const std::filesystem::path& folder);
std::unique_ptr<System> make_parquet_system(const std::filesystem::path& folder);
std::unique_ptr<System> make_postgres_system();
std::unique_ptr<System> make_sqlite_system(const std::filesystem::path& folder);
std::unique_ptr<System> make_duckdb_system(const std::filesystem::path& folder);
std::unique_ptr<System> make_http_system(const std::filesystem::path& folder);

// Columns `id` and one of each type, `rows` rows: their extremes, nulls and what is worth a look,
// in turn. Types and values that `keeps` refuses are left out, or null.
using Keeps = std::function<bool(Type)>;
using Holds = std::function<bool(Type, const std::string&)>;
Table every_type(std::size_t rows, const Keeps& keeps, const Holds& holds);
Table rows_of(const Table& table, std::size_t begin, std::size_t end);

// The text of a value as append_value_text writes it; json without blanks.
std::string canonical(Type type, const std::string& text);
// Rows as texts with a bar between, "~" for a null.
std::vector<std::string> texts_of(const Table& table);

// The table as a page; DuckDB makes it.
Page page_of(const Table& table, std::uint64_t first_record = 0);
// "SELECT CAST(id AS BIGINT) AS id, ... FROM (VALUES ...) ..." in DuckDB's SQL.
std::string select_of(const Table& table);

// `columns:` of a job.
Node columns_node(const Schema& schema);
Node names_node(const Schema& schema);

}  // namespace tranche::contracts
