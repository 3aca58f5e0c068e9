// Whether a SELECT gives the rows of batch in the order of the input, by DuckDB's physical plan.
//
// A scan, a projection, a filter keep it, and so does a join that gives each row of batch at most
// once, from a single probe. The others (tried with DuckDB 1.5.6) give vector by vector the first
// match of each row, then the second of each, and the rows without a match at last.
//
// Threads: pure, but for the connection.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "drivers/duckdb_database.h"

namespace tranche {

// The operator that may change the order of the rows of `feed` (a table function), or "" when there
// is none. `plan` is what EXPLAIN (FORMAT json) gives of the SELECT with its lookup tables filled.
Result<std::string> scrambling_operator(DuckConnection& connection, const Json& plan,
                                        const std::string& feed);

}  // namespace tranche
