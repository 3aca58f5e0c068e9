// The first records of a step, stage by stage, in one thread and without a sink.
#include <algorithm>

#include "plan/planner.h"
#include "steps/batch_step.h"

namespace tranche {
namespace {

// The rows of `pages` up to `rows`, as one page without origins.
std::unique_ptr<Page> first_rows(const SchemaPtr& schema,
                                 const std::vector<std::unique_ptr<Page>>& pages,
                                 std::size_t rows) {
  auto first = std::make_unique<Page>(schema, std::max<std::size_t>(rows, 1));
  for (const auto& page : pages) {
    for (std::size_t row = 0; row < page->rows() && first->rows() < rows; ++row) {
      append_row(*first, *page, row);
    }
  }
  return first;
}

}  // namespace

Result<std::vector<StagePreview>> preview_batch(const BatchStep& step,
                                                const StepSurroundings& surroundings,
                                                std::size_t rows) {
  std::vector<StagePreview> preview;
  WorkerScope scope(0, surroundings.database_memory_bytes, surroundings.spill_folder);
  TRANCHE_ASSIGN(auto stream, step.source->divide(nullptr));
  CutLimits limits;
  limits.records_max = rows;
  std::vector<std::unique_ptr<Page>> pages;
  std::vector<Reject> rejects;
  std::size_t found = 0;
  while (found < rows) {  // slices end with their file, and a slice may hold broken records only
    TRANCHE_ASSIGN(auto slice, stream->next(limits));
    if (!slice) break;
    TRANCHE_ASSIGN(auto reader, step.source->open(*slice, scope));
    while (true) {
      TRANCHE_ASSIGN(auto page, reader->next(rejects));
      if (!page) break;
      found += page->rows();
      pages.push_back(std::move(page));
    }
  }
  preview.push_back(
      StagePreview{"read", first_rows(step.schemas[0].second, pages, rows), rejects.size()});
  for (std::size_t i = 0; i < step.transforms.size(); ++i) {
    TRANCHE_ASSIGN(auto instance, step.transforms[i]->instance(scope));
    std::vector<std::unique_ptr<Page>> results;
    rejects.clear();
    StageCounts counts;
    const auto take = [&](std::unique_ptr<Page> page) -> Result<void> {
      results.push_back(std::move(page));
      return {};
    };
    TRANCHE_TRY(instance->process(pages, take, rejects, counts));
    pages = std::move(results);
    preview.push_back(StagePreview{step.schemas[i + 1].first,
                                   first_rows(step.schemas[i + 1].second, pages, rows),
                                   rejects.size()});
  }
  return preview;
}

}  // namespace tranche
