// A database as `backup`, `restore` and `migrate` look at it: its catalog, one state of it that is
// held while others read it, and what of a script it would take.
//
// Threads: one. Lifetime: what is held is held until it is destroyed; what was tried is gone then.
// Errors: config: it can't be opened, or read; transient, failed: as the drivers have them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "connectors/catalog.h"

namespace tranche {

// One state of a database.
struct HeldState {
  // Equal for equal contents: what a resume compares.
  std::string state;
  // What the sources' option `snapshot` takes; empty: they find the state by themselves.
  std::string snapshot;
};

class CatalogDatabase {
 public:
  virtual ~CatalogDatabase() = default;
  // From here on the catalog is that of this state, and others can read it.
  virtual Result<HeldState> hold() = 0;
  virtual Result<Catalog> catalog() = 0;
  // What a statement would say to it. REQUIRES open_for_trial.
  virtual Result<void> begin_trial() = 0;
  virtual Result<void> execute(const std::string& sql) = 0;
  virtual Result<void> keep_trial() = 0;
  virtual void undo_trial() = 0;
};

// A database of this system ("postgres", "sqlite", "duckdb"), by its URL or its path.
struct DatabasePlace {
  std::string system;
  std::string url;              // of PostgreSQL with the password
  std::string unresolved = {};  // how the ledger keeps it, see Node; empty: without the password
  std::string name() const;     // for people and for the ledger: without it
  bool is_file() const { return system != "postgres"; }
};
// postgresql://..., sqlite:path, duckdb:path. Relative paths become absolute ones.
// Errors: usage.
Result<DatabasePlace> parse_database(const std::string& text);

// Errors: config, where there is no such database.
Result<std::unique_ptr<CatalogDatabase>> open_to_read(const DatabasePlace& place);
// Where statements can be tried out: a scratch database of the same system, or, of a server, a
// transaction of the database itself that never commits.
Result<std::unique_ptr<CatalogDatabase>> open_for_trial(const DatabasePlace& place);
// Executes statements for good, in one transaction.
Result<void> execute_in(const DatabasePlace& place, const std::vector<std::string>& statements);
// Takes the run's rows out of the record of commits, and that away when nothing is left in it.
Result<void> forget_commits(const DatabasePlace& place, const std::string& run);
// Deletes all rows of a table, and the record of the step's commits.
Result<void> take_rows_out(const DatabasePlace& place, const CatalogName& table,
                           const std::string& run, const std::string& step);
// Whether a table has a row.
Result<bool> has_rows(const DatabasePlace& place, const CatalogName& table);

// Of each system.
Result<std::unique_ptr<CatalogDatabase>> open_postgres_catalog(const std::string& url);
Result<std::unique_ptr<CatalogDatabase>> open_sqlite_catalog(const std::filesystem::path& path);
Result<std::unique_ptr<CatalogDatabase>> open_duckdb_catalog(const std::filesystem::path& path);
Result<std::unique_ptr<CatalogDatabase>> try_in_postgres(const std::string& url);
Result<std::unique_ptr<CatalogDatabase>> try_in_sqlite();
Result<std::unique_ptr<CatalogDatabase>> try_in_duckdb();

// The parts of a CREATE TABLE that no pragma tells: checks, and expressions of computed columns.
struct CreateTableParts {
  std::vector<CatalogCheck> checks;
  std::vector<std::pair<std::string, std::string>> generated;  // column and expression
  bool has_autoincrement = false;
};
CreateTableParts parse_create_table(std::string_view sql);
struct IndexParts {
  std::vector<std::string> parts;
  std::string where;
};
IndexParts parse_create_index(std::string_view sql);
// What a view is of; empty: it is no CREATE VIEW.
std::string parse_create_view(std::string_view sql);

}  // namespace tranche
