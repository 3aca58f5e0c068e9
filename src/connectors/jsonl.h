// The jsonl connector: files of JSON Lines, as source and as sink.
// Threads: called once, by the table of connectors.
#pragma once

#include <tranche/core/connector.h>

namespace tranche {

Connector jsonl_connector();

}  // namespace tranche
