// The Parquet files of a source, with what each gives to the source's columns: a column of its own,
// a folder's name (day=2026-01-17/), or nulls.
//
// Threads: made by one thread, then a value.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <tranche/core/plan.h>

#include "connectors/parquet_file.h"

namespace tranche {

struct ParquetSourceOptions {
  std::vector<std::string> patterns;  // paths or globs
  std::vector<std::string> columns;   // empty: all
  std::filesystem::path base;
  enum class Hive { automatic, yes, no } hive = Hive::automatic;
  Schema hive_types;            // of folders' columns; those that it does not name are guessed
  bool missing_null = false;    // a column that a file lacks
  bool extra_ignored = false;   // one that the first file lacks
  bool empty_refused = false;
  bool bad_rejected = false;
};

struct ParquetInput {
  ParquetFooter footer;
  std::vector<std::string> expressions;  // SQL for each column of the source's schema
  std::string fault;                     // of a file that is one reject; empty: none
};

struct ParquetInputs {
  SchemaPtr schema;
  std::vector<ParquetInput> files;
};

// Errors: config, when a file can't be read (and is not to be a reject), or files do not fit
// together.
Result<ParquetInputs> read_parquet_inputs(const std::vector<Input>& inputs,
                                          const ParquetSourceOptions& options);

}  // namespace tranche
