// Compares a backup with a database, or with its own manifest.
#include <fmt/format.h>

#include "api/backup_manifest.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "connectors/parquet_file.h"
#include "ledger/ledger.h"

namespace tranche {
namespace {

// What is wrong with a file of the backup; empty: nothing.
Result<std::string> fault_of(const std::filesystem::path& folder, const BackedUpFile& file) {
  const std::filesystem::path path = folder / file.name;
  if (!file_exists(path)) return fmt::format("{} is gone", file.name);
  TRANCHE_ASSIGN(const FileStatus status, file_status(path));
  if (status.bytes != file.bytes)
    return fmt::format("{} has {} bytes instead of {}", file.name, status.bytes, file.bytes);
  TRANCHE_ASSIGN(const File opened, File::open_read(path));
  TRANCHE_ASSIGN(const std::uint64_t checksum, digest_range(opened, 0, file.bytes));
  return to_hex64(checksum) == file.checksum
             ? std::string()
             : fmt::format("{} has other bytes than were written", file.name);
}

// What the manifest says of each table, in the order of the plan.
Result<std::vector<ComparedTable>> told(const BackupManifest& manifest,
                                        const std::filesystem::path& folder,
                                        const std::optional<DatabasePlace>& database) {
  const bool reads_files = !database;
  const bool is_elsewhere = database && database->system != "sqlite";
  std::vector<ComparedTable> tables;
  for (const BackedUpTable& table : manifest.tables) {
    ComparedTable& told = tables.emplace_back();
    told.table = table.name.text();
    told.rows = table.rows;
    told.checksum = std::stoull(table.checksum, nullptr, 16);
    told.files = table.files;
    if (is_elsewhere && !table.literals.empty())
      told.only_counted =
          fmt::format("only SQLite has values such as those of {}", join(table.literals, ", "));
    if (!reads_files) {
      if (table.is_incremental) told.only_counted = "the backup holds several versions of its rows";
      continue;
    }
    for (const BackedUpFile& file : table.files) {
      TRANCHE_ASSIGN(std::string fault, fault_of(folder, file));
      if (!fault.empty()) told.trouble = std::move(fault);
    }
  }
  return tables;
}

}  // namespace

Result<std::vector<ComparedTable>> verify_backup(const std::filesystem::path& folder,
                                                 const std::optional<DatabasePlace>& database,
                                                 Asking ask) {
  TRANCHE_ASSIGN(const BackupManifest manifest, read_manifest(folder));
  MovePlan plan;
  plan.kind = database ? MoveKind::restore : MoveKind::backup;
  MoveOrder order;
  order.folder = folder;
  if (database) order.target = *database;
  TRANCHE_ASSIGN(
      const auto names,
      target_names(manifest.catalog, database ? database->system : manifest.catalog.system));
  for (const BackedUpTable& table : manifest.tables) {
    MovedTable moved;
    moved.source = table.name;
    const CatalogTable* const known = manifest.catalog.find(table.name);
    if (known == nullptr)
      return make_error(ErrorKind::failed, "The manifest has rows of a table without definition.");
    moved.target = names[static_cast<std::size_t>(known - manifest.catalog.tables.data())];
    moved.columns = table.columns;
    moved.literals = table.literals;
    plan.tables.push_back(std::move(moved));
  }
  const auto compare = [&]() -> Result<Json> {
    TRANCHE_ASSIGN(auto tables, told(manifest, folder, database));
    TRANCHE_ASSIGN(tables, compare_tables(plan, order, std::move(tables)));
    Json list{Json::Array{}};
    for (const ComparedTable& table : tables) list.push(to_json(table));
    return list;
  };
  TRANCHE_ASSIGN(const Json answer, ask(compare));
  std::vector<ComparedTable> tables;
  for (const Json& item : answer.items()) tables.push_back(compared_table_from_json(item));
  return tables;
}

Result<std::vector<ComparedTable>> verify_restored(const MoveOrder& order,
                                                   const std::filesystem::path& state) {
  TRANCHE_ASSIGN(const MovePlan plan, read_move_plan(move_plan_path(order, state)));
  TRANCHE_ASSIGN(const auto ledger, Ledger::open_existing_read_only(state));
  TRANCHE_ASSIGN(const auto run, ledger->latest_run(plan.job));
  TRANCHE_ASSIGN(auto expected, expected_tables(plan, state, run ? run->run : std::string()));
  return compare_tables(plan, order, std::move(expected));
}

}  // namespace tranche
