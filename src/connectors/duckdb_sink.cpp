#include "connectors/duckdb_sink.h"

#include <unistd.h>

#include <utility>

#include <fmt/format.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "connectors/duckdb_commit.h"
#include "connectors/frame_encoder.h"

namespace tranche::duck {
namespace {

constexpr std::uint64_t examining_memory_bytes = 32ULL << 20;

// For those who only look.
Result<std::unique_ptr<DuckConnection>> connect_to_read(const Target& target) {
  TRANCHE_ASSIGN(const auto database, DuckDatabase::open(examining_memory_bytes, ""));
  TRANCHE_ASSIGN(auto connection, database->connect());
  TRANCHE_ASSIGN(const std::string name, attach_to_read(*connection, target.database.string()));
  TRANCHE_TRY(run(*connection, "USE " + name));
  return connection;
}

Result<std::uint64_t> count_rows(DuckConnection& connection, const std::string& table) {
  TRANCHE_ASSIGN(const auto counted, connection.query_texts(fmt::format("SELECT count(*) FROM {}",
                                                                        sql_identifier(table))));
  return static_cast<std::uint64_t>(std::stoull(counted[0][0]));
}

// Runs `work` in a transaction; what it did is undone when it fails.
template <class Work> Result<void> in_transaction(DuckConnection& connection, Work work) {
  TRANCHE_TRY(run(connection, "BEGIN"));
  auto done = work();
  if (done) done = run(connection, "COMMIT");
  if (!done) (void)connection.execute("ROLLBACK");
  return done;
}

}  // namespace

std::vector<std::string> TableSink::targets() const {
  return {fmt::format("duckdb:{}:{}", target_.database.string(), to_lower(target_.table))};
}

std::string TableSink::into() const {
  return target_.mode == Mode::replace ? staging_table(target_, run_.run_id) : target_.table;
}

Result<void> TableSink::examine(const SchemaPtr& schema) {
  for (const std::string& column : target_.key) {
    if (schema->find(column)) continue;
    return make_error(ErrorKind::config,
                      fmt::format("The key names column \"{}\", which the records don't have; they "
                                  "are ({}).",
                                  column, tranche::to_string(*schema)));
  }
  if (!file_exists(target_.database)) {
    fs::path folder = target_.database.parent_path();
    while (!file_exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
    if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
    return make_error(ErrorKind::config,
                      fmt::format("Can't create DuckDB database {}: {} can't be written.",
                                  target_.database.string(), folder.string()));
  }
  auto examined = [&]() -> Result<void> {
    TRANCHE_ASSIGN(const auto connection, connect_to_read(target_));
    TRANCHE_TRY(CommitRecord(*connection, target_).check());
    return examine_table(*connection, *schema);
  }();
  // Before the start a file that is no database, or a damaged one, is a mistake in the job.
  if (!examined && examined.error().kind == ErrorKind::failed) {
    examined.error().kind = ErrorKind::config;
  }
  return examined;
}

Result<void> TableSink::examine_table(DuckConnection& connection, const Schema& schema) const {
  const auto refuse = [](std::string why) { return make_error(ErrorKind::config, std::move(why)); };
  TRANCHE_ASSIGN(const auto shape, read_shape(connection, target_.table));
  if (!shape) return {};
  if (shape->is_view) {
    return refuse(
        fmt::format("{} is a view; rows can be written into tables only.", target_.place()));
  }
  TRANCHE_TRY(check_shape(schema, *shape, target_));
  if (target_.mode == Mode::upsert) {
    for (const auto& names : shape->unique)
      if (same_names(names, target_.key)) return {};
    return refuse(fmt::format(
        "{} has no unique index over its key ({}), which upsert needs; create "
        "one: CREATE UNIQUE INDEX ... ON {} ({}).",
        target_.place(), join(target_.key, ", "), target_.table, join(target_.key, ", ")));
  }
  if (target_.mode != Mode::replace) return {};
  if (!shape->indexes.empty()) {
    return refuse(
        fmt::format("{} can't be replaced as a whole without its index {} being lost; "
                    "drop the index and create it again afterwards.",
                    target_.place(), shape->indexes.front()));
  }
  if (!shape->referring.empty()) {
    return refuse(
        fmt::format("{} can't be replaced as a whole: table {} refers to it by a foreign "
                    "key. Use mode: upsert.",
                    target_.place(), shape->referring.front()));
  }
  return {};
}

Result<void> TableSink::open_database() {
  if (database_) return {};
  TRANCHE_ASSIGN(database_, DuckDatabase::open_file(target_.database.string(), target_.memory_bytes,
                                                    target_.database.string() + ".tmp"));
  TRANCHE_ASSIGN(connection_, database_->connect());
  // The log never grows beyond it, so that there is never much to be replayed.
  return run(*connection_, "SET checkpoint_threshold = '16MiB'");
}

Result<std::vector<Receipt>> TableSink::recover(const SinkRun& run_now, const SchemaPtr& schema,
                                                std::span<const Receipt> committed) {
  bind_encoders(run_now, schema);
  connection_.reset();
  database_.reset();
  const fs::path folder = target_.database.parent_path();
  TRANCHE_TRY(create_folders(folder));
  TRANCHE_TRY(open_database());
  TRANCHE_TRY(examine_table(*connection_, *schema_));
  TRANCHE_ASSIGN(auto receipts, prepare_tables(committed));
  // No definition is left to be replayed from the log together with rows.
  TRANCHE_TRY(run(*connection_, "CHECKPOINT"));
  TRANCHE_TRY(sync_folder(folder));
  return receipts;
}

Result<std::vector<Receipt>> TableSink::prepare_tables(std::span<const Receipt> committed) {
  CommitRecord record(*connection_, target_);
  TRANCHE_ASSIGN(const bool has_record, record.exists());
  TRANCHE_ASSIGN(const auto table, read_shape(*connection_, into()));
  if (!has_record && table && !committed.empty()) {
    return lost_commits(target_.place(), target_.commits_table, committed.size());
  }
  std::vector<Receipt> receipts;
  const auto prepared = in_transaction(*connection_, [&]() -> Result<void> {
    TRANCHE_TRY(record.create());
    TRANCHE_ASSIGN(receipts, record.receipts(run_));
    TRANCHE_ASSIGN(const bool is_sealed, record.is_sealed(run_));
    if (table || is_sealed) return {};
    if (target_.mode == Mode::replace) {
      // Nobody has seen the rows of a staging table: without it they are loaded again.
      TRANCHE_TRY(record.erase(run_));
      receipts.clear();
      return create_staging();
    }
    if (receipts.empty())
      return run(*connection_, create_table_sql(*schema_, target_.table, target_.key));
    return table_is_gone(target_.place(), receipts.size());
  });
  if (!prepared) return prepared.error();
  return receipts;
}

// Shaped and constrained like the table that it will replace, or, when there is none, for the
// schema.
Result<void> TableSink::create_staging() {
  TRANCHE_ASSIGN(const auto shape, read_shape(*connection_, target_.table));
  return run(*connection_, shape ? create_like_sql(*shape, into())
                                 : create_table_sql(*schema_, into(), target_.key));
}

void TableSink::bind_encoders(const SinkRun& run, const SchemaPtr& schema) {
  run_ = run;
  schema_ = schema;
}

Result<std::unique_ptr<Encoder>> TableSink::encoder(WorkerScope&) const {
  return make_frame_encoder();
}

Result<std::unique_ptr<Committer>> TableSink::committer() {
  if (!database_) return make_error(ErrorKind::bug, "The DuckDB sink was not bound to a run.");
  return TableCommitter::make(*database_, target_, run_, schema_, into());
}

Result<std::optional<Receipt>> TableSink::find_receipt(std::uint64_t group) {
  TRANCHE_TRY(open_database());
  return CommitRecord(*connection_, target_).find(run_, group);
}

Result<std::string> TableSink::plan_seal(std::span<const Receipt> committed) {
  return Json(Json::Object{{"run", run_.run_id},
                           {"step", run_.step},
                           {"table", target_.table},
                           {"mode", to_string(target_.mode)},
                           {"batches", std::uint64_t{committed.size()}},
                           {"rows", total_rows(committed)}})
      .dump();
}

Result<void> TableSink::seal(const std::string& intent) {
  TRANCHE_ASSIGN(const Json plan, Json::parse(intent));
  SinkRun sealed_run;
  sealed_run.run_id = plan["run"].text();
  sealed_run.step = plan["step"].text();
  const std::uint64_t rows = plan["rows"].natural();
  TRANCHE_TRY(open_database());  // after a crash inside the seal nobody has called recover
  CommitRecord record(*connection_, target_);
  TRANCHE_ASSIGN(const bool is_sealed, record.is_sealed(sealed_run));
  if (!is_sealed) {
    const std::string staging = staging_table(target_, sealed_run.run_id);
    TRANCHE_ASSIGN(const auto receipts, record.receipts(sealed_run));
    std::uint64_t present = total_rows(receipts);
    if (target_.mode == Mode::replace && present == rows) {
      TRANCHE_ASSIGN(present, count_rows(*connection_, staging));
    }
    if (present != rows) {
      return changed_during_run(target_.place(), rows, present);
    }
    const auto sealed = in_transaction(*connection_, [&]() -> Result<void> {
      if (target_.mode == Mode::replace) TRANCHE_TRY(replace_table(*connection_, staging));
      return record.insert_seal(sealed_run, rows);
    });
    if (!sealed) return sealed.error();
  }
  fault_point("seal-checkpoint");
  TRANCHE_TRY(run(*connection_, "CHECKPOINT"));
  TRANCHE_TRY(sync_folder(target_.database.parent_path()));
  connection_.reset();
  database_.reset();  // others may open it now
  return {};
}

Result<void> TableSink::replace_table(DuckConnection& connection,
                                      const std::string& staging) const {
  TRANCHE_ASSIGN(const auto old, read_shape(connection, target_.table));
  if (old) TRANCHE_TRY(run(connection, fmt::format("DROP TABLE {}", sql_identifier(old->name))));
  return run(connection, fmt::format("ALTER TABLE {} RENAME TO {}", sql_identifier(staging),
                                     sql_identifier(old ? old->name : target_.table)));
}

Result<void> TableSink::discard(const SinkRun& given_up, std::span<const Receipt> committed,
                                bool keep_committed) {
  if (!file_exists(target_.database)) return {};
  TRANCHE_TRY(open_database());
  CommitRecord record(*connection_, target_);
  TRANCHE_ASSIGN(const bool has_record, record.exists());
  std::vector<Receipt> receipts(committed.begin(), committed.end());
  if (has_record) {
    TRANCHE_ASSIGN(const bool is_sealed, record.is_sealed(given_up));
    if (is_sealed) return {};
    TRANCHE_ASSIGN(receipts, record.receipts(given_up));
  }
  if (target_.mode != Mode::replace) {
    if (receipts.empty() || keep_committed) return {};
    return cant_be_taken_back(
        fmt::format("table {} of {}", target_.table, target_.database.string()), given_up,
        receipts);
  }
  const auto dropped = in_transaction(*connection_, [&]() -> Result<void> {
    TRANCHE_TRY(run(*connection_, "DROP TABLE IF EXISTS " +
                                      sql_identifier(staging_table(target_, given_up.run_id))));
    return has_record ? record.erase(given_up) : Result<void>();
  });
  if (!dropped) return dropped.error();
  return run(*connection_, "CHECKPOINT");
}

Result<std::vector<std::string>> TableSink::verify(const SinkRun& verified,
                                                   const std::string& intent,
                                                   std::span<const Receipt> committed) {
  std::vector<std::string> differences;
  if (!file_exists(target_.database)) {
    differences.push_back(fmt::format("DuckDB database {} is gone.", target_.database.string()));
    return differences;
  }
  TRANCHE_ASSIGN(const auto connection, connect_to_read(target_));
  TRANCHE_ASSIGN(const auto table, read_shape(*connection, target_.table));
  if (!table) differences.push_back(fmt::format("{} is gone.", target_.place()));
  CommitRecord record(*connection, target_);
  TRANCHE_ASSIGN(const bool has_record, record.exists());
  if (!has_record) {
    differences.push_back(fmt::format("{} has lost its record of commits ({}).", target_.place(),
                                      target_.commits_table));
    return differences;
  }
  TRANCHE_TRY(compare_commits(
      committed, [&](std::uint64_t group) { return record.find(verified, group); },
      fmt::format("{} of {}", target_.commits_table, target_.database.string()), differences));
  TRANCHE_ASSIGN(const bool is_sealed, record.is_sealed(verified));
  if (!intent.empty() && !is_sealed) {
    differences.push_back(fmt::format("{} does not have the seal of this run.", target_.place()));
  }
  if (!table || !is_sealed || target_.mode == Mode::upsert) return differences;
  TRANCHE_ASSIGN(const std::uint64_t rows, count_rows(*connection, target_.table));
  compare_rows(target_.mode, target_.place(), rows, total_rows(committed), differences);
  return differences;
}

}  // namespace tranche::duck
