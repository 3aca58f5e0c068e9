#include "schedule/windows.h"

#include <algorithm>
#include <map>
#include <utility>

#include "api/job_run.h"

namespace tranche {
namespace {

// The ledger; nullptr: there is none, or it is just being made.
Result<std::unique_ptr<Ledger>> look_into(const fs::path& state) {
  auto opened = Ledger::open_existing_read_only(state);
  if (!opened && opened.error().kind == ErrorKind::usage) return std::unique_ptr<Ledger>();
  return opened;
}

Result<std::vector<WindowRecord>> records_of(const fs::path& state, const std::string& job,
                                             const std::string& variant) {
  TRANCHE_ASSIGN(const auto ledger, look_into(state));
  return ledger == nullptr ? Result<std::vector<WindowRecord>>(std::vector<WindowRecord>())
                           : ledger->windows(job, variant, INT64_MIN);
}

CoveredTime covered_by(const std::vector<WindowRecord>& records) {
  std::vector<TimeWindow> done;
  for (const WindowRecord& record : records)
    if (record.state == "completed") done.push_back(record.times);
  return CoveredTime(std::move(done));
}

Result<std::string> state_of(const fs::path& state, const std::string& job,
                             const WindowRecord& record) {
  if (record.state == "completed") return std::string("done");
  if (record.state == "abandoned") return std::string("missing");
  if (record.state != "running") return record.state;
  TRANCHE_ASSIGN(const bool is_alive,
                 FileLock::is_held(run_lock_path(state, job, record.parameters_digest)));
  return std::string(is_alive ? "running" : "interrupted");
}

}  // namespace

Agenda agenda_of(const JobSpec& job) {
  return Agenda(*Timetable::make(*job.schedule), job.schedule->catch_up);
}

Result<CoveredTime> covered_time(const fs::path& state, const std::string& job,
                                 const std::string& variant) {
  TRANCHE_ASSIGN(const auto records, records_of(state, job, variant));
  return covered_by(records);
}

Result<void> for_each_window(const fs::path& state, const JobSpec& job, std::int64_t from,
                             std::int64_t to, std::int64_t now,
                             const std::function<Result<void>(WindowInfo)>& take) {
  TRANCHE_ASSIGN(const auto records,
                 records_of(state, job.name, job.window ? job.window->variant : std::string()));
  const CoveredTime done = covered_by(records);
  std::map<std::pair<std::int64_t, std::int64_t>, const WindowRecord*> runs;
  for (const WindowRecord& record : records)
    if (!record.run.empty()) runs[{record.times.begin, record.times.end}] = &record;
  const Agenda agenda = agenda_of(job);
  const Timetable& timetable = agenda.timetable();
  const auto earliest = agenda.earliest(now);
  TimeWindow times = timetable.window_of(from);
  if (times.begin < from) times = timetable.behind(times);
  for (; times.end <= to; times = timetable.behind(times)) {
    WindowInfo info;
    info.times = times;
    info.name = timetable.name_of(times);
    info.state = done.covers(times)                          ? "done"
                 : earliest && times.begin < earliest->begin ? "skipped"
                                                             : "missing";
    const auto run = runs.find({times.begin, times.end});
    if (run != runs.end()) {
      TRANCHE_ASSIGN(auto of_run, state_of(state, job.name, *run->second));
      if (of_run != "missing") info.state = std::move(of_run);
      info.run = run->second->run;
      info.error = run->second->error;
      info.started_microseconds = run->second->started_microseconds;
      info.ended_microseconds = run->second->ended_microseconds;
    }
    TRANCHE_TRY(take(std::move(info)));
  }
  return {};
}

Result<std::vector<WindowInfo>> list_windows(const fs::path& state, const JobSpec& job,
                                             std::int64_t from, std::int64_t to, std::int64_t now) {
  std::vector<WindowInfo> windows;
  TRANCHE_TRY(for_each_window(state, job, from, to, now, [&](WindowInfo info) -> Result<void> {
    windows.push_back(std::move(info));
    return {};
  }));
  return windows;
}

std::int64_t begin_of_latest(const Timetable& timetable, std::int64_t from, std::int64_t to,
                             std::size_t count) {
  TimeWindow window = timetable.window_of(to);  // the last one behind `to`, or beyond it
  for (std::size_t i = 0; i < count && window.begin > from; ++i) window = timetable.before(window);
  return std::max(window.begin, from);
}

Result<std::optional<ScheduleTrouble>> trouble_of(const fs::path& state, const std::string& job) {
  TRANCHE_ASSIGN(const auto ledger, look_into(state));
  return ledger == nullptr ? Result<std::optional<ScheduleTrouble>>(std::nullopt)
                           : ledger->trouble(job);
}

}  // namespace tranche
