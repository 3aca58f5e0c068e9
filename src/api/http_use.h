// An `http:` transform of a job: its part of the job file, checked, and what it becomes.
//
// Threads: pure functions.
#pragma once

#include <memory>

#include <tranche/api/job.h>
#include <tranche/core/policy.h>

namespace tranche {

// What its option table can't tell. REQUIRES that check_options found nothing.
void check_http(const Node& node, Problems& problems);
// REQUIRES check_http. `stage`: which transform of its step it is. Errors: config, with a place.
Result<std::unique_ptr<Transform>> make_http(const JobSpec& job, const TransformUse& use,
                                             const WorkersSpec& workers, std::size_t stage);

}  // namespace tranche
