// Steps and their progress: the Ledger's methods for what happens between create_run and the end.
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"
#include "drivers/sqlite.h"
#include "ledger/codec.h"
#include "ledger/ledger.h"
#include "ledger/step_ledger.h"

namespace tranche {
namespace {

constexpr std::chrono::seconds progress_interval{1};
constexpr std::array<std::string_view, 5> step_states = {"waiting", "running", "completed",
                                                         "failed", "stopped"};

constexpr const char* step_columns =
    "steps.number, steps.position, steps.name, steps.state, steps.error, input_digest, input_text, "
    "job_digest, job_text, code_digest, code_text, targets, division, settings, appends, "
    "steps.started, steps.ended";

Result<void> check_step_state(std::string_view state) {
  if (std::find(step_states.begin(), step_states.end(), state) != step_states.end()) return {};
  return make_error(ErrorKind::bug, fmt::format("\"{}\" is no state of a step.", state));
}

struct StepKey {
  std::int64_t run = 0;
  std::int64_t step = 0;
};

// The numbers of a step's rows.
Result<StepKey> find_step(SqliteDatabase& database, const std::string& run,
                          const std::string& step) {
  TRANCHE_ASSIGN(auto row, database.query("SELECT runs.number, steps.number FROM runs JOIN steps "
                                          "ON steps.run = runs.number WHERE runs.id = ? AND "
                                          "steps.name = ?",
                                          run, step));
  TRANCHE_ASSIGN(const bool found, row.step());
  if (found) return StepKey{row.integer(0), row.integer(1)};
  return make_error(ErrorKind::bug,
                    fmt::format("The ledger has no step \"{}\" of run {}.", step, run));
}

constexpr const char* input_columns =
    "inputs.name, bytes, modified, snapshot, range_from, range_until, digest, source";
constexpr const char* more_of_inputs =
    "LEFT JOIN input_states ON input_states.step = inputs.step AND input_states.position = "
    "inputs.position LEFT JOIN input_sources ON input_sources.step = inputs.step AND "
    "input_sources.position = inputs.position";

Input read_input(const SqliteStatement& row) {
  return Input{.name = row.string(0),
               .bytes = row.natural(1),
               .modified_nanoseconds = row.integer(2),
               .snapshot = row.string(3),
               .from = row.string(4),
               .until = row.string(5),
               .digest = row.string(6),
               .source = static_cast<std::uint32_t>(row.integer(7))};
}

Result<std::vector<Input>> read_inputs(SqliteDatabase& database, std::int64_t step) {
  // A ledger that is only looked at may be of an older version, which knew of plain files alone.
  TRANCHE_ASSIGN(const std::int64_t version, database.query_integer("PRAGMA user_version"));
  const std::string sql =
      version < 4 ? std::string(
                        "SELECT name, bytes, modified, '', '', '', '', 0 FROM inputs WHERE "
                        "step = ? ORDER BY position")
      : version < 5
          ? std::string(
                "SELECT name, bytes, modified, snapshot, range_from, range_until, digest, "
                "0 FROM inputs LEFT JOIN input_states USING (step, position) WHERE step = "
                "? ORDER BY position")
          : fmt::format("SELECT {} FROM inputs {} WHERE inputs.step = ? ORDER BY inputs.position",
                        input_columns, more_of_inputs);
  TRANCHE_ASSIGN(auto rows, database.query(sql, step));
  std::vector<Input> inputs;
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return inputs;
    inputs.push_back(read_input(rows));
  }
}

Result<StepRecord> read_step(SqliteDatabase& database, const SqliteStatement& row) {
  StepRecord step;
  step.number = static_cast<std::uint32_t>(row.integer(1));
  step.name = row.string(2);
  step.state = row.string(3);
  step.error = row.string(4);
  step.input = Fingerprint{row.string(5), row.string(6)};
  step.job = Fingerprint{row.string(7), row.string(8)};
  step.code = Fingerprint{row.string(9), row.string(10)};
  TRANCHE_ASSIGN(step.targets, ledger::decode_texts(row.text(11)));
  TRANCHE_ASSIGN(step.division, ledger::decode_division(row.text(12)));
  step.settings = row.string(13);
  step.appends = row.integer(14) != 0;
  step.started_microseconds = row.integer(15);
  step.ended_microseconds = row.integer(16);
  TRANCHE_ASSIGN(step.inputs, read_inputs(database, row.integer(0)));
  return step;
}

Result<void> write_inputs(SqliteDatabase& database, std::int64_t step,
                          const std::vector<Input>& inputs) {
  TRANCHE_TRY(database.run("DELETE FROM inputs WHERE step = ?", step));
  TRANCHE_TRY(database.run("DELETE FROM input_states WHERE step = ?", step));
  TRANCHE_TRY(database.run("DELETE FROM input_sources WHERE step = ?", step));
  TRANCHE_ASSIGN(auto insert, database.prepare("INSERT INTO inputs (step, position, name, bytes, "
                                               "modified) VALUES (?, ?, ?, ?, ?)"));
  std::int64_t position = 0;
  for (const Input& input : inputs) {
    insert.bind_integer(1, step);
    insert.bind_integer(2, position);
    insert.bind_text(3, input.name);
    insert.bind_natural(4, input.bytes);
    insert.bind_integer(5, input.modified_nanoseconds);
    TRANCHE_TRY(insert.run());
    if (!input.snapshot.empty() || !input.until.empty() || !input.digest.empty()) {
      TRANCHE_TRY(
          database.run("INSERT INTO input_states (step, position, snapshot, range_from, "
                       "range_until, digest) VALUES (?, ?, ?, ?, ?, ?)",
                       step, position, input.snapshot, input.from, input.until, input.digest));
    }
    if (input.source != 0) {
      TRANCHE_TRY(
          database.run("INSERT INTO input_sources (step, position, source) VALUES "
                       "(?, ?, ?)",
                       step, position, std::int64_t{input.source}));
    }
    ++position;
  }
  return {};
}

Result<std::vector<Input>> inputs_of_completed(SqliteDatabase& database, std::string_view which,
                                               const std::string& job, const std::string& key,
                                               const std::string& step) {
  TRANCHE_ASSIGN(
      auto rows,
      database.query(fmt::format("SELECT {} FROM runs JOIN steps ON steps.run = runs.number JOIN "
                                 "inputs ON inputs.step = steps.number {} "
                                 "WHERE runs.job = ?1 AND {} "
                                 "AND steps.name = ?3 AND steps.state = 'completed' AND "
                                 "runs.number NOT IN (SELECT run FROM rejects_runs) ORDER BY "
                                 "steps.number, inputs.position",
                                 input_columns, more_of_inputs, which),
                     job, key, step));
  std::vector<Input> inputs;
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return inputs;
    inputs.push_back(read_input(rows));
  }
}

}  // namespace

Result<std::vector<Input>> Ledger::inputs_read(const std::string& job,
                                               const std::string& parameters_digest,
                                               const std::string& step) {
  return inputs_of_completed(*database_, "parameters_digest = ?2", job, parameters_digest, step);
}

Result<std::vector<Input>> Ledger::inputs_read_for_windows(const std::string& job,
                                                           const std::string& variant,
                                                           const std::string& step) {
  return inputs_of_completed(*database_,
                             "runs.number IN (SELECT run FROM windows WHERE windows.job = ?1 AND "
                             "variant = ?2)",
                             job, variant, step);
}

Result<void> Ledger::create_step(const std::string& run, const StepRecord& step) {
  TRANCHE_TRY(check_step_state(step.state));
  return ledger::write_soon(*database_, [&] { return insert_step(run, step); });
}

Result<void> Ledger::insert_step(const std::string& run, const StepRecord& step) {
  TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(*database_));
  TRANCHE_TRY(database_->run(
      "INSERT INTO steps (run, position, name, state, error, input_digest, input_text, job_digest, "
      "job_text, code_digest, code_text, targets, division, settings, appends, started, ended) "
      "SELECT number, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17 "
      "FROM runs WHERE id = ?1",
      run, step.number, step.name, step.state, step.error, step.input.digest, step.input.text,
      step.job.digest, step.job.text, step.code.digest, step.code.text,
      ledger::encode_texts(step.targets), ledger::encode_division(step.division), step.settings,
      step.appends, step.started_microseconds, step.ended_microseconds));
  if (database_->changes() == 0) {
    return make_error(ErrorKind::bug, fmt::format("The ledger has no run {}.", run));
  }
  TRANCHE_TRY(write_inputs(*database_, database_->last_insert_id(), step.inputs));
  return transaction.commit();
}

Result<std::optional<StepRecord>> Ledger::load_step(const std::string& run,
                                                    const std::string& step) {
  TRANCHE_ASSIGN(auto row,
                 database_->query(fmt::format("SELECT {} FROM steps JOIN runs ON runs.number = "
                                              "steps.run WHERE runs.id = ? AND steps.name = ?",
                                              step_columns),
                                  run, step));
  TRANCHE_ASSIGN(const bool found, row.step());
  if (!found) return std::optional<StepRecord>{};
  TRANCHE_ASSIGN(StepRecord record, read_step(*database_, row));
  return std::optional<StepRecord>{std::move(record)};
}

Result<std::vector<StepRecord>> Ledger::list_steps(const std::string& run) {
  TRANCHE_ASSIGN(auto rows,
                 database_->query(fmt::format("SELECT {} FROM steps JOIN runs ON runs.number = "
                                              "steps.run WHERE runs.id = ? ORDER BY position",
                                              step_columns),
                                  run));
  std::vector<StepRecord> steps;
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return steps;
    TRANCHE_ASSIGN(StepRecord step, read_step(*database_, rows));
    steps.push_back(std::move(step));
  }
}

Result<void> Ledger::update_step(const std::string& run, const StepRecord& step) {
  TRANCHE_ASSIGN(const StepKey key, find_step(*database_, run, step.name));
  TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(*database_));
  TRANCHE_TRY(database_->run(
      "UPDATE steps SET input_digest = ?, input_text = ?, job_digest = ?, job_text = ?, "
      "code_digest = ?, code_text = ?, targets = ?, division = ?, settings = ?, appends = ? "
      "WHERE number = ?",
      step.input.digest, step.input.text, step.job.digest, step.job.text, step.code.digest,
      step.code.text, ledger::encode_texts(step.targets), ledger::encode_division(step.division),
      step.settings, step.appends, key.step));
  TRANCHE_TRY(write_inputs(*database_, key.step, step.inputs));
  return transaction.commit();
}

Result<void> Ledger::set_step_state(const std::string& run, const std::string& step,
                                    std::string_view state, const std::string& error,
                                    Durable durable) {
  TRANCHE_TRY(check_step_state(state));
  TRANCHE_ASSIGN(const StepKey key, find_step(*database_, run, step));
  const std::int64_t now = system_clock().now_microseconds();
  const bool is_over = state != "running" && state != "waiting";
  const auto write = [&] {
    return database_->run(
        "UPDATE steps SET state = ?1, error = ?2, "
        "started = CASE WHEN ?1 = 'running' AND started = 0 THEN ?3 ELSE started END, "
        "ended = CASE WHEN ?4 THEN ?3 ELSE 0 END WHERE number = ?5",
        state, error, now, is_over, key.step);
  };
  return durable == Durable::now ? write() : ledger::write_soon(*database_, write);
}

Result<StepTotals> Ledger::step_totals(const std::string& run, const std::string& step) {
  TRANCHE_ASSIGN(const StepKey key, find_step(*database_, run, step));
  StepTotals totals;
  TRANCHE_ASSIGN(
      auto plan,
      database_->query("SELECT count(*), coalesce(sum(records), 0), "
                       "coalesce(sum(batches.bytes), 0), count(commits.step) FROM batches LEFT "
                       "JOIN commits USING (step, group_number) WHERE batches.step = ?",
                       key.step));
  TRANCHE_TRY(plan.step());
  totals.batches_planned = plan.natural(0);
  totals.records_planned = plan.natural(1);
  totals.bytes_planned = plan.natural(2);
  totals.batches_committed = plan.natural(3);
  TRANCHE_ASSIGN(auto state, database_->query("SELECT plan_complete, seal FROM steps WHERE "
                                              "number = ?",
                                              key.step));
  TRANCHE_TRY(state.step());
  totals.plan_complete = state.integer(0) != 0;
  totals.seal = ledger::parse_seal(state.text(1));
  TRANCHE_ASSIGN(auto failures, database_->query("SELECT count(*), max(number), error FROM "
                                                 "failures WHERE step = ?",
                                                 key.step));
  TRANCHE_TRY(failures.step());
  totals.failures = failures.natural(0);
  totals.last_failure = failures.string(2);
  TRANCHE_ASSIGN(auto commits,
                 database_->query("SELECT counts FROM commits WHERE step = ?", key.step));
  for (;;) {
    TRANCHE_ASSIGN(const bool more, commits.step());
    if (!more) return totals;
    TRANCHE_ASSIGN(const Counts counts, ledger::decode_counts(commits.text(0)));
    totals.counts.add(counts);
    ++totals.groups_committed;
  }
}

Result<std::unique_ptr<StepLedger>> Ledger::step_ledger(const std::string& run,
                                                        const std::string& step) {
  TRANCHE_ASSIGN(const StepKey key, find_step(*database_, run, step));
  return std::unique_ptr<StepLedger>(
      std::make_unique<ledger::SqliteStepLedger>(database_, key.run, key.step));
}

Result<void> Ledger::record_progress(const std::string& run, const std::string& step,
                                     const Progress& progress, bool now) {
  const std::string of = run + "/" + step;
  const auto moment = system_clock().monotonic();
  const bool is_early =
      of == progress_written_of_ && moment - progress_written_ < progress_interval;
  if (is_early && !now) return {};
  TRANCHE_ASSIGN(const StepKey key, find_step(*database_, run, step));
  // Nobody needs progress after a power cut.
  const auto written = ledger::write_soon(*database_, [&] {
    return database_->run(
        "INSERT OR REPLACE INTO progress (step, updated, progress) VALUES (?, ?, ?)", key.step,
        system_clock().now_microseconds(), ledger::encode_progress(progress));
  });
  progress_written_ = moment;
  progress_written_of_ = of;
  return written;
}

Result<std::vector<LiveProgress>> Ledger::live_progress(const std::string& run) {
  TRANCHE_ASSIGN(auto rows, database_->query("SELECT steps.name, updated, progress FROM progress "
                                             "JOIN steps ON steps.number = progress.step JOIN runs "
                                             "ON runs.number = steps.run WHERE runs.id = ? "
                                             "ORDER BY steps.position",
                                             run));
  std::vector<LiveProgress> live;
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return live;
    LiveProgress one;
    one.step = rows.string(0);
    one.updated_microseconds = rows.integer(1);
    TRANCHE_ASSIGN(one.progress, ledger::decode_progress(rows.text(2)));
    live.push_back(std::move(one));
  }
}

}  // namespace tranche
