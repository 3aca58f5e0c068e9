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

// For those who only look. A log that a crash has left is replayed for them too, and needs the
// memory that it was written with.
Result<std::unique_ptr<DuckConnection>> connect_to_read(const Target& target) {
  TRANCHE_ASSIGN(const auto database, DuckDatabase::open(target.memory_bytes, ""));
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
template <class Work>
Result<void> in_transaction(DuckConnection& connection, const Target& target, Work work) {
  TRANCHE_TRY(run(connection, "BEGIN"));
  auto done = work();
  if (done) {
    done = run(connection, "COMMIT");
    if (!done) done = duckdb_file_error(done.error(), target.database.string());
  }
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

Result<void> TableSink::checkpoint() {
  const auto done = connection_->execute("CHECKPOINT");
  if (!done) return duckdb_file_error(done.error(), target_.database.string());
  return {};
}

Result<std::vector<Receipt>> TableSink::recover(const SinkRun& run_now, const SchemaPtr& schema,
                                                std::span<const Receipt> committed) {
  bind_encoders(run_now, schema);
  connection_.reset();
  database_.reset();
  const fs::path folder = target_.database.parent_path();
  TRANCHE_TRY(create_folders(folder));
  TRANCHE_TRY(create_database_file(target_.database.string(), run_now.run_folder));
  TRANCHE_TRY(open_database());
  TRANCHE_TRY(examine_table(*connection_, *schema_));
  TRANCHE_ASSIGN(auto receipts, prepare_tables(committed));
  // No definition is left to be replayed from the log together with rows.
  TRANCHE_TRY(checkpoint());
  TRANCHE_TRY(sync_folder(folder));
  return receipts;
}

Result<std::vector<Receipt>> TableSink::prepare_tables(std::span<const Receipt> committed) {
  CommitRecord record(*connection_, target_);
  TRANCHE_ASSIGN(const auto table, read_shape(*connection_, into()));
  std::vector<Receipt> receipts;
  const auto prepared = in_transaction(*connection_, target_, [&]() -> Result<void> {
    TRANCHE_ASSIGN(receipts, prepare_commits(
                                 record, run_, target_.table_place(), committed, table.has_value(),
                                 [&] {
                                   return run(
                                       *connection_,
                                       create_table_sql(*schema_, target_.table, target_.key));
                                 },
                                 [&] { return create_staging(); }));
    return {};
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
  return seal_intent(run_, target_.table, target_.mode, committed).dump();
}

Result<void> TableSink::seal(const std::string& intent) {
  TRANCHE_ASSIGN(const Json intended, Json::parse(intent));
  const SealPlan plan = seal_plan(intended);
  TRANCHE_TRY(open_database());  // after a crash inside the seal nobody has called recover
  CommitRecord record(*connection_, target_);
  TRANCHE_ASSIGN(const bool is_sealed, record.is_sealed(plan.run));
  if (!is_sealed) {
    const std::string staging = staging_table(target_, plan.run.run_id);
    TRANCHE_TRY(check_before_seal(record, plan, target_.table_place(),
                                  [&] { return count_rows(*connection_, staging); }));
    const auto sealed = in_transaction(*connection_, target_, [&]() -> Result<void> {
      if (target_.mode == Mode::replace) TRANCHE_TRY(replace_table(*connection_, staging));
      return seal_commits(record, plan);
    });
    if (!sealed) return sealed.error();
  }
  fault_point("seal-checkpoint");
  TRANCHE_TRY(checkpoint());
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

Result<bool> TableSink::has_target() {
  if (!file_exists(target_.database)) return false;
  TRANCHE_ASSIGN(const auto connection, connect_to_read(target_));
  TRANCHE_ASSIGN(const auto shape, read_shape(*connection, target_.table));
  return shape.has_value();
}

Result<std::optional<std::string>> TableSink::sealed_until(const std::string& increment) {
  if (!file_exists(target_.database)) return std::optional<std::string>();
  TRANCHE_ASSIGN(const auto connection, connect_to_read(target_));
  CommitRecord record(*connection, target_);
  return watermark_of(record, increment);
}

Result<void> TableSink::discard(const SinkRun& given_up, std::span<const Receipt> committed,
                                bool keep_committed) {
  if (!file_exists(target_.database)) return {};
  TRANCHE_TRY(open_database());
  CommitRecord record(*connection_, target_);
  const std::string drop =
      "DROP TABLE IF EXISTS " + sql_identifier(staging_table(target_, given_up.run_id));
  bool is_undone = false;
  const auto discarded = in_transaction(*connection_, target_, [&]() -> Result<void> {
    TRANCHE_ASSIGN(is_undone,
                   discard_commits(record, given_up, target_.table_place(), committed,
                                   keep_committed, [&] { return run(*connection_, drop); }));
    return {};
  });
  if (!discarded) return discarded.error();
  return is_undone ? checkpoint() : Result<void>();
}

Result<std::vector<std::string>> TableSink::verify(const SinkRun& verified,
                                                   const std::string& intent,
                                                   std::span<const Receipt> committed) {
  if (!file_exists(target_.database))
    return std::vector{fmt::format("DuckDB database {} is gone.", target_.database.string())};
  TRANCHE_ASSIGN(const auto connection, connect_to_read(target_));
  TRANCHE_ASSIGN(const auto table, read_shape(*connection, target_.table));
  CommitRecord record(*connection, target_);
  return verify_commits(record, verified, target_.table_place(), intent, committed,
                        table.has_value(), [&] { return count_rows(*connection, target_.table); });
}

}  // namespace tranche::duck
