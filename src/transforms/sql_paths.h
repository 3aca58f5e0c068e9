// Relative paths in a SELECT: DuckDB looks for a plain one in the process's working folder before
// it looks anywhere else, so that a job that is started elsewhere could read a file of the same
// name there. Here they are made absolute.
//
// Threads: pure, but for the connection.
#pragma once

#include <filesystem>
#include <string>

#include "drivers/duckdb_database.h"

namespace tranche {

// The SELECT with its relative paths behind `base`: those of FROM 'rates.csv', and those that a
// function which reads files is given as texts. Paths that are put together only when it runs stay
// as they are, and so does a text that is no SELECT. REQUIRES that the tables which the SELECT
// names are there. Errors: config, for a path whose text can't be found.
Result<std::string> with_absolute_paths(DuckConnection& connection, const std::string& text,
                                        const std::filesystem::path& base);

}  // namespace tranche
