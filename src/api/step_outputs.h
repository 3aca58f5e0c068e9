// What the steps of a job write, and whether two of them may write one thing at once.
// Threads: one.
#pragma once

#include <tranche/api/job.h>
#include <tranche/core/source.h>
#include <string>
#include <vector>

#include "api/step_graph.h"

namespace tranche {

// Two steps that write one file, folder or table, where neither waits for the other: each would
// take the other's output for its own.
struct OutputClash {
  std::size_t earlier = 0;  // of the steps, in the job
  std::size_t later = 0;
  Error error;  // config, at the place of the later one; names that of the other
};
// All that there are, by the later step; a step whose output can't be what it says has none.
std::vector<OutputClash> find_output_clashes(const JobSpec& job, const StepGraph& graph);

// An output that a later step replaces as a whole, before any step could have read it: allowed, and
// surely not meant.
struct LostOutput {
  std::size_t later = 0;
  std::string sentence;  // names both steps, their places and the output
};
std::vector<LostOutput> find_lost_outputs(const JobSpec& job, const StepGraph& graph);

// Errors: config, where a step would write into the folder in which runs are kept.
Result<void> check_writes_outside(const JobSpec& job, const StepSpec& spec,
                                  const std::filesystem::path& state);

// Errors: config, where the step would write over what it reads, over the job file, or its rejects
// over its own output. `inputs`: what it reads.
Result<void> check_writes_apart(const JobSpec& job, const StepSpec& spec,
                                const std::vector<Input>& inputs);

}  // namespace tranche
