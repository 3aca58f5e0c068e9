// What the sources of all databases do alike: their options, and what becomes of a query of the
// user's.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/options.h>

namespace tranche {

// A query that can stand in parentheses: without blanks around it and the semicolon at its end.
std::string without_semicolon(std::string_view query);

// ---- Of databases in a file.

// Rows of the option tables. `doc`: what a query of the system is.
Option read_table_option();
Option read_query_option(std::string doc);
Option read_key_option();
// `columns:`: a list of those that are read, an item a name or { name: type }; or a map of names to
// types, where the others are read as well.
struct ReadColumns {
  std::vector<std::string> names;  // empty: all
  Schema types;                    // of those that are read as something else
};
Option read_columns_option();
// `node`: what the job says of it; nullptr: nothing. Errors: config.
Result<ReadColumns> read_columns(const Node* node);
// Only in a certain state, which a backup or a migration has noted.
Option read_snapshot_option(std::string doc);
// Errors: config, when the job names both, or neither.
Result<void> check_table_or_query(std::string_view system, const std::string& table,
                                  const std::string& query);

}  // namespace tranche
