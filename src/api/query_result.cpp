#include "api/query_result.h"

#include <algorithm>

#include "api/assemble.h"
#include "base/process.h"
#include "steps/step_memory.h"

namespace tranche {
namespace {

constexpr std::uint64_t thread_memory_bytes = std::uint64_t{64} << 20;

}  // namespace

std::filesystem::path query_result_path(const std::filesystem::path& run_folder,
                                        const StepSpec& spec) {
  // Also where the job lies elsewhere, to whose folder the paths of its sources are relative.
  return fs::absolute(run_folder / "queries" / (spec.name + ".parquet")).lexically_normal();
}

void give_share(QueryStep& query, const StepSurroundings& surroundings) {
  query.memory_bytes_max = query_memory_for(surroundings.memory_bytes_max);
  query.spill_folder = surroundings.spill_folder;
  // Each holds some blocks that it can't spill.
  const auto fitting = static_cast<unsigned>(query.memory_bytes_max / thread_memory_bytes);
  query.threads = std::clamp(fitting, 1U, core_count());
}

StepSpec reading_result(const StepSpec& spec, const std::filesystem::path& result) {
  StepSpec made = spec;
  if (!spec.query) return made;
  made.read.connector = "parquet";
  made.read.options = Node::map();
  made.read.options.set("parquet", Node::scalar(result.string()));
  return made;
}

Result<void> keep_result(const JobSpec& job, const StepSpec& spec,
                         const StepSurroundings& surroundings, const std::filesystem::path& result,
                         std::optional<std::uint64_t> rows,
                         const std::function<bool()>& stop_wanted) {
  TRANCHE_ASSIGN(auto query, assemble_query(job, spec));
  give_share(query, surroundings);
  return keep_query_result(std::move(query), result, rows, stop_wanted);
}

Result<BatchStep> bind_to_no_result(const JobSpec& job, const StepSpec& spec,
                                    const StepSurroundings& surroundings,
                                    const std::filesystem::path& scratch) {
  const auto result = query_result_path(scratch, spec);
  TRANCHE_TRY(keep_result(job, spec, surroundings, result, 0));
  TRANCHE_ASSIGN(auto step, assemble(job, reading_result(spec, result), RunOptions{}));
  TRANCHE_TRY(bind_step(step, nullptr, surroundings));
  return step;
}

}  // namespace tranche
