// Steps with a query: SQL whose result a run keeps in a file of its own, which the step then reads
// as it would read any other.
// Threads: one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include <tranche/api/job.h>
#include "steps/batch_step.h"
#include "steps/query_step.h"

namespace tranche {

// The file in which a run keeps the result of a step's query.
std::filesystem::path query_result_path(const std::filesystem::path& run_folder,
                                        const StepSpec& spec);
// The step as one that reads such a result, when it has a query; else as it is.
StepSpec reading_result(const StepSpec& spec, const std::filesystem::path& result);

// Runs the query of a step, within the memory of the run. Keeps its result, or the first `rows` of
// it. REQUIRES a step with a query. Errors: those of keep_query_result.
Result<void> keep_result(
    const JobSpec& job, const StepSpec& spec, const StepSurroundings& surroundings,
    const std::filesystem::path& result, std::optional<std::uint64_t> rows = std::nullopt,
    const std::function<bool()>& stop_wanted = [] { return false; });

// Tells a query its share of the run's memory, and how many threads that is for.
void give_share(QueryStep& query, const StepSurroundings& surroundings);

// The step bound to the result that its query would have without a record: checks the query, the
// columns and the target, and computes nothing. Errors: config.
Result<BatchStep> bind_to_no_result(const JobSpec& job, const StepSpec& spec,
                                    const StepSurroundings& surroundings,
                                    const std::filesystem::path& scratch);

}  // namespace tranche
