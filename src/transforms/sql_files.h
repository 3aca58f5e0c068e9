// The files that a SELECT reads by itself (FROM 'rates.csv', read_parquet('...')): what they hold
// shapes its output, so they must be known before the start.
//
// Threads: pure, but for the connection and the files.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "drivers/duckdb_database.h"

namespace tranche {

// Whether the table function reads files that its first argument names.
bool reads_files(const std::string& function);
// What its call gives as paths: the first argument, or each item of a list there.
std::vector<const Json*> file_arguments(const Json& call);
// Adds the paths and patterns of its call in a syntax tree. Errors: config, for one that is not
// written as text, and for one in the network.
Result<void> collect_file_patterns(const Json& call, std::vector<std::string>& patterns);
// Errors: config, for a path in the network.
Result<void> check_file_pattern(const std::string& pattern);

// The files that DuckDB finds for the patterns, each once, in their order. Errors: failed.
Result<std::vector<std::filesystem::path>> find_sql_files(DuckConnection& connection,
                                                          const std::vector<std::string>& patterns);
}  // namespace tranche
