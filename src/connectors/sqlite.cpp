#include "connectors/sqlite.h"

#include <fmt/format.h>

#include "connectors/sqlite_script.h"
#include "connectors/sqlite_shape.h"
#include "connectors/sqlite_sink.h"
#include "connectors/sqlite_source.h"
#include "connectors/table_query.h"

namespace tranche {
namespace {

const OptionTable& read_options() {
  static const OptionTable table = {
      Option{.name = "sqlite",
             .kind = OptionKind::text,
             .doc = "The database file.",
             .required = true,
             .example = "shop.db"},
      read_table_option(),
      read_query_option("A SELECT whose rows are read, in SQLite's SQL; it needs a key."),
      read_columns_option(),
      Option{.name = "literals",
             .kind = OptionKind::texts,
             .doc = "Columns that are read as SQL literals, which keep the storage class of each "
                    "value: 5, 2.0, '5', x'00ff'.",
             .example = "[note]"},
      read_key_option(),
      increment_option(),
      read_snapshot_option("The state that the file must be in, as a backup has noted it."),
      sqlite::lock_wait_option(),
  };
  return table;
}

const OptionTable& write_options() {
  static const OptionTable table = {
      sqlite::written_file_option(),
      Option{.name = "table",
             .kind = OptionKind::text,
             .doc = "The table that takes the records; it is created when missing.",
             .required = true,
             .example = "sales"},
      table_mode_option(),
      table_key_option(),
      commits_table_option("The table of the database that records which batches are committed."),
      sqlite::lock_wait_option(),
      sqlite::foreign_keys_option(),
      Option{.name = "literals",
             .kind = OptionKind::texts,
             .doc = "Columns of text that hold SQL literals: each value is stored as what its "
                    "literal says, so that 5 becomes a number and '5' a text.",
             .example = "[note]"},
  };
  return table;
}

Result<std::unique_ptr<Source>> make_sqlite_source(const Node& node,
                                                   const std::filesystem::path& base) {
  const OptionReader options(node, read_options());
  sqlite::SourceOptions chosen;
  chosen.name = options.text("sqlite");
  chosen.path = database_file(chosen.name, base);
  chosen.table = options.text("table");
  chosen.query = without_semicolon(options.text("query"));
  chosen.literals = options.texts("literals");
  chosen.key = options.text("key");
  chosen.increment = read_increment(options);
  chosen.lock_wait = options.duration("lock_wait");
  chosen.snapshot = options.text("snapshot");
  TRANCHE_ASSIGN(ReadColumns columns, read_columns(options.node("columns")));
  chosen.columns = std::move(columns.names);
  chosen.types = std::move(columns.types);
  TRANCHE_TRY(check_table_or_query("sqlite", chosen.table, chosen.query));
  return std::unique_ptr<Source>(std::make_unique<sqlite::TableSource>(std::move(chosen)));
}

// What the option table can't say.
Result<void> check_target(const sqlite::Target& target) {
  const auto refuse = [](std::string why) -> Result<void> {
    return make_error(ErrorKind::config, std::move(why));
  };
  if (target.table.empty()) return refuse("sqlite needs the name of a table: table: sales");
  if (target.table.starts_with("sqlite_")) {
    return refuse(
        fmt::format("Table \"{}\" belongs to SQLite itself; choose another name.", target.table));
  }
  if (sqlite::same_name(target.table, target.commits_table)) {
    return records_and_commits_are_one(target.table);
  }
  return check_table_key(target.mode, target.key);
}

Result<std::unique_ptr<Sink>> make_sqlite_sink(const Node& node,
                                               const std::filesystem::path& base) {
  const OptionReader options(node, write_options());
  sqlite::Target target;
  target.database = database_file(options.text("sqlite"), base);
  target.table = options.text("table");
  target.mode = read_table_mode(options);
  target.key = options.texts("key");
  target.literals = options.texts("literals");
  target.commits_table = options.text("commits_table");
  target.lock_wait = options.duration("lock_wait");
  target.checks_foreign_keys = options.boolean("foreign_keys");
  TRANCHE_TRY(check_target(target));
  return std::unique_ptr<Sink>(std::make_unique<sqlite::TableSink>(std::move(target)));
}

Type kept_as(Type type) { return is_nested(type) ? Type{TypeId::json} : type; }

}  // namespace

Connector sqlite_connector() {
  Connector connector;
  connector.name = "sqlite";
  connector.summary =
      "Tables of a SQLite file: read by ranges of a key, written batch by batch or all at once.";
  connector.read_options = read_options();
  connector.make_source = make_sqlite_source;
  connector.write_options = write_options();
  connector.make_sink = make_sqlite_sink;
  connector.execute_options = sqlite_execute_options();
  connector.make_script = make_sqlite_script;
  connector.sql_value = sqlite_value;
  connector.kept_as = kept_as;
  return connector;
}

}  // namespace tranche
