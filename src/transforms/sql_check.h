// Reads a SELECT's syntax tree (DuckDB's own, by json_serialize_sql) and refuses what would depend
// on how the input is divided into batches, or on when it runs.
//
// Threads: pure, but for the connection.
#pragma once

#include <string>
#include <vector>

#include "drivers/duckdb_database.h"

namespace tranche {

struct CheckedSql {
  std::string text;         // what to run: the SELECT, with _file and _line taken out of its stars
  bool names_file = false;  // _file is selected
  bool names_line = false;
  std::vector<std::string> files;  // paths and patterns of what it reads by itself
  // The same rows, sorted by row_number_name, which batch must then have; "" when that can't be
  // said: batch is not in the FROM of the outermost SELECT, or its columns are taken as a whole.
  std::string ordered_text;
};

// Errors: config, one sentence without a place.
Result<CheckedSql> check_sql(DuckConnection& connection, const std::string& text, bool per_batch,
                             const Schema& batch);

}  // namespace tranche
