// Reads the pages of a web API: the source of `read: { http: ... }`. docs/web-services.md tells
// people what it does.
//
// Pages are fetched while the source is divided, and kept before they are planned, so that slices
// are places in what was kept. Reading is that of JSON Lines.
//
// Threads and lifetime: those of core/connector.h.
#pragma once

#include <tranche/core/connector.h>

namespace tranche {

Connector http_connector();

}  // namespace tranche
