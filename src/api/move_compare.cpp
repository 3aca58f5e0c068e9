#include "api/move_compare.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
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

// One table that is being read, by one thread or by several.
struct Reading {
  std::size_t table = 0;
  std::unique_ptr<Source> source;
  std::unique_ptr<RowsSearch> rows;
  std::optional<Error> error;
  unsigned readers = 0;
};

// Reads tables side by side, and the last ones by all threads.
class TableReader {
 public:
  TableReader(const MovePlan& plan, const MoveOrder& order, std::vector<ComparedTable>& tables,
              std::string scratch)
      : plan_(plan), order_(order), tables_(tables), scratch_(std::move(scratch)) {}

  // Threads: any number at once.
  void work() {
    std::optional<WorkerScope> worker;
    for (std::size_t at = next_++; at < tables_.size(); at = next_++) {
      auto begun = begin(at);
      if (!begun)
        tables_[at].trouble = begun.error().message;
      else if (*begun)
        read(**begun, worker);
    }
    while (Reading* const other = unfinished()) read(*other, worker);
  }

 private:
  // nullptr: there is nothing to be read.
  Result<Reading*> begin(std::size_t at) {
    const ComparedTable& expected = tables_[at];
    const bool has_no_files = plan_.kind == MoveKind::backup && expected.files.empty();
    if (has_no_files || !expected.trouble.empty()) return nullptr;
    auto reading = std::make_unique<Reading>();
    reading->table = at;
    reading->readers = 1;
    std::vector<Field> columns = plan_.tables[at].columns;
    const ConnectorUse use = written_use(plan_, plan_.tables[at], order_, expected, columns);
    TRANCHE_ASSIGN(reading->source, make_source(use, {}));
    TRANCHE_ASSIGN(reading->rows, RowsSearch::begin(*reading->source, columns, UINT64_MAX));
    const std::scoped_lock lock(mutex_);
    readings_.push_back(std::move(reading));
    return readings_.back().get();
  }

  Reading* unfinished() {
    const std::scoped_lock lock(mutex_);
    for (const auto& reading : readings_) {
      if (reading->error || !reading->rows->has_parts_left()) continue;
      ++reading->readers;
      return reading.get();
    }
    return nullptr;
  }

  void read(Reading& reading, std::optional<WorkerScope>& worker) {
    // Of a server each table has a connection of its own, which ends with it.
    const bool is_server = plan_.kind != MoveKind::backup && !order_.target.is_file();
    if (is_server || !worker) worker.emplace(0U, database_memory_bytes, scratch_);
    auto read = reading.rows->take_part(*worker);
    const std::scoped_lock lock(mutex_);
    if (!read) reading.error = std::move(read).error();
    if (--reading.readers > 0) return;
    note(reading);
    std::erase_if(readings_, [&](const auto& one) { return one.get() == &reading; });
  }

  void note(const Reading& reading) {
    ComparedTable& table = tables_[reading.table];
    const RowsFound& found = reading.rows->found();
    table.rows_found = found.rows;
    table.checksum_found = found.digest;
    if (found.unreadable > 0)
      table.trouble = fmt::format("{} rows can't be read", found.unreadable);
    if (!found.has_columns) table.trouble = "its columns are not those that were written";
    if (reading.error) table.trouble = reading.error->message;
  }

  const MovePlan& plan_;
  const MoveOrder& order_;
  std::vector<ComparedTable>& tables_;  // each is noted by one thread
  const std::string scratch_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Reading>> readings_;
};

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
  TableReader reader(plan, order, expected, scratch.path().string());
  std::vector<std::thread> threads;
  for (unsigned number = 1; number < core_count(); ++number)
    threads.emplace_back([&] { reader.work(); });
  reader.work();
  for (std::thread& thread : threads) thread.join();
  return expected;
}

}  // namespace tranche
