// Reads `schedule:` of a job file.
//
// Threads: pure, except that the system's time zones are read.
#pragma once

#include <optional>
#include <utility>

#include <tranche/core/options.h>
#include <tranche/core/timetable.h>

namespace tranche {

struct ReadSchedule {
  ScheduleSpec spec;
  Timetable timetable;
};

// nullopt: there is something wrong with it, and a problem for it. What its option table says of it
// is left to whoever checks the job.
std::optional<ReadSchedule> read_schedule(const Node& node, Problems& problems);

}  // namespace tranche
