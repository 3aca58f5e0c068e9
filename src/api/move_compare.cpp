#include "api/move_compare.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "api/assemble.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/process.h"
#include "base/scratch_folder.h"
#include "base/text.h"
#include "connectors/row_digest.h"
#include "drivers/duckdb_database.h"
#include "drivers/postgres.h"
#include "ledger/ledger.h"

namespace tranche {
namespace {

constexpr std::uint64_t database_memory_bytes = 192ULL << 20;

// The table where it went, as it is read.
ConnectorUse written_use(const MovePlan& plan, const MovedTable& table, const MoveOrder& order,
                         const ComparedTable& expected, std::vector<Field>& columns) {
  if (plan.kind == MoveKind::backup) {
    MovedTable kept = table;
    kept.files.clear();
    for (const BackedUpFile& file : expected.files) kept.files.push_back(file.name);
    return parquet_use(order.folder, kept);
  }
  const Connector* const system = find_connector(order.target.system);
  if (system->kept_as != nullptr)
    for (Field& field : columns) field.type = system->kept_as(field.type);
  return read_use(order.target, table.target, columns, table.literals);
}

Result<void> read_table(const MovePlan& plan, const MovedTable& table, const MoveOrder& order,
                        WorkerScope& worker, ComparedTable& compared) {
  const bool has_no_files = plan.kind == MoveKind::backup && compared.files.empty();
  if (has_no_files || !compared.trouble.empty()) return {};
  std::vector<Field> read = table.columns;
  const ConnectorUse use = written_use(plan, table, order, compared, read);
  TRANCHE_ASSIGN(const auto source, make_source(use, {}));
  TRANCHE_ASSIGN(const RowsFound found, find_rows(*source, read, worker, UINT64_MAX));
  compared.rows_found = found.rows;
  compared.checksum_found = found.digest;
  if (found.unreadable > 0)
    compared.trouble = fmt::format("{} rows can't be read", found.unreadable);
  if (!found.has_columns) compared.trouble = "its columns are not those that were written";
  return {};
}

}  // namespace

bool ComparedTable::is_equal() const {
  if (!trouble.empty()) return false;
  if (!only_counted.empty()) return true;
  return rows == rows_found && (!has_checksum || checksum == checksum_found);
}

std::string ComparedTable::difference() const {
  if (is_equal()) return {};
  if (!trouble.empty()) return trouble;
  if (rows != rows_found)
    return fmt::format("{} {} read, {} are there", format_count(rows),
                       rows == 1 ? "row was" : "rows were", format_count(rows_found));
  return fmt::format("its rows are others: their checksum was {}", to_hex64(checksum));
}

bool are_equal(std::span<const ComparedTable> tables) {
  return std::all_of(tables.begin(), tables.end(),
                     [](const ComparedTable& table) { return table.is_equal(); });
}

Json to_json(const ComparedTable& table) {
  Json files{Json::Array{}};
  for (const BackedUpFile& file : table.files)
    files.push(Json()
                   .set("name", file.name)
                   .set("rows", file.rows)
                   .set("bytes", file.bytes)
                   .set("checksum", file.checksum));
  return Json()
      .set("table", table.table)
      .set("step", table.step)
      .set("rows", table.rows)
      .set("rows_found", table.rows_found)
      .set("checksum", table.checksum)
      .set("checksum_found", table.checksum_found)
      .set("has_checksum", table.has_checksum)
      .set("seconds", table.seconds)
      .set("only_counted", table.only_counted)
      .set("trouble", table.trouble)
      .set("files", std::move(files));
}

ComparedTable compared_table_from_json(const Json& json) {
  ComparedTable table;
  table.table = json["table"].text();
  table.step = json["step"].text();
  table.rows = json["rows"].natural();
  table.rows_found = json["rows_found"].natural();
  table.checksum = json["checksum"].natural();
  table.checksum_found = json["checksum_found"].natural();
  table.has_checksum = json["has_checksum"].boolean();
  table.seconds = json["seconds"].number();
  table.only_counted = json["only_counted"].text();
  table.trouble = json["trouble"].text();
  for (const Json& item : json["files"].items())
    table.files.push_back({item["name"].text(), item["rows"].natural(), item["bytes"].natural(),
                           item["checksum"].text()});
  return table;
}

Result<std::vector<ComparedTable>> expected_tables(const MovePlan& plan,
                                                   const std::filesystem::path& state,
                                                   const std::string& run) {
  std::vector<ComparedTable> tables;
  if (plan.tables.empty()) return tables;
  TRANCHE_ASSIGN(const auto ledger, Ledger::open_existing_read_only(state));
  for (const MovedTable& table : plan.tables) {
    ComparedTable& expected = tables.emplace_back();
    expected.table = table.source.text();
    expected.step = table.step;
    expected.has_checksum = plan.kind != MoveKind::backup;
    if (!table.upsert_key.empty())
      expected.only_counted = "the backup holds several versions of its rows";
    TRANCHE_ASSIGN(const auto known, ledger->load_step(run, table.step));
    if (!known) continue;  // it had no rows
    TRANCHE_ASSIGN(auto step_ledger, ledger->step_ledger(run, table.step));
    TRANCHE_ASSIGN(const auto step, step_ledger->load());
    for (const auto& group : step.committed) {
      expected.rows += group.receipt.rows;
      expected.checksum += group.receipt.checksum;
    }
  }
  return tables;
}

Result<void> find_files(const MovePlan& plan, const std::filesystem::path& folder,
                        std::vector<ComparedTable>& tables) {
  for (std::size_t at = 0; at < plan.tables.size(); ++at) {
    const MovedTable& table = plan.tables[at];
    std::vector<std::filesystem::path> manifests;
    std::error_code none;  // of a table without rows
    for (const auto& entry :
         std::filesystem::directory_iterator(folder / table.folder / "_tranche", none))
      manifests.push_back(entry.path());
    std::sort(manifests.begin(), manifests.end());
    std::uint64_t rows = 0;
    for (const auto& path : manifests) {
      TRANCHE_ASSIGN(const std::string text, read_file(path));
      TRANCHE_ASSIGN(const Json manifest, Json::parse(text));
      if (manifest["mode"].text() == "replace") {
        tables[at].files.clear();
        rows = 0;
      }
      for (const Json& file : manifest["files"].items()) {
        tables[at].files.push_back({table.folder + "/" + file["name"].text(),
                                    file["rows"].natural(), file["bytes"].natural(),
                                    file["checksum"].text()});
        rows += file["rows"].natural();
      }
    }
    if (table.is_incremental) tables[at].rows = rows;  // those of earlier runs, too
  }
  return {};
}

Result<std::vector<ComparedTable>> compare_tables(const MovePlan& plan, const MoveOrder& order,
                                                  std::vector<ComparedTable> expected) {
  const ScratchFolder scratch;
  TRANCHE_TRY(scratch.create());
  const KeptInstances instances;
  const KeptConnections connections;
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    // Of a server each table has a connection of its own, which ends with it.
    const bool is_server = plan.kind != MoveKind::backup && !order.target.is_file();
    std::optional<WorkerScope> worker;
    for (std::size_t at = next++; at < expected.size(); at = next++) {
      if (is_server || !worker) worker.emplace(0U, database_memory_bytes, scratch.path().string());
      const auto read = read_table(plan, plan.tables[at], order, *worker, expected[at]);
      if (!read) expected[at].trouble = read.error().message;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned number = 1; number < core_count(); ++number) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  return expected;
}

}  // namespace tranche
