// What flags of several commands mean: numbers, and stretches of time, --from and --to.
//
// Threads: pure. Errors: usage.
#pragma once

#include <vector>

#include <tranche/core/timetable.h>

#include "cli/command.h"

namespace tranche {

std::vector<Flag> range_flags();
// Of windows that are due at `now`; without the flags: all that the schedule has.
Result<TimeWindow> take_range(const Invocation& invocation, const Timetable& timetable,
                              std::int64_t now);

// A number from 1 on. Errors: usage.
Result<std::size_t> take_number(const Invocation& invocation, const std::string& flag,
                                std::size_t otherwise);

}  // namespace tranche
