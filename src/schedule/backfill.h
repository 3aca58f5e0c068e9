// Runs windows of one job that are missing, some at a time, and ends.
//
// Threads: one. Errors: a run that can't be started.
#pragma once

#include <cstddef>
#include <span>

#include "schedule/service.h"

namespace tranche {

struct BackfillEnd {
  std::size_t done = 0;
  std::size_t failed = 0;
  std::size_t left = 0;  // not run, since one failed before, or a stop was wanted
  bool was_stopped = false;
};

// In their order, though with `at_once` above 1 they end as they like. After the first failure none
// is begun any more, unless `keeps_going`. REQUIRES a world whose first job it is.
Result<BackfillEnd> backfill(ScheduleWorld& world, std::span<const TimeWindow> windows,
                             std::size_t at_once, bool keeps_going);

}  // namespace tranche
