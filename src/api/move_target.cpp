#include "api/move_target.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"

namespace tranche {
namespace {

bool is_there(const DatabasePlace& place) { return !place.is_file() || file_exists(place.url); }

Error not_empty(const MoveOrder& order, const Catalog& catalog) {
  std::vector<std::string> names;
  for (const CatalogTable& table : catalog.tables) names.push_back(table.name.text());
  for (const CatalogView& view : catalog.views) names.push_back(view.name.text());
  for (const CatalogSequence& sequence : catalog.sequences)
    if (sequence.owner.name.empty()) names.push_back(sequence.name.text());
  constexpr std::size_t shown = 5;
  const std::size_t count = names.size();
  if (count > shown) names.resize(shown);
  return make_error(
      ErrorKind::config,
      fmt::format("{} is not empty: it holds {}{}. Nothing is put beside what is there, or in its "
                  "place; take an empty database, or --data-only for tables that are there and "
                  "have no rows.",
                  order.target_name(), join(names, ", "),
                  count > shown ? fmt::format(" and {} more", count - shown) : std::string()));
}

// With --data-only the tables are there, and nothing is in them.
Result<void> check_tables(const Catalog& there, const Catalog& catalog, const MoveOrder& order,
                          const std::vector<CatalogName>& names) {
  for (std::size_t at = 0; at < names.size(); ++at) {
    if (there.find(names[at]) == nullptr) {
      return make_error(
          ErrorKind::config,
          fmt::format("{} has no table {} for the rows of {}; without --data-only it "
                      "is made.",
                      order.target_name(), names[at].text(), catalog.tables[at].name.text()));
    }
    TRANCHE_ASSIGN(const bool has_any, has_rows(order.target, names[at]));
    if (!has_any) continue;
    return make_error(
        ErrorKind::config,
        fmt::format("Table {} of {} is not empty; rows are put into empty tables only.",
                    names[at].text(), order.target_name()));
  }
  return {};
}

// What of the script concerns tables that are there: where their numbers go on.
void keep_numbers(CatalogScript& script, const Catalog& there, const std::string& system) {
  script.not_carried.clear();
  std::erase_if(script.definitions, [&](const Definition& definition) {
    if (definition.step != "sequences") return true;
    if (system != "sqlite") return !definition.what.starts_with("the next number");
    return std::none_of(there.tables.begin(), there.tables.end(), [](const CatalogTable& table) {
      return parse_create_table(table.definition).has_autoincrement;
    });
  });
}

// Of tables that are there: what is computed there can't be written.
void note_computed(CatalogScript& script, const Catalog& there, const Catalog& catalog,
                   const std::vector<CatalogName>& names) {
  for (std::size_t at = 0; at < names.size(); ++at)
    for (const CatalogColumn& column : there.find(names[at])->columns)
      if (!column.generated.empty())
        script.computed.push_back(catalog.tables[at].name.text() + "." + column.name);
}

// What the target computes when its tables are made by the script.
void note_computed(CatalogScript& script, const Catalog& catalog, const MoveOrder& order) {
  for (const Definition& definition : script.definitions)
    for (const DefinitionPart& part : definition.parts)
      if (!part.generates.empty()) script.computed.push_back(part.generates);
  // What is made as it was computes what it computed.
  for (const CatalogTable& table : catalog.tables) {
    if (catalog.system != order.target.system || table.definition.empty()) continue;
    for (const CatalogColumn& column : table.columns)
      if (!column.generated.empty())
        script.computed.push_back(table.name.text() + "." + column.name);
  }
}

Result<CatalogScript> tried_script(const Catalog& catalog, const MoveOrder& order,
                                   const std::vector<CatalogName>& names,
                                   const std::vector<CatalogName>& upserted) {
  Catalog there;
  if (is_there(order.target)) {
    TRANCHE_ASSIGN(const auto database, open_to_read(order.target));
    TRANCHE_ASSIGN(there, database->catalog());
  }
  CatalogScript script = write_script(catalog, order.target.system, names, upserted);
  if (!order.has_schema) {
    TRANCHE_TRY(check_tables(there, catalog, order, names));
    keep_numbers(script, there, order.target.system);
    note_computed(script, there, catalog, names);
    if (order.target.is_file()) return script;  // a scratch database has no such tables
  } else if (!there.is_empty()) {
    return not_empty(order, there);
  }
  TRANCHE_ASSIGN(const auto trial, open_for_trial(order.target));
  TRANCHE_TRY(try_out(script, *trial));
  if (order.has_schema) note_computed(script, catalog, order);
  return script;
}

Json script_json(const CatalogScript& script) {
  Json statements{Json::Array{}};
  for (const Definition& definition : script.definitions) {
    statements.push(Json()
                        .set("step", definition.step)
                        .set("table", definition.table)
                        .set("behind", definition.is_behind_rows)
                        .set("sql", definition.sql())
                        .set("undo", definition.undo));
  }
  return Json()
      .set("statements", std::move(statements))
      .set("computed", texts_json(script.computed))
      .set("not_carried", not_carried_json(script.not_carried))
      .set("changes", texts_json(script.changes));
}

}  // namespace

bool TargetScript::computes(const CatalogName& table, const std::string& column) const {
  return std::find(computed.begin(), computed.end(), table.text() + "." + column) != computed.end();
}

Result<TargetScript> examine_target(const Catalog& catalog, const MoveOrder& order,
                                    const std::vector<CatalogName>& names,
                                    const std::vector<CatalogName>& upserted, Asking ask) {
  TRANCHE_ASSIGN(const Json answer, ask([&]() -> Result<Json> {
                   TRANCHE_ASSIGN(const CatalogScript script,
                                  tried_script(catalog, order, names, upserted));
                   return script_json(script);
                 }));
  TargetScript script;
  for (const Json& item : answer["statements"].items())
    script.statements.push_back({item["step"].text(), item["table"].text(),
                                 item["behind"].boolean(), item["sql"].text(),
                                 item["undo"].text()});
  script.computed = texts_of(answer["computed"]);
  script.not_carried = not_carried_of(answer["not_carried"]);
  script.changes = texts_of(answer["changes"]);
  if (!order.has_schema)
    for (const CatalogName& name : names)
      script.statements.push_back(
          {"", "", false, "", "DELETE FROM " + quoted_name(order.target.system, name)});
  return script;
}

}  // namespace tranche
