// A SELECT's syntax tree, as DuckDB itself gives it (json_serialize_sql), and the names that it may
// meet.
//
// Threads: pure, but for the connection.
#pragma once

#include <set>
#include <string>

#include "drivers/duckdb_database.h"

namespace tranche {

// As JSON text; its member "error" is true where the text is no SELECT.
Result<std::string> syntax_tree(DuckConnection& connection, const std::string& text);
// Tables and views of the connection, in lower case.
Result<std::set<std::string>> table_names(DuckConnection& connection);

}  // namespace tranche
