// The connector `sqlite`: tables of a SQLite database. As a source they are read by ranges of a
// key, all in one state of the database; as a sink, batches arrive in the table together with their
// row in the database's own record of commits, in one transaction.
// Threads: value types; made once.
#pragma once

#include <tranche/core/connector.h>

namespace tranche {

Connector sqlite_connector();

}  // namespace tranche
