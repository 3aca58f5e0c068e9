// Steps with `report:`: from the job's description to what writes the report.
// Threads: one. Errors: config, with the place in the job file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <tranche/api/job.h>
#include "steps/report_step.h"

namespace tranche {

// REQUIRES a step with a report; the surroundings outlive what is made, whose queries take their
// share of the memory from them.
Result<ReportStep> assemble_report(const JobSpec& job, const StepSpec& spec,
                                   const StepSurroundings& surroundings);

// Where its report is written.
std::filesystem::path report_path(const Node& report, const std::filesystem::path& base);

// Whether its queries and charts fit what is there now. Errors: failed, where their input is not
// there; the first one, those of other sections go to `others` (nullptr: nowhere).
Result<void> examine_report(const JobSpec& job, const StepSpec& spec,
                            const StepSurroundings& surroundings,
                            std::vector<Error>* others = nullptr);

// What is wrong with the name of the file; empty: nothing.
std::string fault_of_report_file(std::string_view path);

}  // namespace tranche
