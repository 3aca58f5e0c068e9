// What the commands that look say: runs, one run, plans, schemas, records, verification. For people
// and, with --json, for programs: one object each.
//
// Threads: pure functions; `now_microseconds` is the wall clock that ages are reckoned by.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <tranche/api/inspect.h>

#include "base/json.h"
#include "render/look.h"

namespace tranche {

std::string render_runs(std::span<const RunInfo> runs, std::int64_t now_microseconds,
                        const Look& look);
std::string render_status(const RunInfo& run, std::int64_t now_microseconds, const Look& look);
// Errors of steps are left to render_error: they are no data.
std::string render_checks(std::span<const CheckedStep> steps, const Look& look);
// At most `batches_max` batches of each step are listed, the figures cover all.
std::string render_plan(std::span<const PlannedStep> steps, std::size_t batches_max,
                        const Look& look);
std::string render_preview(std::span<const PreviewStage> stages, const Look& look);
std::string render_verified(std::span<const VerifiedStep> steps, const Look& look);

Json runs_json(std::span<const RunInfo> runs);
Json status_json(const RunInfo& run);
Json checks_json(std::span<const CheckedStep> steps);
Json plan_json(std::span<const PlannedStep> steps);
Json preview_json(std::span<const PreviewStage> stages);
Json verified_json(std::span<const VerifiedStep> steps);

}  // namespace tranche
