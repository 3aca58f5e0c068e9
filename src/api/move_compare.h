// What was read beside what is there now, table by table.
// Threads: compare_tables starts some of its own. Lifetime: value types.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/aside.h"
#include "api/move_plan.h"

namespace tranche {

struct BackedUpFile {
  std::string name;  // below the folder of the backup
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::string checksum;
};

// One table, as it was read and as it is where it went.
struct ComparedTable {
  std::string table;
  std::string step;
  std::uint64_t rows = 0;
  std::uint64_t rows_found = 0;
  std::uint64_t checksum = 0;
  std::uint64_t checksum_found = 0;
  bool has_checksum = true;         // of what was read; a backup's is that of its files
  double seconds = 0;               // that its step took; 0: an earlier process did it
  std::string only_counted;         // why its rows were not compared; empty: they were
  std::string trouble;              // why it can't be read
  std::vector<BackedUpFile> files;  // of a backup

  bool is_equal() const;
  // What keeps it from being what was read; empty: nothing.
  std::string difference() const;
};
bool are_equal(std::span<const ComparedTable> tables);

Json to_json(const ComparedTable& table);
ComparedTable compared_table_from_json(const Json& json);

// What the ledger knows that the run has written, by number of the table in the plan.
Result<std::vector<ComparedTable>> expected_tables(const MovePlan& plan,
                                                   const std::filesystem::path& state,
                                                   const std::string& run);
// The files that a backup's tables are made of now, from the manifests of their folders.
Result<void> find_files(const MovePlan& plan, const std::filesystem::path& folder,
                        std::vector<ComparedTable>& tables);
// Reads the tables where they went.
Result<std::vector<ComparedTable>> compare_tables(const MovePlan& plan, const MoveOrder& order,
                                                  std::vector<ComparedTable> expected);

// A backup beside a database, or, without one, beside what its manifest says. Errors: config.
Result<std::vector<ComparedTable>> verify_backup(const std::filesystem::path& folder,
                                                 const std::optional<DatabasePlace>& database,
                                                 Asking ask = ask_aside);
// What a run restored by the plan in its state folder, beside what is there now.
Result<std::vector<ComparedTable>> verify_restored(const MoveOrder& order,
                                                   const std::filesystem::path& state);

}  // namespace tranche
