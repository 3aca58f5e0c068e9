// A Job as the text of a job file: what was planned by `migrate` and the like, for a person to keep
// and change.
// Threads: a pure function. Errors: config, for a job with functions of C++.
#pragma once

#include <string>

#include <tranche/api/job.h>

namespace tranche {

// `head`: lines of comment at the top.
Result<std::string> write_job(const JobSpec& job, const std::string& head);

}  // namespace tranche
