#include "ledger/ledger.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/text.h"
#include "drivers/sqlite.h"
#include "ledger/codec.h"
#include "ledger/schema.h"
#include "ledger/step_ledger.h"

namespace tranche {
namespace {

constexpr std::chrono::seconds wait_for_writers{30};
constexpr const char* file_name = "ledger.db";
constexpr std::array<std::string_view, 5> run_states = {"running", "completed", "failed", "stopped",
                                                        "abandoned"};
constexpr std::size_t id_prefix_digits_min = 4;

constexpr const char* run_columns =
    "id, job, job_file, parameters, parameters_digest, state, error, summary, started, ended, "
    "starts, stop_requested";

RunRecord read_run(const SqliteStatement& row) {
  RunRecord run;
  run.run = row.string(0);
  run.job = row.string(1);
  run.job_file = row.string(2);
  run.parameters = row.string(3);
  run.parameters_digest = row.string(4);
  run.state = row.string(5);
  run.error = row.string(6);
  run.summary = row.string(7);
  run.started_microseconds = row.integer(8);
  run.ended_microseconds = row.integer(9);
  run.starts = static_cast<std::uint32_t>(row.integer(10));
  run.stop_requested = row.integer(11) != 0;
  return run;
}

Result<std::optional<RunRecord>> first_run(SqliteStatement statement) {
  TRANCHE_ASSIGN(const bool found, statement.step());
  if (!found) return std::optional<RunRecord>{};
  return std::optional<RunRecord>{read_run(statement)};
}

Result<void> must_have_changed(const SqliteDatabase& database, const std::string& run) {
  if (database.changes() > 0) return {};
  return make_error(ErrorKind::bug, fmt::format("The ledger has no run {}.", run));
}

Result<void> check_run_state(std::string_view state) {
  if (std::find(run_states.begin(), run_states.end(), state) != run_states.end()) return {};
  return make_error(ErrorKind::bug, fmt::format("\"{}\" is no state of a run.", state));
}

// Switching to WAL needs the file for itself for a moment, and SQLite does not wait for it.
Result<void> use_wal(SqliteDatabase& database) {
  const auto until = system_clock().monotonic() + wait_for_writers;
  for (;;) {
    auto switched = database.execute("PRAGMA journal_mode = WAL");
    if (switched || switched.error().kind != ErrorKind::transient) return switched;
    if (system_clock().monotonic() > until) return switched;
    system_clock().sleep(std::chrono::milliseconds(10));
  }
}

bool looks_like_id(std::string_view words) {
  return words.size() >= id_prefix_digits_min &&
         words.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

Ledger::Ledger(std::shared_ptr<SqliteDatabase> database, fs::path path)
    : database_(std::move(database)), path_(std::move(path)) {}

Ledger::~Ledger() = default;

bool Ledger::exists(const fs::path& state_folder) { return file_exists(state_folder / file_name); }

Result<std::unique_ptr<Ledger>> Ledger::open(const fs::path& state_folder) {
  const bool is_new = !exists(state_folder);
  if (is_new) TRANCHE_TRY(create_folders(state_folder));
  const fs::path path = state_folder / file_name;
  TRANCHE_ASSIGN(auto database,
                 SqliteDatabase::open(path, SqliteDatabase::Access::create, wait_for_writers));
  if (database->is_read_only()) {
    return make_error(ErrorKind::failed,
                      fmt::format("Can't write the ledger {}: permission denied. Give the state "
                                  "folder to this user, or choose another one (--state).",
                                  path.string()));
  }
  TRANCHE_TRY(use_wal(*database));
  // A cache of 4 MiB is plenty: the ledger appends and reads its end.
  TRANCHE_TRY(
      database->execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; "
                        "PRAGMA cache_size = -4096"));
  TRANCHE_TRY(ledger::prepare_schema(*database));
  if (is_new) TRANCHE_TRY(sync_folder(state_folder));
  database->take_turns();
  return std::unique_ptr<Ledger>(new Ledger(std::move(database), path));
}

Result<std::unique_ptr<Ledger>> Ledger::open_existing_read_only(const fs::path& state_folder) {
  const fs::path path = state_folder / file_name;
  if (!exists(state_folder)) {
    return make_error(ErrorKind::usage,
                      fmt::format("There is no ledger in {}: no job has been run with this state "
                                  "folder yet (--state names another).",
                                  state_folder.string()));
  }
  TRANCHE_ASSIGN(auto database,
                 SqliteDatabase::open(path, SqliteDatabase::Access::read_only, wait_for_writers));
  TRANCHE_TRY(ledger::check_schema(*database));
  return std::unique_ptr<Ledger>(new Ledger(std::move(database), path));
}

Result<void> Ledger::create_run(RunRecord run) {
  TRANCHE_TRY(check_run_state(run.state));
  if (run.started_microseconds == 0) run.started_microseconds = system_clock().now_microseconds();
  TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(*database_));
  TRANCHE_TRY(database_->run(
      "INSERT INTO runs (id, job, job_file, parameters, parameters_digest, state, error, summary, "
      "started, ended, starts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      run.run, run.job, run.job_file, run.parameters, run.parameters_digest, run.state, run.error,
      run.summary, run.started_microseconds, run.ended_microseconds, run.starts));
  if (!run.rejects_of.empty()) {
    TRANCHE_TRY(
        database_->run("INSERT INTO rejects_runs (run, of, in_place) SELECT number, ?, ? FROM runs "
                       "WHERE id = ?",
                       run.rejects_of, std::int64_t{run.rejects_in_place}, run.run));
  } else if (run.window) {
    TRANCHE_TRY(
        database_->run("INSERT INTO windows (run, job, variant, begins, ends, name) SELECT number, "
                       "job, ?, ?, ?, ? FROM runs WHERE id = ?",
                       run.window->variant, run.window->times.begin, run.window->times.end,
                       run.window->name, run.run));
  }
  return transaction.commit();
}

Result<bool> Ledger::has_table(const char* name) {
  TRANCHE_ASSIGN(auto row, database_->query("SELECT count(*) FROM sqlite_schema WHERE type = "
                                            "'table' AND name = ?",
                                            std::string_view(name)));
  TRANCHE_TRY(row.step());
  return row.integer(0) > 0;
}

Result<std::string> Ledger::rejects_retried_by(const std::string& run) {
  TRANCHE_ASSIGN(const bool knows, has_table("rejects_runs"));
  if (!knows) return std::string();
  TRANCHE_ASSIGN(auto row,
                 database_->query("SELECT runs.id FROM rejects_runs JOIN runs ON runs.number "
                                  "= rejects_runs.run WHERE rejects_runs.of = ? AND (runs.state "
                                  "<> 'abandoned' OR EXISTS (SELECT 1 FROM commits JOIN steps ON "
                                  "steps.number = commits.step WHERE steps.run = runs.number)) "
                                  "ORDER BY runs.number DESC LIMIT 1",
                                  run));
  TRANCHE_ASSIGN(const bool found, row.step());
  return found ? row.string(0) : std::string();
}

Result<std::string> Ledger::rejects_of(const std::string& run) {
  TRANCHE_ASSIGN(const bool knows, has_table("rejects_runs"));
  if (!knows) return std::string();
  TRANCHE_ASSIGN(auto row,
                 database_->query("SELECT of FROM rejects_runs JOIN runs ON runs.number = "
                                  "rejects_runs.run WHERE runs.id = ?",
                                  run));
  TRANCHE_ASSIGN(const bool found, row.step());
  return found ? row.string(0) : std::string();
}

Result<bool> Ledger::rejects_in_place(const std::string& run) {
  TRANCHE_ASSIGN(auto row,
                 database_->query("SELECT in_place FROM rejects_runs JOIN runs ON runs.number = "
                                  "rejects_runs.run WHERE runs.id = ?",
                                  run));
  TRANCHE_ASSIGN(const bool found, row.step());
  return found && row.integer(0) != 0;
}

Result<std::string> Ledger::last_sealed_by(std::span<const std::string> targets) {
  TRANCHE_ASSIGN(auto row,
                 database_->query("SELECT runs.id FROM steps JOIN runs ON runs.number = steps.run "
                                  "WHERE steps.targets = ? AND steps.seal = 'sealed' ORDER BY "
                                  "steps.ended DESC, steps.number DESC LIMIT 1",
                                  ledger::encode_texts(targets)));
  TRANCHE_ASSIGN(const bool found, row.step());
  return found ? row.string(0) : std::string();
}

Result<std::uint32_t> Ledger::record_start(const std::string& run) {
  TRANCHE_TRY(
      database_->run("UPDATE runs SET state = 'running', error = '', ended = 0, "
                     "stop_requested = 0, starts = starts + 1 WHERE id = ?",
                     run));
  TRANCHE_TRY(must_have_changed(*database_, run));
  TRANCHE_ASSIGN(auto row, database_->query("SELECT starts FROM runs WHERE id = ?", run));
  TRANCHE_TRY(row.step());
  return static_cast<std::uint32_t>(row.integer(0));
}

Result<void> Ledger::set_run_state(const std::string& run, std::string_view state,
                                   const std::string& error) {
  TRANCHE_TRY(check_run_state(state));
  const std::int64_t ended = state == "running" ? 0 : system_clock().now_microseconds();
  TRANCHE_TRY(database_->run("UPDATE runs SET state = ?, error = ?, ended = ? WHERE id = ?", state,
                             error, ended, run));
  return must_have_changed(*database_, run);
}

Result<void> Ledger::record_summary(const std::string& run, const std::string& summary_json) {
  TRANCHE_TRY(database_->run("UPDATE runs SET summary = ? WHERE id = ?", summary_json, run));
  return must_have_changed(*database_, run);
}

Result<void> Ledger::request_stop(const std::string& run) {
  TRANCHE_TRY(database_->run("UPDATE runs SET stop_requested = 1 WHERE id = ?", run));
  return must_have_changed(*database_, run);
}

Result<bool> Ledger::stop_requested(const std::string& run) {
  TRANCHE_ASSIGN(auto row, database_->query("SELECT stop_requested FROM runs WHERE id = ?", run));
  TRANCHE_ASSIGN(const bool found, row.step());
  return found && row.integer(0) != 0;
}

Result<void> Ledger::add_warning(const std::string& run, const std::string& sentence) {
  TRANCHE_TRY(database_->run(
      "INSERT INTO warnings (run, sentence) SELECT number, ?2 FROM runs WHERE id = ?1", run,
      sentence));
  return must_have_changed(*database_, run);
}

Result<std::vector<std::string>> Ledger::warnings(const std::string& run) {
  TRANCHE_ASSIGN(auto rows, database_->query("SELECT sentence FROM warnings JOIN runs ON "
                                             "runs.number = warnings.run WHERE runs.id = ? "
                                             "ORDER BY warnings.number",
                                             run));
  std::vector<std::string> sentences;
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return sentences;
    sentences.push_back(rows.string(0));
  }
}

Result<std::optional<RunRecord>> Ledger::latest_run(
    const std::string& job, const std::optional<std::string>& parameters_digest,
    const std::string& state) {
  TRANCHE_ASSIGN(auto rows, database_->query(fmt::format("SELECT {} FROM runs WHERE job = ?1 AND "
                                                         "(?2 = 0 OR parameters_digest = ?3) AND "
                                                         "(?4 = '' OR state = ?4) "
                                                         "ORDER BY number DESC LIMIT 1",
                                                         run_columns),
                                             job, parameters_digest.has_value(),
                                             parameters_digest.value_or(std::string()), state));
  return first_run(std::move(rows));
}

Result<RunRecord> Ledger::find_run(const std::string& words) {
  if (words == "last") {
    TRANCHE_ASSIGN(auto last, list_runs(1));
    if (!last.empty()) return last.front();
  } else {
    TRANCHE_ASSIGN(auto of_job, latest_run(words));
    if (of_job) return *of_job;
  }
  std::vector<RunRecord> found;
  if (looks_like_id(words)) {
    TRANCHE_ASSIGN(auto rows,
                   database_->query(fmt::format("SELECT {} FROM runs WHERE substr(id, 1, ?2) = ?1 "
                                                "ORDER BY number DESC LIMIT 3",
                                                run_columns),
                                    words, words.size()));
    for (;;) {
      TRANCHE_ASSIGN(const bool more, rows.step());
      if (!more) break;
      found.push_back(read_run(rows));
    }
  }
  if (found.size() == 1) return found.front();
  if (found.size() > 1) {
    return make_error(ErrorKind::usage,
                      fmt::format("\"{}\" begins the ids of several runs, {} and {} among them; "
                                  "give more digits.",
                                  words, found[0].run, found[1].run));
  }
  return make_error(ErrorKind::usage,
                    fmt::format("There is no run \"{}\" in {}; name it by its id, by its job, or "
                                "as \"last\" (`tranche runs` lists them).",
                                excerpt(words), path_.string()));
}

Result<std::vector<RunRecord>> Ledger::list_runs(std::uint32_t limit) {
  const std::int64_t rows_max = limit == 0 ? -1 : std::int64_t{limit};
  TRANCHE_ASSIGN(auto rows, database_->query(fmt::format("SELECT {} FROM runs ORDER BY number DESC "
                                                         "LIMIT ?",
                                                         run_columns),
                                             rows_max));
  std::vector<RunRecord> runs;
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return runs;
    runs.push_back(read_run(rows));
  }
}

}  // namespace tranche
