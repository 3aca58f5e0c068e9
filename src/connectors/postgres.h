// The connector `postgres`: tables of PostgreSQL databases.
// Threads: the table that it returns is a value.
#pragma once

#include <tranche/core/connector.h>

namespace tranche {

Connector postgres_connector();

}  // namespace tranche
