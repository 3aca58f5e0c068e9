// The job that carries out a plan: SQL that makes the tables, a step for the rows of each, and SQL
// behind them.
#include <algorithm>

#include <fmt/format.h>

#include "api/move_plan.h"
#include "drivers/duckdb_database.h"

namespace tranche {
namespace {

// DuckDB holds the index of a key in memory while it writes.
constexpr std::uint64_t duckdb_memory_bytes_min = 96ULL << 20;
constexpr std::uint64_t duckdb_key_bytes = 48;
// Tables that are read and written side by side: servers have few connections, and each takes some.
constexpr std::size_t lanes = 4;

Node texts_node(const std::vector<std::string>& texts) {
  std::vector<Node> list;
  for (const std::string& text : texts) list.push_back(Node::scalar(text));
  return Node::list(std::move(list));
}

// As a job's `table:` names it.
std::string table_option(const std::string& system, const CatalogName& name) {
  if (system != "postgres") return name.name;
  const auto part = [](const std::string& text) {
    return text.find_first_of(".\"") == std::string::npos ? text : "\"" + text + "\"";
  };
  return name.schema.empty() ? part(name.name) : part(name.schema) + "." + part(name.name);
}

Node place_node(const DatabasePlace& place) {
  Node node = Node::scalar(place.url);
  node.unresolved = place.unresolved;
  return node;
}

std::string commits_table(const DatabasePlace& target) {
  return target.is_file() ? "tranche_commits" : "public.tranche_commits";
}

StepSpec script_step(const MoveScript& script, const DatabasePlace& target) {
  StepSpec step;
  step.name = script.step;
  ConnectorUse use;
  use.connector = target.system;
  use.options = Node::map();
  use.options.set(target.system, place_node(target));
  use.options.set("sql", texts_node(script.statements));
  use.options.set("commits_table", Node::scalar(commits_table(target)));
  step.execute = std::move(use);
  return step;
}

ConnectorUse write_use(const MovePlan& plan, const MovedTable& table, const MoveOrder& order) {
  ConnectorUse use;
  use.options = Node::map();
  if (plan.kind == MoveKind::backup) {
    use.connector = "parquet";
    use.options.set("parquet", Node::scalar((order.folder / table.folder).string()));
    use.options.set("mode", Node::scalar(table.is_incremental ? "append" : "replace"));
    return use;
  }
  const DatabasePlace& target = order.target;
  use.connector = target.system;
  use.options.set(target.system, place_node(target));
  use.options.set("table", Node::scalar(table_option(target.system, table.target)));
  use.options.set("mode", Node::scalar(table.upsert_key.empty() ? "append" : "upsert"));
  if (!table.upsert_key.empty()) use.options.set("key", texts_node(table.upsert_key));
  use.options.set("commits_table", Node::scalar(commits_table(target)));
  if (target.system == "sqlite") use.options.set("foreign_keys", Node::scalar("false"));
  if (target.system == "sqlite" && !table.literals.empty())
    use.options.set("literals", texts_node(table.literals));
  const std::uint64_t memory = table.rows_about * duckdb_key_bytes;
  if (target.system == "duckdb" && memory > duckdb_memory_bytes_min / 2) {
    const std::uint64_t mebibytes = (duckdb_memory_bytes_min + memory) >> 20;
    use.options.set("memory", Node::scalar(fmt::format("{}MiB", mebibytes)));
  }
  return use;
}

ConnectorUse source_use(const MovePlan& plan, const MovedTable& table, const MoveOrder& order) {
  if (plan.kind == MoveKind::restore) return parquet_use(order.folder, table);
  ConnectorUse use = read_use(order.source, table.source, table.columns, table.literals);
  use.options.set(order.source.system, place_node(order.source));
  if (!plan.held.snapshot.empty()) use.options.set("snapshot", Node::scalar(plan.held.snapshot));
  if (table.is_incremental) {
    Node increment = Node::map();
    increment.set("column", Node::scalar(order.since));
    use.options.set("incremental", std::move(increment));
  }
  // Of a backup the table that was in work is simply written anew.
  if (plan.kind == MoveKind::backup && !order.source.is_file() && !table.is_incremental)
    use.options.set("on_change", Node::scalar("restart"));
  return use;
}

// The text of a literal without its quotes. That of a number is its text; what else there is stays
// one.
std::string unquoted_sql(const std::string& column) {
  return fmt::format(
      "CASE WHEN {0} = '9e999' THEN 'Infinity' WHEN {0} = '-9e999' THEN '-Infinity' WHEN "
      "starts_with({0}, '''') THEN replace(substr({0}, 2, length({0}) - 2), '''''', '''') ELSE {0} "
      "END",
      column);
}

// Of a restore: what was kept, as other types.
TransformUse cast_use(const MovedTable& table) {
  std::string list;
  for (const Field& field : table.columns) {
    const std::string name = sql_identifier(field.name);
    const bool is_quoted =
        std::find(table.unquoted.begin(), table.unquoted.end(), field.name) != table.unquoted.end();
    list += fmt::format("{}CAST({} AS {}) AS {}", list.empty() ? "" : ", ",
                        is_quoted ? unquoted_sql(name) : name, sql_type(field.type), name);
  }
  TransformUse use;
  use.kind = "sql";
  use.options = Node::map();
  use.options.set("sql", Node::scalar(fmt::format("SELECT {} FROM batch", list)));
  return use;
}

StepSpec table_step(const MovePlan& plan, const MovedTable& table, const MoveOrder& order) {
  StepSpec step;
  step.name = table.step;
  step.read = source_use(plan, table, order);
  step.division.key = table.batch_key;
  if (table.has_casts) step.process.push_back(cast_use(table));
  step.write = write_use(plan, table, order);
  return step;
}

// What keys and indexes wait for: the rows of their table; all else waits for all.
std::vector<std::string> awaited(const MoveScript& script, const MovePlan& plan,
                                 const std::vector<std::string>& loaded) {
  if (script.table.empty()) return loaded;
  for (const MovedTable& table : plan.tables)
    if (table.source.text() == script.table &&
        std::find(loaded.begin(), loaded.end(), table.step) != loaded.end())
      return {table.step};
  std::vector<std::string> made;
  for (const MoveScript& before : plan.before) made.push_back(before.step);
  return made;
}

}  // namespace

ConnectorUse read_use(const DatabasePlace& place, const CatalogName& table,
                      const std::vector<Field>& columns, const std::vector<std::string>& literals) {
  ConnectorUse use;
  use.connector = place.system;
  use.options = Node::map();
  use.options.set(place.system, Node::scalar(place.url));
  use.options.set("table", Node::scalar(table_option(place.system, table)));
  const bool is_map = place.system == "postgres";
  Node typed = Node::map();
  std::vector<Node> list;
  for (const Field& field : columns) {
    Node type = Node::scalar(to_string(field.type));
    if (is_map) {
      typed.entries.push_back({field.name, std::move(type), {}});
    } else {
      list.push_back(Node::map({{field.name, std::move(type), {}}}));
    }
  }
  use.options.set("columns", is_map ? std::move(typed) : Node::list(std::move(list)));
  if (place.system == "sqlite" && !literals.empty())
    use.options.set("literals", texts_node(literals));
  return use;
}

ConnectorUse parquet_use(const std::filesystem::path& folder, const MovedTable& table) {
  ConnectorUse use;
  use.connector = "parquet";
  use.options = Node::map();
  std::vector<Node> files;
  for (const std::string& file : table.files)
    files.push_back(Node::scalar((folder / file).string()));
  use.options.set("parquet", Node::list(std::move(files)));
  use.options.set("hive", Node::scalar("false"));
  std::vector<Node> columns;
  for (const Field& field : table.columns) columns.push_back(Node::scalar(field.name));
  use.options.set("columns", Node::list(std::move(columns)));
  return use;
}

JobSpec make_job(const MovePlan& plan, const MoveOrder& order) {
  JobSpec job;
  job.name = plan.job;
  job.description = fmt::format("{} {} to {}",
                                plan.kind == MoveKind::backup    ? "Backs up"
                                : plan.kind == MoveKind::restore ? "Restores"
                                                                 : "Migrates",
                                order.source_name(), order.target_name());
  // A file has one writer at a time.
  const bool is_parallel = plan.kind == MoveKind::backup || !order.target.is_file();
  for (const MoveScript& script : plan.before)
    job.steps.push_back(script_step(script, order.target));
  std::vector<std::string> made;
  for (const StepSpec& step : job.steps) made.push_back(step.name);
  std::vector<std::string> loaded = made;
  for (const MovedTable& table : plan.tables) {
    if (plan.kind == MoveKind::restore && table.files.empty()) continue;  // it had no rows
    StepSpec step = table_step(plan, table, order);
    if (is_parallel) {
      const std::size_t number = loaded.size() - made.size();
      step.after = number < lanes ? made : std::vector<std::string>{loaded[loaded.size() - lanes]};
    }
    loaded.push_back(step.name);
    job.steps.push_back(std::move(step));
  }
  bool is_joined = !is_parallel;  // every step waits for the one above it
  for (const MoveScript& script : plan.behind) {
    StepSpec step = script_step(script, order.target);
    if (!is_joined) step.after = awaited(script, plan, loaded);
    is_joined = is_joined || script.table.empty();
    if (!script.table.empty()) loaded.push_back(step.name);
    job.steps.push_back(std::move(step));
  }
  return job;
}

}  // namespace tranche
