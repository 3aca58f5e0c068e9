// Tables that SQL may name besides files: any source, read whole into the embedded database.
//
// Threads: fix_lookups once, then each worker makes the tables of its own connection. Lifetime: the
// lookups outlive the connection.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/source.h>

#include "drivers/duckdb_database.h"

namespace tranche {

// A table that the SQL may name; whoever runs the SQL loads it whole.
struct SqlLookup {
  std::string table;
  std::unique_ptr<Source> source;
};

// With its inputs fixed: everybody loads the same rows.
struct FixedLookup {
  std::string table;
  std::unique_ptr<Source> source;
  SchemaPtr schema = nullptr;
  std::vector<Slice> slices = {};
};

// Fixes what the lookup reads. Errors: the source's.
Result<void> fix_lookup(FixedLookup& lookup);

// Makes it a temporary table of the connection. Errors: config, a broken record; failed.
Result<void> make_lookup_table(DuckConnection& connection, const FixedLookup& lookup,
                               WorkerScope& worker);

// Relative paths in the connection's SQL are relative to `base` from now on.
Result<void> search_files_in(DuckConnection& connection, const std::string& base);

}  // namespace tranche
