// A job file becomes a Job, or every error in it at once.
//
// Threads: pure, except that files and the environment are read.
// Errors: the Result's error is one sentence for the whole; `problems` holds each finding with its
// place, sorted, and format_problems writes them as "file:line:column: what".
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <tranche/api/job.h>
#include <tranche/core/options.h>
#include <tranche/core/timetable.h>

namespace tranche {

using GivenParameter = std::pair<std::string, std::string>;  // -p name=value

// Of a job with a schedule: the window that it is loaded for.
using WindowChoice = std::function<Result<TimeWindow>(const Timetable&)>;

// `given` are the parameters of the command line. Without a choice the parameters that a window
// gives have the values of the first one, and the job has no window. Errors: usage (a parameter),
// config (the file), those of `choose`.
Result<JobSpec> load_job(const std::filesystem::path& file, std::span<const GivenParameter> given,
                         Problems& problems, const WindowChoice& choose = {});
// The same from text; `file` is named in messages, and relative paths are relative to its folder.
Result<JobSpec> parse_job(std::string_view text, const std::filesystem::path& file,
                          std::span<const GivenParameter> given, Problems& problems,
                          const WindowChoice& choose = {});

// Each problem on a line of its own: "jobs/sales.yaml:12:5: ..."; those without a place as they
// are.
std::string format_problems(const std::filesystem::path& file, const Problems& problems);

// What the job file takes at `workers:`, from the command line: "auto", "4", "{ threads: 4 }".
// Errors: usage.
Result<WorkersSpec> parse_workers(std::string_view text);

// The name of the job in `file`, without checking the rest. Errors: config.
Result<std::string> read_job_name(const std::filesystem::path& file);

}  // namespace tranche
