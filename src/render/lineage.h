// What a run reads and writes, for a catalogue of data: events of OpenLineage
// (https://openlineage.io/spec/2-0-2/OpenLineage.json), one JSON object each.
//
// Threads: pure functions. No secret of a URL is in an event.
#pragma once

#include <cstdint>
#include <string>

#include <tranche/api/job.h>
#include <tranche/api/run.h>

namespace tranche {

// `run`: its id.
std::string lineage_start(const JobSpec& job, const std::string& run,
                          std::int64_t now_microseconds);
// COMPLETE, ABORT for a run that was stopped, FAIL.
std::string lineage_end(const JobSpec& job, const RunSummary& summary,
                        std::int64_t now_microseconds);

}  // namespace tranche
