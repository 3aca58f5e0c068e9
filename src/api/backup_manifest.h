// The manifest of a backup: DIR/manifest.json, written when all of it is there and was read again.
//
// Threads: value types; one writes at a time. Lifetime: versions to come read it.
// Errors: config: the folder holds no backup; failed: it is damaged, or of a later version.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "api/move_compare.h"
#include "api/move_plan.h"

namespace tranche {

struct BackedUpTable {
  CatalogName name;
  std::vector<Field> columns;  // as they were read
  std::uint64_t rows = 0;
  std::string checksum;               // of the rows, whatever their order: the same in every system
  std::vector<std::string> literals;  // columns whose text is SQLite's literals
  std::vector<BackedUpFile> files;
  bool is_incremental = false;
};

struct BackupManifest {
  std::string digest;  // of the file that was read
  std::string source;  // for people, without a password
  std::string order;
  std::string state;                   // of the source, as it was read
  std::int64_t made_microseconds = 0;  // when the reading began
  Catalog catalog;
  std::vector<BackedUpTable> tables;

  const BackedUpTable* find(const CatalogName& name) const;
};

bool has_manifest(const std::filesystem::path& folder);
Result<BackupManifest> read_manifest(const std::filesystem::path& folder);
// Durably; it is what makes a backup of the files.
Result<void> write_manifest(const MovePlan& plan, const MoveOrder& order,
                            const std::vector<ComparedTable>& tables);

}  // namespace tranche
