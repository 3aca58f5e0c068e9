// Parquet, read and written through DuckDB: its registration.
// Threads: pure.
#pragma once

#include <tranche/core/connector.h>

namespace tranche {

Connector parquet_connector();

}  // namespace tranche
