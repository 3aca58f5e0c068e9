// The windows of jobs with a schedule, and the trouble that a schedule has met.
#include <utility>

#include <fmt/format.h>

#include "drivers/sqlite.h"
#include "ledger/ledger.h"

namespace tranche {

Result<std::optional<RunWindow>> Ledger::window_of(const std::string& run) {
  TRANCHE_ASSIGN(const bool knows, has_table("windows"));
  if (!knows) return std::optional<RunWindow>();
  TRANCHE_ASSIGN(auto row, database_->query("SELECT begins, ends, windows.name, variant FROM "
                                            "windows JOIN runs ON runs.number = windows.run "
                                            "WHERE runs.id = ?",
                                            run));
  TRANCHE_ASSIGN(const bool found, row.step());
  if (!found) return std::optional<RunWindow>();
  return std::optional(RunWindow{{row.integer(0), row.integer(1)}, row.string(2), row.string(3)});
}

// Of several runs for one window SQLite takes the columns beside max() from the row that has it.
Result<std::vector<WindowRecord>> Ledger::read_windows(const std::string& job,
                                                       const std::string& variant,
                                                       std::int64_t begins_min,
                                                       std::int64_t begins_max,
                                                       std::int64_t ends_min) {
  std::vector<WindowRecord> windows;
  TRANCHE_ASSIGN(const bool knows, has_table("windows"));
  if (!knows) return windows;
  TRANCHE_ASSIGN(
      auto rows,
      database_->query(
          "SELECT begins, ends, '', 'completed', '', '', 0, 0, 0 FROM windows_forgotten WHERE job "
          "= ?1 AND variant = ?2 AND begins <= ?4 AND ends > ?5 UNION ALL "
          "SELECT begins, ends, id, state, error, parameters_digest, started, ended, max(number) "
          "FROM windows JOIN runs ON runs.number = windows.run WHERE windows.job = ?1 AND variant "
          "= ?2 AND begins >= ?3 AND begins <= ?4 AND ends > ?5 GROUP BY begins, ends "
          "ORDER BY 1, 2",
          job, variant, begins_min, begins_max, ends_min));
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return windows;
    windows.push_back(WindowRecord{.times = {rows.integer(0), rows.integer(1)},
                                   .run = rows.string(2),
                                   .state = rows.string(3),
                                   .error = rows.string(4),
                                   .parameters_digest = rows.string(5),
                                   .started_microseconds = rows.integer(6),
                                   .ended_microseconds = rows.integer(7)});
  }
}

Result<std::vector<WindowRecord>> Ledger::windows(const std::string& job,
                                                  const std::string& variant,
                                                  std::int64_t from_microseconds) {
  return read_windows(job, variant, INT64_MIN, INT64_MAX, from_microseconds);
}

Result<std::optional<WindowRecord>> Ledger::window_record(const std::string& job,
                                                          const RunWindow& window) {
  const TimeWindow& times = window.times;
  TRANCHE_ASSIGN(auto found,
                 read_windows(job, window.variant, times.begin, times.begin, times.begin));
  std::optional<WindowRecord> record;
  for (WindowRecord& one : found) {
    if (one.times.end < times.end || (!one.run.empty() && one.times != times)) continue;
    record = std::move(one);  // a run behind what is forgotten counts: it was asked for again
  }
  return record;
}

Result<std::optional<ScheduleTrouble>> Ledger::trouble(const std::string& job) {
  TRANCHE_ASSIGN(const bool knows, has_table("troubles"));
  if (!knows) return std::optional<ScheduleTrouble>();
  TRANCHE_ASSIGN(auto row,
                 database_->query("SELECT begins, ends, failures, failed, error, job_digest FROM "
                                  "troubles WHERE job = ?",
                                  job));
  TRANCHE_ASSIGN(const bool found, row.step());
  if (!found) return std::optional<ScheduleTrouble>();
  return std::optional(ScheduleTrouble{.window = {row.integer(0), row.integer(1)},
                                       .failures = static_cast<std::uint32_t>(row.integer(2)),
                                       .failed_microseconds = row.integer(3),
                                       .error = row.string(4),
                                       .job_digest = row.string(5)});
}

Result<void> Ledger::record_trouble(const std::string& job, const ScheduleTrouble& trouble) {
  return database_->run(
      "INSERT OR REPLACE INTO troubles (job, begins, ends, failures, failed, error, job_digest) "
      "VALUES (?, ?, ?, ?, ?, ?, ?)",
      job, trouble.window.begin, trouble.window.end, std::int64_t{trouble.failures},
      trouble.failed_microseconds, trouble.error, trouble.job_digest);
}

Result<void> Ledger::forget_trouble(const std::string& job) {
  return database_->run("DELETE FROM troubles WHERE job = ?", job);
}

}  // namespace tranche
