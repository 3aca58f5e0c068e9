// The tables of the ledger, their version, and how an empty file becomes a ledger.
//
// Threads and errors: as the database's. docs/ledger.md says what each column means.
#pragma once

#include <tranche/base/result.h>

#include "drivers/sqlite.h"

namespace tranche::ledger {

inline constexpr int schema_version = 9;
inline constexpr std::int64_t application_id = 0x54726e63;  // "Trnc"

// Creates the tables in an empty database, or those that an older ledger lacks. Errors: failed,
// when it holds something else or was written by a newer version.
Result<void> prepare_schema(SqliteDatabase& database);
// The same without writing: an empty database is no ledger.
Result<void> check_schema(SqliteDatabase& database);

}  // namespace tranche::ledger
