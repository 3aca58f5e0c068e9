#include "api/move_use.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "api/assemble.h"
#include "api/backup_manifest.h"
#include "api/move.h"
#include "base/text.h"

namespace tranche {
namespace {

constexpr std::array<std::string_view, 3> systems{"postgres", "sqlite", "duckdb"};

Option database_option(const char* name, const char* doc, const char* example) {
  return Option{.name = name,
                .kind = OptionKind::text,
                .doc = doc,
                .example = example,
                .names_connection = name == std::string_view("postgres")};
}

// What backup and restore are both told, behind where from and where to.
void add_choice(OptionTable& table) {
  table.push_back({.name = "tables",
                   .kind = OptionKind::texts,
                   .doc = "Only these tables and views; * and ?, with the schema or without.",
                   .example = "[orders, \"sales.*\"]"});
  table.push_back({.name = "exclude",
                   .kind = OptionKind::texts,
                   .doc = "Not these tables and views.",
                   .example = "[\"tmp_*\"]"});
  table.push_back({.name = "schema_only",
                   .kind = OptionKind::boolean,
                   .doc = "The definitions, without rows.",
                   .default_text = "false"});
  table.push_back({.name = "cast",
                   .kind = OptionKind::any,
                   .doc = "Other types: table.column: type.",
                   .example = "{ orders.total: \"decimal(18,2)\" }"});
}

// The system of the database; empty: none is named.
std::string_view system_of(const Node& options) {
  for (const std::string_view system : systems)
    if (options.find(system) != nullptr) return system;
  return {};
}

Result<CatalogCast> cast_of(const Node::Entry& entry) {
  TRANCHE_ASSIGN(auto casts, parse_casts(entry.key + ": " + entry.value.text, {}));
  return casts.front();
}

Result<DatabasePlace> database_of(const Node& options, const std::filesystem::path& base) {
  const std::string system(system_of(options));
  if (system.empty())
    return make_error(ErrorKind::config, "Here a database is missing: postgres, sqlite or duckdb.");
  const Node& named = *options.find(system);
  if (system == "postgres") {
    TRANCHE_ASSIGN(DatabasePlace place, parse_database(named.text));
    place.unresolved = named.unresolved;
    return place;
  }
  std::string path = named.text;
  if (const std::string scheme = system + ":"; path.starts_with(scheme))
    path.erase(0, scheme.size());
  return parse_database(system + ":" + std::filesystem::absolute(base / path).string());
}

Error placed(Error error, const JobSpec& job, const StepSpec& spec) {
  const Node& options = *move_options(spec);
  if (error.where.empty())
    error.where = place(job, options.mark.line > 0 ? options.mark : spec.mark);
  return error;
}

}  // namespace

const OptionTable& backup_options() {
  static const OptionTable table = [] {
    OptionTable made{
        database_option("postgres", "The database: a URL, or one of the job's connections.",
                        "warehouse"),
        database_option("sqlite", "Or this file of SQLite.", "shop.db"),
        database_option("duckdb", "Or this file of DuckDB.", "shop.duckdb"),
        Option{.name = "to",
               .kind = OptionKind::text,
               .doc = "The folder of the backup, new or empty; with since it may hold an earlier "
                      "one.",
               .required = true,
               .example = "backups/${window_start}"}};
    add_choice(made);
    made.push_back({.name = "since",
                    .kind = OptionKind::text,
                    .doc =
                        "Tables that have this column: the next backup into the folder adds what "
                        "is behind its last value.",
                    .example = "updated_at"});
    made.push_back({.name = "on_change",
                    .kind = OptionKind::choice,
                    .doc = "What a resume does when the database was written to since: refuse; "
                           "continue with the other tables as they are now; restart the backup.",
                    .default_text = "refuse",
                    .choices = {"refuse", "continue", "restart"}});
    return made;
  }();
  return table;
}

const OptionTable& restore_options() {
  static const OptionTable table = [] {
    OptionTable made{
        Option{.name = "from",
               .kind = OptionKind::text,
               .doc = "The folder of the backup.",
               .required = true,
               .example = "backups/shop"},
        database_option("postgres",
                        "The empty database that it goes into: a URL, or one of the job's "
                        "connections.",
                        "copy"),
        database_option("sqlite", "Or this file of SQLite.", "copy.db"),
        database_option("duckdb", "Or this file of DuckDB.", "copy.duckdb")};
    add_choice(made);
    made.push_back({.name = "data_only",
                    .kind = OptionKind::boolean,
                    .doc = "The rows, into tables that are there and empty.",
                    .default_text = "false"});
    return made;
  }();
  return table;
}

const Node* move_options(const StepSpec& spec) {
  return spec.backup ? &*spec.backup : spec.restore ? &*spec.restore : nullptr;
}

void check_move(std::string_view kind, const Node& options, Problems& problems) {
  std::vector<const Node::Entry*> named;
  for (const Node::Entry& entry : options.entries)
    if (std::find(systems.begin(), systems.end(), entry.key) != systems.end())
      named.push_back(&entry);
  if (named.empty()) {
    problems.push_back(
        {options.mark, fmt::format("\"{}\" names no database; one of postgres, sqlite, "
                                   "duckdb was expected",
                                   kind)});
  } else if (named.size() > 1 && named[0]->key != named[1]->key) {
    problems.push_back(
        {named[1]->mark, fmt::format("\"{}\" names two databases, {} and {}; keep one", kind,
                                     named[0]->key, named[1]->key)});
  }
  const auto is_set = [&](const char* key) {
    const Node* const given = options.find(key);
    return given != nullptr && given->text == "true";
  };
  if (is_set("schema_only") && is_set("data_only"))
    problems.push_back(
        {options.find("data_only")->mark,
         "\"schema_only\" and \"data_only\" leave nothing to be restored; keep one of them"});
  const Node* const casts = options.find("cast");
  if (casts == nullptr || casts->is_null()) return;
  if (casts->kind != Node::Kind::map) {
    problems.push_back(
        {casts->mark,
         "\"cast\" was expected to be a map, as in \"cast: { orders.total: \"decimal(18,2)\" }\""});
    return;
  }
  for (const Node::Entry& entry : casts->entries) {
    const auto cast = cast_of(entry);
    if (!cast) problems.push_back({entry.mark, cast.error().message});
  }
}

Result<MoveOrder> move_order(std::string_view kind, const Node& options,
                             const std::filesystem::path& base) {
  const bool is_backup = kind == "backup";
  const OptionReader reader(options, is_backup ? backup_options() : restore_options());
  MoveOrder order;
  order.kind = is_backup ? MoveKind::backup : MoveKind::restore;
  const std::string folder = reader.text(is_backup ? "to" : "from");
  order.folder = std::filesystem::absolute(base / folder).lexically_normal();
  TRANCHE_ASSIGN(auto database, database_of(options, base));
  (is_backup ? order.source : order.target) = std::move(database);
  order.tables = reader.texts("tables");
  order.exclude = reader.texts("exclude");
  order.has_data = !reader.boolean("schema_only");
  order.has_schema = is_backup || !reader.boolean("data_only");
  if (const Node* const casts = reader.node("cast")) {
    for (const Node::Entry& entry : casts->entries) {
      TRANCHE_ASSIGN(auto cast, cast_of(entry));
      order.casts.push_back(std::move(cast));
    }
  }
  if (!is_backup) return order;
  order.since = reader.text("since");
  const std::string on_change = reader.text("on_change");
  order.on_change = on_change == "continue"  ? SourceChange::read_on
                    : on_change == "restart" ? SourceChange::restart
                                             : SourceChange::refuse;
  return order;
}

Result<MoveOrder> move_order(const JobSpec& job, const StepSpec& spec) {
  const Node& options = *move_options(spec);
  // Of a job in C++ nobody has looked at them yet.
  Problems problems;
  const char* const kind = spec.backup ? "backup" : "restore";
  check_options(options, spec.backup ? backup_options() : restore_options(), kind, problems);
  if (problems.empty()) check_move(kind, options, problems);
  if (!problems.empty())
    return make_error(ErrorKind::config, problems.front().message + ".",
                      place(job, problems.front().mark));
  auto order = move_order(kind, options, base_folder(job));
  if (!order) return placed(std::move(order).error(), job, spec);
  return order;
}

std::filesystem::path move_state(const std::filesystem::path& run_folder, const std::string& step) {
  return run_folder / "moves" / step;
}

Result<void> examine_move(const JobSpec& job, const StepSpec& spec) {
  TRANCHE_ASSIGN(MoveOrder order, move_order(job, spec));
  if (order.kind == MoveKind::restore && !has_manifest(order.folder)) {
    auto missing = read_manifest(order.folder).error();
    missing.kind = ErrorKind::failed;
    return placed(std::move(missing), job, spec);
  }
  auto examined = Move::examine(std::move(order), {});
  if (examined) return {};
  // Found before anything was begun, it is the job's mistake, whatever a database calls it.
  examined.error().kind = ErrorKind::config;
  return placed(std::move(examined).error(), job, spec);
}

}  // namespace tranche
