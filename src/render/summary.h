// The end of a run, as a person reads it.
// Threads: pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <tranche/api/run.h>

#include "render/look.h"

namespace tranche {

// What the summary says besides what the run itself knows.
struct SummaryContext {
  std::vector<std::pair<std::string, std::string>> outputs;  // step, where it wrote
  std::string resume_command;                                // exact; empty: nothing to resume
  std::string rejects_command;                               // shows the rejects
  std::vector<std::string> bad_records;                      // reject lines (JSON), the first ones
  std::uint64_t bad_records_count = 0;                       // in all
};

// Several lines with newlines: the state, a table of the steps, where output and rejects are; after
// a failure the error, the first bad records and the command that goes on.
std::string render_summary(const RunSummary& summary, const SummaryContext& context,
                           const Look& look);

// One reject line (JSON) as two lines for a person: place and error, then the record as it stands.
std::string render_reject(const std::string& json_line, const Look& look, std::size_t indent);

// An error as the command says it: "Error: what" and where.
std::string render_error(const Error& error, const Look& look);

}  // namespace tranche
