// The page about a run: how it went, for people, in one file of HTML without a network.
//
// Its size is bounded: batches are drawn, not listed, and what lies too close together is one.
// Threads: a pure function; `now_microseconds` is when it is looked at.
#pragma once

#include <cstdint>
#include <string>

#include <tranche/api/inspect.h>

namespace tranche {

std::string render_run_page(const RunReport& report, std::int64_t now_microseconds);

}  // namespace tranche
