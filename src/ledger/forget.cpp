// What the ledger can do without: retention.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "drivers/sqlite.h"
#include "ledger/ledger.h"

namespace tranche {
namespace {

// The latest run of a job stays, for people; so does one that processes the rejects of a run that
// is still there: it tells that they were. Of increments every file that was loaded counts, but
// only the latest value of a table's column.
constexpr const char* old_runs_sql = R"sql(
SELECT id, job, state,
  state NOT IN ('completed', 'abandoned') AS is_unfinished,
  state = 'completed' AND EXISTS (
    SELECT 1 FROM steps JOIN commits ON commits.step = steps.number JOIN staged ON staged.step =
    steps.number AND staged.reject_id = commits.reject_id WHERE steps.run = old.number AND
    staged.rejects > 0)
    AND NOT EXISTS (SELECT 1 FROM rejects_runs JOIN runs AS retry ON retry.number =
    rejects_runs.run WHERE rejects_runs.of = old.id AND retry.state = 'completed') AS has_rejects,
  EXISTS (SELECT 1 FROM steps AS step WHERE step.run = old.number AND step.state = 'completed'
    AND step.job_text LIKE '%incremental%' AND (
      EXISTS (SELECT 1 FROM inputs LEFT JOIN input_states USING (step, position) WHERE
        inputs.step = step.number AND coalesce(range_until, '') = '')
      OR NOT EXISTS (SELECT 1 FROM steps AS next JOIN runs AS later ON later.number = next.run WHERE
        next.name = step.name AND next.state = 'completed' AND later.job = old.job AND
        later.number > old.number AND later.number NOT IN (SELECT run FROM rejects_runs) AND
        (later.parameters_digest = old.parameters_digest OR EXISTS (SELECT 1 FROM windows AS a
          JOIN windows AS b ON b.variant = a.variant WHERE a.run = old.number AND
          b.run = later.number)))))
    OR (state = 'completed' AND old.number NOT IN (SELECT run FROM windows)
      AND EXISTS (SELECT 1 FROM steps WHERE steps.run = old.number AND appends)
      AND NOT EXISTS (SELECT 1 FROM runs AS later WHERE later.job = old.job AND
        later.parameters_digest = old.parameters_digest AND later.number > old.number AND
        later.state = 'completed')) AS is_needed
FROM runs AS old
WHERE ended > 0 AND ended < ?1 AND state <> 'running'
  AND EXISTS (SELECT 1 FROM runs AS later WHERE later.job = old.job AND later.number > old.number)
  AND NOT EXISTS (SELECT 1 FROM rejects_runs JOIN runs AS original ON original.id =
    rejects_runs.of WHERE rejects_runs.run = old.number)
  AND NOT EXISTS (SELECT 1 FROM rejects_runs JOIN runs AS retry ON retry.number = rejects_runs.run
    WHERE rejects_runs.of = old.id AND retry.state NOT IN ('completed', 'abandoned'))
  AND NOT (details_forgotten AND is_needed)
ORDER BY ended, number
)sql";

struct DoneWindow {
  std::string job;
  std::string variant;
  TimeWindow times;
};

// The window that the run has completed, as the latest one for it.
Result<std::optional<DoneWindow>> window_done_by(SqliteDatabase& database, const std::string& run) {
  TRANCHE_ASSIGN(
      auto row,
      database.query("SELECT done.job, done.variant, done.begins, done.ends FROM windows AS done "
                     "JOIN runs ON runs.number = done.run WHERE runs.id = ? AND runs.state = "
                     "'completed' AND NOT EXISTS (SELECT 1 FROM windows AS later WHERE later.job = "
                     "done.job AND later.variant = done.variant AND later.begins = done.begins AND "
                     "later.ends = done.ends AND later.run > done.run)",
                     run));
  TRANCHE_ASSIGN(const bool found, row.step());
  if (!found) return std::optional<DoneWindow>();
  return std::optional(DoneWindow{row.string(0), row.string(1), {row.integer(2), row.integer(3)}});
}

// Windows in a row become one stretch, so that what is kept of them does not grow.
Result<void> keep_as_done(SqliteDatabase& database, const DoneWindow& window) {
  TRANCHE_ASSIGN(
      auto touched,
      database.query("SELECT min(begins), max(ends) FROM windows_forgotten WHERE job = ? "
                     "AND variant = ? AND begins <= ? AND ends >= ?",
                     window.job, window.variant, window.times.end, window.times.begin));
  TRANCHE_TRY(touched.step());
  TimeWindow stretch = window.times;
  if (!touched.is_null(0)) {
    stretch.begin = std::min(stretch.begin, touched.integer(0));
    stretch.end = std::max(stretch.end, touched.integer(1));
  }
  touched.reset();
  TRANCHE_TRY(
      database.run("DELETE FROM windows_forgotten WHERE job = ? AND variant = ? AND begins "
                   "<= ? AND ends >= ?",
                   window.job, window.variant, stretch.end, stretch.begin));
  return database.run(
      "INSERT INTO windows_forgotten (job, variant, begins, ends) VALUES "
      "(?, ?, ?, ?)",
      window.job, window.variant, stretch.begin, stretch.end);
}

}  // namespace

Result<std::vector<OldRun>> Ledger::old_runs(std::int64_t ended_before_microseconds) {
  TRANCHE_ASSIGN(auto rows, database_->query(old_runs_sql, ended_before_microseconds));
  std::vector<OldRun> runs;
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return runs;
    runs.push_back(OldRun{.run = rows.string(0),
                          .job = rows.string(1),
                          .state = rows.string(2),
                          .is_unfinished = rows.integer(3) != 0,
                          .has_rejects = rows.integer(4) != 0,
                          .is_needed = rows.integer(5) != 0});
  }
}

Result<void> Ledger::forget_run(const std::string& run) {
  TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(*database_));
  TRANCHE_ASSIGN(const auto window, window_done_by(*database_, run));
  if (window) TRANCHE_TRY(keep_as_done(*database_, *window));
  TRANCHE_TRY(database_->run("DELETE FROM runs WHERE id = ?", run));
  return transaction.commit();
}

Result<void> Ledger::forget_details(const std::string& run) {
  TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(*database_));
  for (const char* table : {"batches", "commits", "failures", "staged", "checkpoints", "trials"}) {
    TRANCHE_TRY(database_->run(
        fmt::format("DELETE FROM {} WHERE step IN (SELECT steps.number FROM steps JOIN runs ON "
                    "runs.number = steps.run WHERE runs.id = ?)",
                    table),
        run));
  }
  TRANCHE_TRY(database_->run("UPDATE runs SET details_forgotten = 1 WHERE id = ?", run));
  return transaction.commit();
}

Result<bool> Ledger::are_details_forgotten(const std::string& run) {
  TRANCHE_ASSIGN(const bool knows, has_table("windows_forgotten"));
  if (!knows) return false;
  TRANCHE_ASSIGN(auto row,
                 database_->query("SELECT details_forgotten FROM runs WHERE id = ?", run));
  TRANCHE_ASSIGN(const bool found, row.step());
  return found && row.integer(0) != 0;
}

Result<void> Ledger::shrink() {
  auto shrunk = database_->execute("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
  if (shrunk || shrunk.error().kind != ErrorKind::transient) return shrunk;
  return {};
}

}  // namespace tranche
