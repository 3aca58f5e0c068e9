// Increments of SQLite's tables: from which value of a column, and up to which, a run reads. Times
// are compared as the texts that they are (sqlite_times.h), with the clock in UTC, as SQLite's own
// CURRENT_TIMESTAMP is.
//
// Threads: pure functions of a database that belongs to the caller's thread.
#pragma once

#include <string>

#include "connectors/sqlite_times.h"
#include "connectors/table_increment.h"

namespace tranche::sqlite {

// Where an increment that begins at `from` ends. Errors: config.
Result<std::string> increment_end(SqliteDatabase& database, const NamedColumn& column,
                                  const IncrementUse& use, const std::string& from);
// A condition on the records of an increment.
Result<std::string> increment_condition(SqliteDatabase& database, const NamedColumn& column,
                                        const std::string& from, const std::string& until);

}  // namespace tranche::sqlite
