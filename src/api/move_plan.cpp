#include "api/move_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"

namespace tranche {
namespace {

Json name_json(const CatalogName& name) {
  return Json().set("schema", name.schema).set("name", name.name);
}
CatalogName name_of(const Json& json) { return {json["schema"].text(), json["name"].text()}; }

Json table_json(const MovedTable& table) {
  Json columns{Json::Array{}};
  for (const Field& field : table.columns)
    columns.push(Json().set("name", field.name).set("type", to_string(field.type)));
  return Json()
      .set("source", name_json(table.source))
      .set("target", name_json(table.target))
      .set("step", table.step)
      .set("folder", table.folder)
      .set("files", texts_json(table.files))
      .set("columns", std::move(columns))
      .set("literals", texts_json(table.literals))
      .set("unquoted", texts_json(table.unquoted))
      .set("batch_key", table.batch_key)
      .set("upsert_key", texts_json(table.upsert_key))
      .set("rows_about", table.rows_about)
      .set("incremental", table.is_incremental)
      .set("has_casts", table.has_casts);
}

Result<MovedTable> table_of(const Json& json) {
  MovedTable table;
  table.source = name_of(json["source"]);
  table.target = name_of(json["target"]);
  table.step = json["step"].text();
  table.folder = json["folder"].text();
  table.files = texts_of(json["files"]);
  for (const Json& item : json["columns"].items()) {
    TRANCHE_ASSIGN(const Type type, parse_type(item["type"].text()));
    table.columns.push_back(Field{item["name"].text(), type});
  }
  table.literals = texts_of(json["literals"]);
  table.unquoted = texts_of(json["unquoted"]);
  table.batch_key = json["batch_key"].text();
  table.upsert_key = texts_of(json["upsert_key"]);
  table.rows_about = json["rows_about"].natural();
  table.is_incremental = json["incremental"].boolean();
  table.has_casts = json["has_casts"].boolean();
  return table;
}

Json scripts_json(const std::vector<MoveScript>& scripts) {
  Json list{Json::Array{}};
  for (const MoveScript& script : scripts)
    list.push(Json()
                  .set("step", script.step)
                  .set("table", script.table)
                  .set("statements", texts_json(script.statements)));
  return list;
}

std::vector<MoveScript> scripts_of(const Json& json) {
  std::vector<MoveScript> scripts;
  for (const Json& item : json.items())
    scripts.push_back({item["step"].text(), item["table"].text(), texts_of(item["statements"])});
  return scripts;
}

MoveKind kind_of(const std::string& text) {
  if (text == "backup") return MoveKind::backup;
  return text == "restore" ? MoveKind::restore : MoveKind::migrate;
}

// The name of a database, or of a folder, as part of a job's name.
std::string short_name(const std::string& name) {
  std::string last = name.substr(name.find_last_of("/:") + 1);
  last = last.substr(0, last.find('?'));
  for (char& c : last)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '-') c = '_';
  return last.substr(0, 30);
}

}  // namespace

std::string to_string(MoveKind kind) {
  if (kind == MoveKind::backup) return "backup";
  return kind == MoveKind::restore ? "restore" : "migrate";
}

std::string MoveOrder::source_name() const {
  return kind == MoveKind::restore ? folder.string() : source.name();
}

std::string MoveOrder::target_name() const {
  return kind == MoveKind::backup ? folder.string() : target.name();
}

std::string MoveOrder::text() const {
  std::string text = fmt::format("{} {} -> {}", to_string(kind), source_name(), target_name());
  for (const std::string& pattern : tables) text += fmt::format(" --tables {}", pattern);
  for (const std::string& pattern : exclude) text += fmt::format(" --exclude {}", pattern);
  if (!has_data) text += " --schema-only";
  if (!has_schema) text += " --data-only";
  if (!since.empty()) text += fmt::format(" --since {}", since);
  for (const CatalogCast& cast : casts)
    text +=
        fmt::format(" --cast {}.{}: {}", cast.table, cast.column, tranche::to_string(cast.type));
  return text;
}

Json not_carried_json(const std::vector<NotCarried>& all) {
  Json list{Json::Array{}};
  for (const NotCarried& one : all) list.push(Json().set("what", one.what).set("why", one.why));
  return list;
}

std::vector<NotCarried> not_carried_of(const Json& json) {
  std::vector<NotCarried> all;
  for (const Json& item : json.items()) all.push_back({item["what"].text(), item["why"].text()});
  return all;
}

Json to_json(const MovePlan& plan) {
  Json tables{Json::Array{}};
  for (const MovedTable& table : plan.tables) tables.push(table_json(table));
  return Json()
      .set("kind", to_string(plan.kind))
      .set("job", plan.job)
      .set("order", plan.order)
      .set("after_run", plan.after_run)
      .set("owner", plan.owner)
      .set("state", plan.held.state)
      .set("snapshot", plan.held.snapshot)
      .set("backup", plan.backup)
      .set("catalog", to_json(plan.catalog))
      .set("tables", std::move(tables))
      .set("before", scripts_json(plan.before))
      .set("behind", scripts_json(plan.behind))
      .set("not_carried", not_carried_json(plan.not_carried))
      .set("changes", texts_json(plan.changes))
      .set("undo", texts_json(plan.undo))
      .set("begun_microseconds", plan.begun_microseconds);
}

Result<MovePlan> move_plan_from_json(const Json& json) {
  MovePlan plan;
  plan.kind = kind_of(json["kind"].text());
  plan.job = json["job"].text();
  plan.order = json["order"].text();
  plan.after_run = json["after_run"].text();
  plan.owner = json["owner"].text();
  plan.held = {json["state"].text(), json["snapshot"].text()};
  plan.backup = json["backup"].text();
  TRANCHE_ASSIGN(plan.catalog, catalog_from_json(json["catalog"]));
  for (const Json& item : json["tables"].items()) {
    TRANCHE_ASSIGN(auto table, table_of(item));
    plan.tables.push_back(std::move(table));
  }
  plan.before = scripts_of(json["before"]);
  plan.behind = scripts_of(json["behind"]);
  plan.not_carried = not_carried_of(json["not_carried"]);
  plan.changes = texts_of(json["changes"]);
  plan.undo = texts_of(json["undo"]);
  plan.begun_microseconds = json["begun_microseconds"].integer();
  return plan;
}

std::string move_job_name(const MoveOrder& order) {
  if (order.kind == MoveKind::backup) return "backup";
  const std::string both = order.source_name() + "\n" + order.target_name();
  return fmt::format("{}-{}-{}-{}", to_string(order.kind), short_name(order.source_name()),
                     short_name(order.target_name()), digest_hex(both).substr(0, 6));
}

std::filesystem::path move_plan_path(const MoveOrder& order, const std::filesystem::path& state) {
  return state / "moves" / (move_job_name(order) + ".json");
}

std::filesystem::path finished_plan_path(const MoveOrder& order,
                                         const std::filesystem::path& state) {
  return state / "moves" / (move_job_name(order) + ".done");
}

Result<MovePlan> read_move_plan(const std::filesystem::path& path) {
  TRANCHE_ASSIGN(const std::string text, read_file(path));
  TRANCHE_ASSIGN(const Json json, Json::parse(text));
  return move_plan_from_json(json);
}

}  // namespace tranche
