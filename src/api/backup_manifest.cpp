#include "api/backup_manifest.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"

namespace tranche {
namespace {

// 2: a column may hold literals, which are no plain text.
constexpr int manifest_version = 2;
constexpr const char* manifest_name = "manifest.json";

Json table_json(const MovedTable& moved, const ComparedTable& compared) {
  Json columns{Json::Object{}};
  for (const Field& field : moved.columns) columns.set(field.name, to_string(field.type));
  const Json all = to_json(compared);
  return Json()
      .set("schema", moved.source.schema)
      .set("name", moved.source.name)
      .set("rows", compared.rows_found)
      .set("checksum", to_hex64(compared.checksum_found))
      .set("incremental", moved.is_incremental)
      .set("literals", texts_json(moved.literals))
      .set("columns", std::move(columns))
      .set("files", all["files"]);
}

Result<BackedUpTable> table_of(const Json& json) {
  BackedUpTable table;
  table.name = {json["schema"].text(), json["name"].text()};
  table.rows = json["rows"].natural();
  table.checksum = json["checksum"].text();
  table.literals = texts_of(json["literals"]);
  table.is_incremental = json["incremental"].boolean();
  for (const auto& [name, type] : json["columns"].entries()) {
    TRANCHE_ASSIGN(const Type parsed, parse_type(type.text()));
    table.columns.push_back(Field{name, parsed});
  }
  table.files = compared_table_from_json(json).files;
  return table;
}

}  // namespace

const BackedUpTable* BackupManifest::find(const CatalogName& name) const {
  const auto found = std::find_if(tables.begin(), tables.end(),
                                  [&](const BackedUpTable& one) { return one.name == name; });
  return found == tables.end() ? nullptr : &*found;
}

bool has_manifest(const std::filesystem::path& folder) {
  return file_exists(folder / manifest_name);
}

Result<BackupManifest> read_manifest(const std::filesystem::path& folder) {
  if (!has_manifest(folder)) {
    const std::filesystem::path state = folder / ".tranche";
    std::string what =
        fmt::format("{} holds no backup: there is no {} in it.", folder.string(), manifest_name);
    if (file_exists(state) && file_exists(folder / "tables"))
      what = fmt::format(
          "The backup in {} has lost its {}, without which nobody knows what its "
          "files are; the command that made it makes it anew.",
          folder.string(), manifest_name);
    if (file_exists(state / "moves" / "backup.json"))
      what = fmt::format(
          "The backup in {} is not finished; the command that began it goes on with "
          "it.",
          folder.string());
    return make_error(ErrorKind::config, std::move(what));
  }
  TRANCHE_ASSIGN(const std::string text, read_file(folder / manifest_name));
  TRANCHE_ASSIGN(const Json json, Json::parse(text));
  if (json["version"].integer() > manifest_version) {
    return make_error(
        ErrorKind::failed,
        fmt::format("The backup in {} was made by a newer version of Tranche.", folder.string()));
  }
  BackupManifest manifest;
  manifest.digest = digest_hex(text);
  manifest.source = json["source"].text();
  manifest.order = json["order"].text();
  manifest.state = json["state"].text();
  manifest.made_microseconds = json["made_microseconds"].integer();
  TRANCHE_ASSIGN(manifest.catalog, catalog_from_json(json["catalog"]));
  for (const Json& item : json["tables"].items()) {
    TRANCHE_ASSIGN(auto table, table_of(item));
    manifest.tables.push_back(std::move(table));
  }
  return manifest;
}

Result<void> write_manifest(const MovePlan& plan, const MoveOrder& order,
                            const std::vector<ComparedTable>& tables) {
  Json list{Json::Array{}};
  for (std::size_t at = 0; at < tables.size(); ++at)
    list.push(table_json(plan.tables[at], tables[at]));
  Json notes{Json::Array{}};
  for (const NotCarried& one : plan.not_carried) notes.push(one.what);
  for (const std::string& change : plan.changes) notes.push(change);
  Json manifest;
  const bool has_literals =
      std::any_of(plan.tables.begin(), plan.tables.end(),
                  [](const MovedTable& table) { return !table.literals.empty(); });
  manifest.set("version", has_literals ? manifest_version : 1)
      .set("source", order.source_name())
      .set("order", plan.order)
      .set("state", plan.held.state)
      .set("made", format_utc(plan.begun_microseconds))
      .set("made_microseconds", plan.begun_microseconds)
      .set("notes", std::move(notes))
      .set("tables", std::move(list))
      .set("catalog", to_json(plan.catalog));
  return write_file_durably(order.folder / manifest_name, manifest.dump(1) + "\n");
}

}  // namespace tranche
