#include "ledger/schema.h"

#include <fmt/format.h>

namespace tranche::ledger {
namespace {

constexpr const char* tables = R"sql(
CREATE TABLE runs (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  job TEXT NOT NULL,
  job_file TEXT NOT NULL,
  parameters TEXT NOT NULL,
  parameters_digest TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'completed', 'failed', 'stopped', 'abandoned')),
  error TEXT NOT NULL DEFAULT '',
  summary TEXT NOT NULL DEFAULT '',
  started INTEGER NOT NULL,
  ended INTEGER NOT NULL DEFAULT 0,
  starts INTEGER NOT NULL DEFAULT 1,
  stop_requested INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX runs_by_job ON runs (job, parameters_digest, number);
CREATE TABLE warnings (
  number INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
  sentence TEXT NOT NULL
);
CREATE INDEX warnings_by_run ON warnings (run, number);
CREATE TABLE steps (
  number INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs (number) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'completed', 'failed', 'stopped')),
  error TEXT NOT NULL DEFAULT '',
  input_digest TEXT NOT NULL,
  input_text TEXT NOT NULL,
  job_digest TEXT NOT NULL,
  job_text TEXT NOT NULL,
  code_digest TEXT NOT NULL,
  code_text TEXT NOT NULL,
  targets TEXT NOT NULL,
  division TEXT NOT NULL,
  settings TEXT NOT NULL,
  appends INTEGER NOT NULL,
  started INTEGER NOT NULL DEFAULT 0,
  ended INTEGER NOT NULL DEFAULT 0,
  plan_complete INTEGER NOT NULL DEFAULT 0,
  seal TEXT NOT NULL DEFAULT 'open' CHECK (seal IN ('open', 'intended', 'sealed')),
  seal_intent TEXT NOT NULL DEFAULT '',
  UNIQUE (run, name),
  UNIQUE (run, position)
);
CREATE TABLE inputs (
  step INTEGER NOT NULL REFERENCES steps (number) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  modified INTEGER NOT NULL,
  PRIMARY KEY (step, position)
) WITHOUT ROWID;
CREATE TABLE batches (
  step INTEGER NOT NULL REFERENCES steps (number) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  group_number INTEGER NOT NULL,
  first_record INTEGER NOT NULL,
  records INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  chunks TEXT NOT NULL,
  PRIMARY KEY (step, number)
) WITHOUT ROWID;
CREATE TABLE commits (
  step INTEGER NOT NULL REFERENCES steps (number) ON DELETE CASCADE,
  group_number INTEGER NOT NULL,
  rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  position INTEGER NOT NULL,
  payload TEXT NOT NULL,
  reject_id TEXT NOT NULL,
  counts TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (step, group_number)
) WITHOUT ROWID;
CREATE TABLE failures (
  number INTEGER PRIMARY KEY,
  step INTEGER NOT NULL REFERENCES steps (number) ON DELETE CASCADE,
  group_number INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  error TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX failures_by_step ON failures (step, number);
CREATE TABLE staged (
  number INTEGER PRIMARY KEY,
  step INTEGER NOT NULL REFERENCES steps (number) ON DELETE CASCADE,
  group_number INTEGER NOT NULL,
  reject_id TEXT NOT NULL,
  counts TEXT NOT NULL,
  rejects INTEGER NOT NULL,
  at INTEGER NOT NULL,
  UNIQUE (step, reject_id)
);
CREATE INDEX staged_by_group ON staged (step, group_number, number);
CREATE TABLE rejects (
  staged INTEGER NOT NULL REFERENCES staged (number) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  record INTEGER NOT NULL,
  has_position INTEGER NOT NULL,
  source TEXT NOT NULL,
  line INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  phase TEXT NOT NULL,
  error TEXT NOT NULL,
  raw BLOB NOT NULL,
  attempts INTEGER NOT NULL,
  signal INTEGER NOT NULL,
  PRIMARY KEY (staged, position)
);
CREATE TABLE progress (
  step INTEGER PRIMARY KEY REFERENCES steps (number) ON DELETE CASCADE,
  updated INTEGER NOT NULL,
  progress TEXT NOT NULL
);
)sql";

// What version 2 has more than version 1.
constexpr const char* tables_of_version_2 = R"sql(
CREATE TABLE checkpoints (
  step INTEGER NOT NULL REFERENCES steps (number) ON DELETE CASCADE,
  input INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  file_offset INTEGER NOT NULL,
  state BLOB NOT NULL,
  PRIMARY KEY (step, input, offset)
);
)sql";

// What version 3 has more than version 2: the records that were tried alone.
constexpr const char* tables_of_version_3 = R"sql(
CREATE TABLE trials (
  step INTEGER NOT NULL REFERENCES steps (number) ON DELETE CASCADE,
  record INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  guilty INTEGER NOT NULL DEFAULT 0,
  phase TEXT NOT NULL DEFAULT '',
  error TEXT NOT NULL DEFAULT '',
  signal INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (step, record)
) WITHOUT ROWID;
)sql";

// What version 4 has more than version 3: of inputs that are no plain files, or part of an
// increment.
constexpr const char* tables_of_version_4 = R"sql(
CREATE TABLE input_states (
  step INTEGER NOT NULL REFERENCES steps (number) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  snapshot TEXT NOT NULL,
  range_from TEXT NOT NULL,
  range_until TEXT NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (step, position)
) WITHOUT ROWID;
)sql";

// What version 5 has more than version 4: of steps that read several sources, whose the inputs
// behind those of the first are.
constexpr const char* tables_of_version_5 = R"sql(
CREATE TABLE input_sources (
  step INTEGER NOT NULL REFERENCES steps (number) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  source INTEGER NOT NULL,
  PRIMARY KEY (step, position)
) WITHOUT ROWID;
)sql";

// What version 6 has more than version 5: the runs that process the rejects of another one again.
constexpr const char* tables_of_version_6 = R"sql(
CREATE TABLE rejects_runs (
  run INTEGER PRIMARY KEY REFERENCES runs (number) ON DELETE CASCADE,
  of TEXT NOT NULL
);
)sql";

// What version 7 has more than version 6: whether the records take their own places in the output.
constexpr const char* column_of_version_7 = R"sql(
ALTER TABLE rejects_runs ADD COLUMN in_place INTEGER NOT NULL DEFAULT 0;
)sql";

// What version 8 has more than version 7: who worked on a group, and when.
constexpr const char* column_of_version_8 = R"sql(
ALTER TABLE commits ADD COLUMN work TEXT NOT NULL DEFAULT '';
)sql";

// What version 9 has more than version 8: windows of schedules, those whose runs are forgotten, and
// the failures in a row that a schedule has met in a job.
constexpr const char* tables_of_version_9 = R"sql(
CREATE TABLE windows (
  run INTEGER PRIMARY KEY REFERENCES runs (number) ON DELETE CASCADE,
  job TEXT NOT NULL,
  variant TEXT NOT NULL,
  begins INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  name TEXT NOT NULL
);
CREATE INDEX windows_by_job ON windows (job, variant, begins);
ALTER TABLE runs ADD COLUMN details_forgotten INTEGER NOT NULL DEFAULT 0;
CREATE TABLE windows_forgotten (
  job TEXT NOT NULL,
  variant TEXT NOT NULL,
  begins INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  PRIMARY KEY (job, variant, begins)
) WITHOUT ROWID;
CREATE TABLE troubles (
  job TEXT PRIMARY KEY,
  begins INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  error TEXT NOT NULL,
  job_digest TEXT NOT NULL
) WITHOUT ROWID;
)sql";

Result<std::int64_t> known_version(SqliteDatabase& database) {
  TRANCHE_ASSIGN(const std::int64_t version, database.query_integer("PRAGMA user_version"));
  TRANCHE_ASSIGN(const std::int64_t application, database.query_integer("PRAGMA application_id"));
  TRANCHE_ASSIGN(const std::int64_t things,
                 database.query_integer("SELECT count(*) FROM sqlite_schema"));
  if (things == 0 && version == 0) return std::int64_t{0};
  if (application != application_id) {
    return make_error(ErrorKind::failed,
                      fmt::format("{} is a SQLite database, but not a ledger of Tranche; choose "
                                  "another state folder (--state).",
                                  database.path().string()));
  }
  if (version > schema_version) {
    return make_error(ErrorKind::failed,
                      fmt::format("{} was written by a newer version of Tranche (its ledger has "
                                  "version {}, this one knows {}); use that version, or another "
                                  "state folder (--state).",
                                  database.path().string(), version, schema_version));
  }
  return version;
}

}  // namespace

Result<void> prepare_schema(SqliteDatabase& database) {
  TRANCHE_ASSIGN(const std::int64_t found, known_version(database));
  if (found == schema_version) return {};
  // Another process may create it at the same moment: look again with the write lock held.
  TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(database));
  TRANCHE_ASSIGN(const std::int64_t version, known_version(database));
  if (version == schema_version) return {};
  if (version == 0) TRANCHE_TRY(database.execute(tables));
  if (version < 2) TRANCHE_TRY(database.execute(tables_of_version_2));
  if (version < 3) TRANCHE_TRY(database.execute(tables_of_version_3));
  if (version < 4) TRANCHE_TRY(database.execute(tables_of_version_4));
  if (version < 5) TRANCHE_TRY(database.execute(tables_of_version_5));
  if (version < 6) TRANCHE_TRY(database.execute(tables_of_version_6));
  if (version < 7) TRANCHE_TRY(database.execute(column_of_version_7));
  if (version < 8) TRANCHE_TRY(database.execute(column_of_version_8));
  TRANCHE_TRY(database.execute(tables_of_version_9));
  TRANCHE_TRY(database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                           application_id, schema_version)));
  return transaction.commit();
}

Result<void> check_schema(SqliteDatabase& database) {
  TRANCHE_ASSIGN(const std::int64_t version, known_version(database));
  if (version > 0) return {};  // an older one has all that is looked at
  return make_error(ErrorKind::usage,
                    fmt::format("{} is empty: no job has been run with this state folder yet.",
                                database.path().string()));
}

}  // namespace tranche::ledger
