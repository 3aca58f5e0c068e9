// The catalog of a DuckDB file.
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "connectors/catalog_database.h"
#include "connectors/duckdb_source.h"
#include "connectors/duckdb_target.h"

namespace tranche {
namespace {

constexpr std::uint64_t memory_bytes = 128ULL << 20;

std::int64_t number(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::vector<std::string> names_of(const std::string& joined) {
  return joined.empty() ? std::vector<std::string>() : split(joined, '\x1f');
}

// nextval('t_id_seq'), as DuckDB spells it.
std::string numbering_sequence(const std::string& default_sql) {
  constexpr std::string_view head = "nextval('";
  const std::size_t end = default_sql.find("')");
  if (!default_sql.starts_with(head) || end == std::string::npos) return {};
  std::string name = default_sql.substr(head.size(), end - head.size());
  std::erase(name, '"');
  return name.starts_with("main.") ? name.substr(5) : name;
}

class DuckCatalog final : public CatalogDatabase {
 public:
  DuckCatalog(std::shared_ptr<DuckDatabase> database, std::unique_ptr<DuckConnection> connection,
              std::filesystem::path path)
      : database_(std::move(database)),
        connection_(std::move(connection)),
        path_(std::move(path)) {}

  // As long as the file is attached, no other process writes to it.
  Result<HeldState> hold() override {
    TRANCHE_ASSIGN(std::string state, duckdb_state(path_));
    return HeldState{std::move(state), ""};
  }

  Result<Catalog> catalog() override {
    Catalog catalog;
    catalog.system = "duckdb";
    TRANCHE_TRY(read_tables(catalog));
    TRANCHE_TRY(read_columns(catalog));
    TRANCHE_TRY(read_constraints(catalog));
    TRANCHE_TRY(read_indexes(catalog));
    TRANCHE_TRY(read_sequences(catalog));
    TRANCHE_TRY(read_others(catalog));
    return catalog;
  }

  Result<void> begin_trial() override { return duck::run(*connection_, "BEGIN"); }
  Result<void> execute(const std::string& sql) override { return duck::run(*connection_, sql); }
  Result<void> keep_trial() override { return duck::run(*connection_, "COMMIT"); }
  void undo_trial() override { static_cast<void>(connection_->execute("ROLLBACK")); }

 private:
  using Rows = std::vector<std::vector<std::string>>;
  // Rows of one of DuckDB's own table functions, about the file's main schema.
  Result<Rows> read(const std::string& columns, const std::string& of,
                    const std::string& more = "") {
    return connection_->query_texts(
        fmt::format("SELECT {} FROM {}() WHERE database_name = current_database() AND schema_name "
                    "= 'main'{}",
                    columns, of, more));
  }

  CatalogTable* table_of(Catalog& catalog, const std::string& name) {
    const auto found = tables_.find(name);
    return found == tables_.end() ? nullptr : &catalog.tables[found->second];
  }

  Result<void> read_tables(Catalog& catalog) {
    TRANCHE_ASSIGN(const Rows rows,
                   read("table_name, sql, CAST(estimated_size AS VARCHAR)", "duckdb_tables",
                        " AND NOT temporary AND NOT internal AND table_name <> "
                        "'tranche_commits' ORDER BY table_name"));
    for (const auto& row : rows) {
      CatalogTable table;
      table.name.name = row[0];
      table.definition = row[1];
      while (table.definition.ends_with(';')) table.definition.pop_back();
      table.rows = static_cast<std::uint64_t>(number(row[2]));
      tables_.emplace(row[0], catalog.tables.size());
      catalog.tables.push_back(std::move(table));
    }
    return {};
  }

  Result<void> read_columns(Catalog& catalog) {
    TRANCHE_ASSIGN(const Rows rows, read("table_name, column_name, data_type, is_nullable, "
                                         "coalesce(column_default, '')",
                                         "duckdb_columns", " ORDER BY table_name, column_index"));
    for (const auto& row : rows) {
      CatalogTable* const table = table_of(catalog, row[0]);
      if (table == nullptr) continue;
      CatalogColumn column;
      column.name = row[1];
      column.declared = row[2];
      const auto type = parse_type(row[2]);
      column.is_text_of = !type;
      column.type = type ? *type : Type{TypeId::varchar};
      column.not_null = row[3] == "false";
      column.default_sql = row[4];
      for (const auto& [name, expression] : parse_create_table(table->definition).generated) {
        if (to_lower(name) != to_lower(column.name)) continue;
        column.generated = expression;
        column.default_sql.clear();
      }
      column.sequence = numbering_sequence(column.default_sql);
      table->columns.push_back(std::move(column));
    }
    return {};
  }

  Result<void> read_constraints(Catalog& catalog) {
    TRANCHE_ASSIGN(
        const Rows rows,
        read("table_name, constraint_type, coalesce(expression, ''), "
             "array_to_string(constraint_column_names, chr(31)), coalesce(referenced_table, ''), "
             "coalesce(array_to_string(referenced_column_names, chr(31)), '')",
             "duckdb_constraints", " ORDER BY table_name, constraint_index"));
    for (const auto& row : rows) {
      CatalogTable* const table = table_of(catalog, row[0]);
      if (table == nullptr) continue;
      if (row[1] == "CHECK") table->checks.push_back({"", row[2]});
      if (row[1] == "PRIMARY KEY" || row[1] == "UNIQUE")
        table->keys.push_back({"", names_of(row[3]), row[1] == "PRIMARY KEY", ""});
      if (row[1] == "FOREIGN KEY")
        table->foreign_keys.push_back(
            {"", names_of(row[3]), CatalogName{"", row[4]}, names_of(row[5]), "", "", ""});
    }
    return {};
  }

  Result<void> read_indexes(Catalog& catalog) {
    TRANCHE_ASSIGN(const Rows rows, read("table_name, index_name, is_unique, coalesce(sql, '')",
                                         "duckdb_indexes", " ORDER BY index_name"));
    for (const auto& row : rows) {
      CatalogTable* const table = table_of(catalog, row[0]);
      if (table == nullptr) continue;
      table->indexes.push_back(
          {row[1], parse_create_index(row[3]).parts, row[2] == "true", "", row[3]});
    }
    return {};
  }

  Result<void> read_sequences(Catalog& catalog) {
    TRANCHE_ASSIGN(const Rows rows,
                   read("sequence_name, CAST(start_value AS VARCHAR), CAST(increment_by AS "
                        "VARCHAR), CAST(min_value AS VARCHAR), CAST(max_value AS VARCHAR), cycle, "
                        "coalesce(CAST(last_value AS VARCHAR), '')",
                        "duckdb_sequences", " ORDER BY sequence_name"));
    for (const auto& row : rows) {
      CatalogSequence sequence;
      sequence.name.name = row[0];
      sequence.start = number(row[1]);
      sequence.increment = number(row[2]);
      sequence.minimum = number(row[3]);
      sequence.maximum = number(row[4]);
      sequence.cycles = row[5] == "true";
      // Of a file that was opened anew DuckDB tells what comes next, twice.
      const bool is_next = row[6].empty() || row[6] == row[1];
      sequence.next = is_next ? sequence.start : number(row[6]) + sequence.increment;
      catalog.sequences.push_back(std::move(sequence));
    }
    return {};
  }

  Result<void> read_others(Catalog& catalog) {
    TRANCHE_ASSIGN(const Rows views, read("view_name, sql", "duckdb_views",
                                          " AND NOT internal AND NOT temporary ORDER BY view_oid"));
    for (const auto& row : views) {
      catalog.views.push_back({CatalogName{"", row[0]}, parse_create_view(row[1]), false, {}});
    }
    TRANCHE_ASSIGN(const Rows macros,
                   connection_->query_texts(
                       "SELECT DISTINCT function_name FROM duckdb_functions() WHERE NOT internal "
                       "AND database_name = current_database() ORDER BY 1"));
    for (const auto& row : macros) catalog.beyond.push_back(fmt::format("macro {}", row[0]));
    TRANCHE_ASSIGN(const Rows schemas,
                   connection_->query_texts(
                       "SELECT schema_name, CAST(count(*) AS VARCHAR) FROM duckdb_tables() WHERE "
                       "database_name = current_database() AND schema_name <> 'main' GROUP BY 1 "
                       "ORDER BY 1"));
    for (const auto& row : schemas) {
      catalog.beyond.push_back(
          fmt::format("schema {} with {} tables: only those of main are read", row[0], row[1]));
    }
    return {};
  }

  std::shared_ptr<DuckDatabase> database_;
  std::unique_ptr<DuckConnection> connection_;
  std::filesystem::path path_;
  std::map<std::string, std::size_t> tables_;
};

}  // namespace

Result<std::unique_ptr<CatalogDatabase>> open_duckdb_catalog(const std::filesystem::path& path) {
  TRANCHE_TRY(file_status(path));
  TRANCHE_ASSIGN(auto database, DuckDatabase::open(memory_bytes, ""));
  TRANCHE_ASSIGN(auto connection, connect_to_file(*database, path));
  return std::unique_ptr<CatalogDatabase>(
      std::make_unique<DuckCatalog>(std::move(database), std::move(connection), path));
}

Result<std::unique_ptr<CatalogDatabase>> try_in_duckdb() {
  TRANCHE_ASSIGN(auto database, DuckDatabase::open(memory_bytes, ""));
  TRANCHE_ASSIGN(auto connection, database->connect());
  return std::unique_ptr<CatalogDatabase>(std::make_unique<DuckCatalog>(
      std::move(database), std::move(connection), std::filesystem::path()));
}

}  // namespace tranche
