// Pages of reference, made from the tables that check a job file.
// Threads: pure functions.
#pragma once

#include <string>

#include <tranche/core/connector.h>
#include <tranche/core/options.h>

#include "render/look.h"

namespace tranche {

// Every option with what it takes, its default and an example, wrapped to 80 columns.
std::string render_options(const OptionTable& table, const Look& look, std::size_t indent = 2);
// The page of one system: what it is, its options as a source, its options as a sink.
std::string render_connector(const Connector& connector, const Look& look);

}  // namespace tranche
