// The csv connector: text files with delimiters, as source and as sink.
// Threads: called once, by the table of connectors.
#pragma once

#include <tranche/core/connector.h>

namespace tranche {

Connector csv_connector();

}  // namespace tranche
