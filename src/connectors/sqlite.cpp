#include "connectors/sqlite.h"

#include <fmt/format.h>

#include "connectors/sqlite_shape.h"
#include "connectors/sqlite_sink.h"

namespace tranche {
namespace {

const OptionTable& write_options() {
  static const OptionTable table = {
      Option{.name = "sqlite",
             .kind = OptionKind::text,
             .doc = "The database file; it is created when missing.",
             .required = true,
             .example = "warehouse.db"},
      Option{.name = "table",
             .kind = OptionKind::text,
             .doc = "The table that takes the records; it is created when missing.",
             .required = true,
             .example = "sales"},
      Option{.name = "mode",
             .kind = OptionKind::choice,
             .doc = "append adds rows, replace puts them in the place of all rows at the end, "
                    "upsert updates the row of the same key or adds it.",
             .choices = {"append", "replace", "upsert"},
             .required = true,
             .example = "append"},
      Option{.name = "key",
             .kind = OptionKind::texts,
             .doc = "The columns by which upsert finds a row; the table needs a unique index over "
                    "them.",
             .example = "[id]"},
      Option{.name = "commits_table",
             .kind = OptionKind::text,
             .doc = "The table of the database that records which batches are committed.",
             .default_text = "tranche_commits",
             .example = "tranche_commits"},
      Option{.name = "lock_wait",
             .kind = OptionKind::duration,
             .doc = "How long one attempt waits while another program holds the database locked.",
             .default_text = "10s",
             .example = "1m"},
  };
  return table;
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
    return refuse(
        fmt::format("Table \"{}\" is the record of commits; choose another name for the "
                    "records, or for the record (commits_table).",
                    target.table));
  }
  const bool is_upsert = target.mode == sqlite::Mode::upsert;
  if (is_upsert && target.key.empty()) {
    return refuse("mode: upsert needs the columns by which a row is found, as in key: [id].");
  }
  if (!is_upsert && !target.key.empty()) {
    return refuse(fmt::format("key goes with mode: upsert only, not with mode: {}.",
                              sqlite::to_string(target.mode)));
  }
  return {};
}

Result<std::unique_ptr<Sink>> make_sqlite_sink(const Node& node,
                                               const std::filesystem::path& base) {
  const OptionReader options(node, write_options());
  sqlite::Target target;
  const std::filesystem::path root = base.empty() ? std::filesystem::current_path() : base;
  target.database = std::filesystem::absolute(root / options.text("sqlite")).lexically_normal();
  target.table = options.text("table");
  const std::string mode = options.text("mode");
  if (mode == "replace") target.mode = sqlite::Mode::replace;
  if (mode == "upsert") target.mode = sqlite::Mode::upsert;
  target.key = options.texts("key");
  target.commits_table = options.text("commits_table");
  target.lock_wait = options.duration("lock_wait");
  TRANCHE_TRY(check_target(target));
  return std::unique_ptr<Sink>(std::make_unique<sqlite::TableSink>(std::move(target)));
}

}  // namespace

Connector sqlite_connector() {
  Connector connector;
  connector.name = "sqlite";
  connector.summary = "Writes into a table of a SQLite database, batch by batch or all at once.";
  connector.write_options = write_options();
  connector.make_sink = make_sqlite_sink;
  return connector;
}

}  // namespace tranche
