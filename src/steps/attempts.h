// Trying a whole step again, where it is one deed and has no batches.
// Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <tranche/core/policy.h>

#include "steps/batch_step.h"

namespace tranche {

// Calls `attempt` until it succeeds, as often as `retry` says for trouble that passes. Returns how
// often it was tried again. Errors: those of the last attempt; stopped, when a stop came between.
Result<std::uint32_t> try_until_done(const std::string& step, const RetryPolicy& retry,
                                     const StepSurroundings& surroundings,
                                     const std::function<bool()>& stop_wanted,
                                     const std::function<Result<void>()>& attempt);

}  // namespace tranche
