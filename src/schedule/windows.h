// What became of a job's windows, as its state folder tells.
//
// Threads: any; the ledger is open only inside a call, so that the process may fork afterwards.
// Errors: those of the ledger.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tranche/api/job.h>

#include "base/file.h"
#include "ledger/ledger.h"
#include "schedule/agenda.h"

namespace tranche {

struct WindowInfo {
  TimeWindow times;
  std::string name;
  // done, running, failed, stopped, interrupted (the next run goes on), missing, or skipped:
  // missed, and not caught up with.
  std::string state;
  std::string run;  // its latest; empty: none, or it is forgotten
  std::string error;
  std::int64_t started_microseconds = 0;
  std::int64_t ended_microseconds = 0;
};

// The agenda of a job. REQUIRES one with a schedule, as it was loaded.
Agenda agenda_of(const JobSpec& job);

// The time that completed runs of the job cover.
Result<CoveredTime> covered_time(const fs::path& state, const std::string& job,
                                 const std::string& variant);

// Gives the windows that begin at `from` or later and end by `to`, one after the other, in order.
// Errors: those of `take` too.
Result<void> for_each_window(const fs::path& state, const JobSpec& job, std::int64_t from,
                             std::int64_t to, std::int64_t now,
                             const std::function<Result<void>(WindowInfo)>& take);
// All of them at once.
Result<std::vector<WindowInfo>> list_windows(const fs::path& state, const JobSpec& job,
                                             std::int64_t from, std::int64_t to, std::int64_t now);
// Where the latest `count` of those begin, or `from` where there are no more.
std::int64_t begin_of_latest(const Timetable& timetable, std::int64_t from, std::int64_t to,
                             std::size_t count);

// The failures in a row that a schedule has met in the job.
Result<std::optional<ScheduleTrouble>> trouble_of(const fs::path& state, const std::string& job);

}  // namespace tranche
