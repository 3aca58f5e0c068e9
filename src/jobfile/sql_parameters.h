// Parameters in the SQL of a database: $day becomes a value of its type, in that system's words.
//
// Threads: pure functions. Source: the lexical structure of SQL as PostgreSQL, SQLite and DuckDB
// have it: texts and names in quotes, E'' with backslashes, $tag$ texts, comments that nest.
#pragma once

#include <span>
#include <string>

#include <tranche/core/options.h>
#include <tranche/core/parameter.h>

namespace tranche {

// Replaces each $name outside of texts and comments in a scalar, or in those of a list. A name that
// no parameter has is a problem.
void replace_sql_parameters(Node& sql, std::span<const Parameter> parameters,
                            std::string (*sql_value)(const Parameter&), Problems& problems);

}  // namespace tranche
