// An execute step: SQL that a database executes once in a run.
// Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <tranche/core/policy.h>
#include <tranche/core/script.h>

#include "steps/batch_step.h"

namespace tranche {

struct ExecuteStep {
  std::string name;
  std::unique_ptr<Script> script;
  RetryPolicy retry;
};

// Executes it unless the run has done so; what passes is tried again as `retry` says. Returns how
// often it was tried again. Errors: stopped, when a stop came while it waited; failed.
Result<std::uint32_t> run_execute_step(const ExecuteStep& step,
                                       const StepSurroundings& surroundings,
                                       const std::function<bool()>& stop_wanted);

}  // namespace tranche
