// The connector `duckdb`: tables of a DuckDB database file. As a source they are read by ranges of
// a key; as a sink, batches arrive in the table together with their row in the database's own
// record of commits, in one transaction.
// Threads: value types; made once.
#pragma once

#include <tranche/core/connector.h>

namespace tranche {

Connector duckdb_connector();

}  // namespace tranche
