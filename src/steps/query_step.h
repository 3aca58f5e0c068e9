// A query step's first half: SQL over files, databases and earlier outputs, whose result is kept in
// one Parquet file of the run, durably and whole. From there a batch step takes it, so that its
// output is committed and resumed as any other.
//
// DuckDB works out of core within the memory that it is given. Rows come in the order of the
// query's ORDER BY; without one, in any.
// Threads: one; the query uses as many as it is told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "steps/batch_step.h"
#include "transforms/sql_lookups.h"

namespace tranche {

struct QueryStep {
  std::string text;   // one SELECT
  std::string place;  // of the text: "job.yaml:12:9"
  std::string base;   // relative paths in it are relative to this folder
  std::vector<SqlLookup> tables;
  std::uint64_t memory_bytes_max = 0;
  std::string spill_folder;
  unsigned threads = 1;
};

// Writes the result of the query, or its first `rows`, to `path`, a Parquet file; what was there is
// replaced. Errors: config: the query is wrong, or a type of its result can't be kept; stopped; a
// lookup's; memory; failed.
Result<void> keep_query_result(QueryStep query, const std::filesystem::path& path,
                               std::optional<std::uint64_t> rows,
                               const std::function<bool()>& stop_wanted);

}  // namespace tranche
