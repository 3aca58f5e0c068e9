// Replacing a table: what is loaded beside it, and how it takes the table's place.
//
// Where nothing depends on the table, the new one takes its name. Where something does that a swap
// would lose or break (views, triggers, foreign keys, grants, policies, another owner, ...), the
// rows are replaced instead: all old ones deleted, all new ones inserted. Either way it is one
// transaction, with the seal's row.
// Threads: the committing thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <tranche/core/schema.h>

#include "connectors/postgres_shape.h"
#include "connectors/postgres_target.h"

namespace tranche::postgres {

// What a swap would lose or break: "view revenue", "grants"; empty: nothing.
Result<std::string> what_depends(PostgresConnection& connection, const TableShape& shape);
// Whether the table can be replaced at all. Errors: config, what keeps it.
Result<void> examine_replace(PostgresConnection& connection, const Target& target,
                             const TableShape& shape);
// Creates the staging table: shaped and constrained like the table it will replace, or, when there
// is none, for the schema. REQUIRES an open transaction.
Result<void> create_staging(PostgresConnection& connection, const Target& target,
                            const Schema& schema, const TableName& staging);
// Puts what is in the staging table in the place of the table; `rows` is how many that are.
// `columns`: of the records; their identities are kept, others go on counting. REQUIRES an open
// transaction. Errors: failed, when the table does not take the rows as they are.
Result<void> replace_table(PostgresConnection& connection, const Target& target,
                           const TableName& staging, std::span<const std::string> columns,
                           std::uint64_t rows);

}  // namespace tranche::postgres
