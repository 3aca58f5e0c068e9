// What the steps of a job write, and whether two of them may write one thing at once.
// Threads: one.
#pragma once

#include <tranche/api/job.h>
#include <tranche/core/source.h>
#include <optional>
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
// The first that there is. Errors: config, where a step's output can't be what it says.
Result<std::optional<OutputClash>> find_output_clash(const JobSpec& job, const StepGraph& graph);

// Errors: config, where the step would write over what it reads, over the job file, or its rejects
// over its own output. `inputs`: what it reads.
Result<void> check_writes_apart(const JobSpec& job, const StepSpec& spec,
                                const std::vector<Input>& inputs);

}  // namespace tranche
