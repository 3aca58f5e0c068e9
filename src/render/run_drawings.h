// The drawings of a run's page, as SVG whose colours the page's style sheet knows.
// Threads: pure functions.
#pragma once

#include <string>

#include <tranche/api/inspect.h>
#include "render/run_time.h"

namespace tranche {

// A line for each worker with what it did when; slow batches stand out. Empty: the ledger has not
// kept who worked.
std::string draw_workers(const ReportedStep& step, const RunTime& time);
// Records committed a second, and the memory of the process tree, along the same time.
std::string draw_throughput(const ReportedStep& step, const RunTime& time);
std::string draw_memory(const ReportedStep& step, const RunTime& time);

// The numbers of the batches that took longest, the longest first.
std::vector<const BatchWork*> slowest_batches(const ReportedStep& step, std::size_t count);

}  // namespace tranche
