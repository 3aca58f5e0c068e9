#include "connectors/duckdb_connector.h"

#include <fmt/format.h>

#include "base/text.h"
#include "connectors/duckdb_script.h"
#include "connectors/duckdb_sink.h"
#include "connectors/duckdb_source.h"
#include "connectors/table_query.h"

namespace tranche {
namespace {

constexpr std::uint64_t memory_bytes_min = 32ULL << 20;

const OptionTable& read_options() {
  static const OptionTable table = {
      Option{.name = "duckdb",
             .kind = OptionKind::text,
             .doc = "The database file.",
             .required = true,
             .example = "warehouse.duckdb"},
      read_table_option(),
      read_query_option("A SELECT over the file's tables whose rows are read; it needs a key."),
      read_columns_option(),
      read_key_option(),
      increment_option(),
  };
  return table;
}

const OptionTable& write_options() {
  static const OptionTable table = {
      duck::written_file_option(),
      Option{.name = "table",
             .kind = OptionKind::text,
             .doc = "The table that takes the records; it is created when missing.",
             .required = true,
             .example = "sales"},
      table_mode_option(),
      table_key_option(),
      commits_table_option("The table of the database that records which batches are committed."),
      duck::memory_option(),
  };
  return table;
}

Error refusal(std::string why) { return make_error(ErrorKind::config, std::move(why)); }

Result<std::unique_ptr<Source>> make_source(const Node& node, const std::filesystem::path& base) {
  const OptionReader options(node, read_options());
  DuckSourceOptions chosen;
  chosen.name = options.text("duckdb");
  chosen.path = database_file(chosen.name, base);
  chosen.table = options.text("table");
  chosen.query = without_semicolon(options.text("query"));
  TRANCHE_ASSIGN(ReadColumns columns, read_columns(options.node("columns")));
  chosen.columns = std::move(columns.names);
  chosen.types = std::move(columns.types);
  chosen.key = options.text("key");
  chosen.increment = read_increment(options);
  TRANCHE_TRY(check_table_or_query("duckdb", chosen.table, chosen.query));
  return std::unique_ptr<Source>(std::make_unique<DuckSource>(std::move(chosen)));
}

// What the option table can't say.
Result<void> check_target(const duck::Target& target) {
  if (target.table.empty()) return refusal("duckdb needs the name of a table: table: sales");
  if (to_lower(target.table) == to_lower(target.commits_table)) {
    return records_and_commits_are_one(target.table);
  }
  TRANCHE_TRY(check_table_key(target.mode, target.key));
  if (target.memory_bytes < memory_bytes_min)
    return refusal("memory is less than the 32MiB that DuckDB needs to write a table.");
  return {};
}

Result<std::unique_ptr<Sink>> make_sink(const Node& node, const std::filesystem::path& base) {
  const OptionReader options(node, write_options());
  duck::Target target;
  target.database = database_file(options.text("duckdb"), base);
  target.table = options.text("table");
  target.mode = read_table_mode(options);
  target.key = options.texts("key");
  target.commits_table = options.text("commits_table");
  target.memory_bytes = options.size("memory");
  TRANCHE_TRY(check_target(target));
  return std::unique_ptr<Sink>(std::make_unique<duck::TableSink>(std::move(target)));
}

}  // namespace

Connector duckdb_connector() {
  Connector connector;
  connector.name = "duckdb";
  connector.summary =
      "Tables of a DuckDB file: read by ranges of a key, written batch by batch or all at once.";
  connector.read_options = read_options();
  connector.write_options = write_options();
  connector.make_source = make_source;
  connector.make_sink = make_sink;
  connector.execute_options = duckdb_execute_options();
  connector.make_script = make_duckdb_script;
  connector.sql_value = duckdb_value;
  return connector;
}

}  // namespace tranche
