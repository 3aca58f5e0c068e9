#include "connectors/sqlite_sink.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "connectors/frame_encoder.h"
#include "connectors/sqlite_commit.h"
#include "connectors/sqlite_shape.h"

namespace tranche::sqlite {
namespace {

Result<std::uint64_t> count_rows(SqliteDatabase& database, const std::string& table) {
  TRANCHE_ASSIGN(const std::int64_t rows,
                 database.query_integer("SELECT count(*) FROM " + sqlite_identifier(table)));
  return static_cast<std::uint64_t>(rows);
}

// Column names that SQLite could not tell apart.
Result<void> check_names(const Schema& schema) {
  for (std::size_t i = 0; i < schema.fields.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!same_name(schema.fields[i].name, schema.fields[j].name)) continue;
      return make_error(ErrorKind::config,
                        fmt::format("Columns \"{}\" and \"{}\" are one and the same to SQLite, "
                                    "which ignores case; rename one of them.",
                                    schema.fields[j].name, schema.fields[i].name));
    }
  }
  return {};
}

}  // namespace

std::vector<std::string> TableSink::targets() const {
  return {fmt::format("sqlite:{}:{}", target_.database.string(), to_lower(target_.table))};
}

std::string TableSink::into() const {
  return target_.mode == Mode::replace ? staging_table(target_, run_.run_id) : target_.table;
}

Result<void> TableSink::examine(const SchemaPtr& schema) {
  TRANCHE_TRY(check_names(*schema));
  for (const std::string& column : target_.key) {
    if (contains_name(schema->names(), column)) continue;
    return make_error(ErrorKind::config,
                      fmt::format("The key names column \"{}\", which the records don't have; they "
                                  "are ({}).",
                                  column, tranche::to_string(*schema)));
  }
  for (const std::string& column : target_.literals) {
    const auto at = schema->find(column);
    if (at && schema->fields[*at].type.id == TypeId::varchar) continue;
    return make_error(ErrorKind::config,
                      fmt::format("literals names \"{}\", which is no column of text; the records "
                                  "are ({}).",
                                  column, tranche::to_string(*schema)));
  }
  if (!file_exists(target_.database)) return examine_folder();
  TRANCHE_ASSIGN(const FileStatus status, file_status(target_.database));
  if (status.is_folder) {
    return make_error(ErrorKind::config, fmt::format("{} is a folder, not a SQLite database.",
                                                     target_.database.string()));
  }
  auto examined = [&]() -> Result<void> {
    TRANCHE_ASSIGN(const auto database, open_for_writing(target_, false));
    TRANCHE_TRY(CommitRecord(*database, target_).check());
    return examine_table(*database, *schema);
  }();
  // Before the start a file that is no database, or a damaged one, is a mistake in the job.
  if (!examined && examined.error().kind == ErrorKind::failed) {
    examined.error().kind = ErrorKind::config;
  }
  if (!examined && examined.error().kind == ErrorKind::transient)
    examined.error().kind = ErrorKind::busy;
  return examined;
}

Result<void> TableSink::examine_folder() const {
  fs::path folder = target_.database.parent_path();
  while (!file_exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
  TRANCHE_ASSIGN(const FileStatus status, file_status(folder));
  if (status.is_folder && ::access(folder.c_str(), W_OK | X_OK) == 0) return {};
  return make_error(
      ErrorKind::config,
      fmt::format("Can't create SQLite database {}: {} {}.", target_.database.string(),
                  folder.string(),
                  status.is_folder ? "can't be written: permission denied" : "is not a folder"));
}

Result<void> TableSink::examine_table(SqliteDatabase& database, const Schema& schema) const {
  TRANCHE_ASSIGN(const auto shape, read_shape(database, target_.table));
  if (!shape) return {};
  if (shape->kind != "table") {
    return make_error(
        ErrorKind::config,
        fmt::format("{} is a {}{}; rows can be written into tables only.", target_.place(),
                    shape->kind, shape->kind == "view" ? "" : " table"));
  }
  TRANCHE_TRY(check_shape(schema, *shape, target_.place(), target_.literals));
  if (target_.mode == Mode::upsert) {
    TRANCHE_ASSIGN(const bool has_key, has_unique_key(database, *shape, target_.key));
    if (!has_key) {
      return make_error(
          ErrorKind::config,
          fmt::format("{} has no unique index over its key ({}), which upsert needs; create one: "
                      "CREATE UNIQUE INDEX ... ON {} ({}).",
                      target_.place(), join(target_.key, ", "), sqlite_identifier(target_.table),
                      join(target_.key, ", ")));
    }
  }
  // SQLite has the last word: a statement that it can't prepare will not run.
  const auto insert = database.prepare(insert_sql(schema, target_, target_.table));
  if (insert) return {};
  return make_error(ErrorKind::config, insert.error().message);
}

Result<std::vector<Receipt>> TableSink::recover(const SinkRun& run, const SchemaPtr& schema,
                                                std::span<const Receipt> committed) {
  bind_encoders(run, schema);
  database_.reset();
  const fs::path folder = target_.database.parent_path();
  TRANCHE_TRY(create_folders(folder));
  const bool is_new = !file_exists(target_.database);
  TRANCHE_ASSIGN(database_, open_for_writing(target_, true));
  TRANCHE_TRY(examine_table(*database_, *schema_));
  TRANCHE_ASSIGN(auto receipts, prepare_tables(committed));
  if (is_new) TRANCHE_TRY(sync_folder(folder));
  return receipts;
}

// Creates what is missing and reads what is committed, in one transaction: nobody comes between.
Result<std::vector<Receipt>> TableSink::prepare_tables(std::span<const Receipt> committed) {
  CommitRecord record(*database_, target_);
  TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(*database_));
  TRANCHE_ASSIGN(const auto table, read_shape(*database_, into()));
  TRANCHE_ASSIGN(auto receipts,
                 prepare_commits(
                     record, run_, target_.table_place(), committed, table.has_value(),
                     [&] {
                       return database_->execute(create_table_sql(*schema_, target_.table,
                                                                  target_.key, target_.literals));
                     },
                     [&] { return create_staging(*database_, target_, *schema_, into()); }));
  TRANCHE_TRY(transaction.commit());
  return receipts;
}

void TableSink::bind_encoders(const SinkRun& run, const SchemaPtr& schema) {
  run_ = run;
  schema_ = schema;
}

Result<std::unique_ptr<Encoder>> TableSink::encoder(WorkerScope&) const {
  return make_frame_encoder();
}

Result<std::unique_ptr<Committer>> TableSink::committer() {
  if (!database_) return make_error(ErrorKind::bug, "The SQLite sink was not bound to a run.");
  return TableCommitter::make(*database_, target_, run_, schema_, into());
}

Result<std::optional<Receipt>> TableSink::find_receipt(std::uint64_t group) {
  // A connection of its own: what the committing one has seen fail, it may remember wrongly.
  TRANCHE_ASSIGN(const auto database, open_for_writing(target_, false));
  return CommitRecord(*database, target_).find(run_, group);
}

Result<std::string> TableSink::plan_seal(std::span<const Receipt> committed) {
  Json intent = seal_intent(run_, target_.table, target_.mode, committed);
  TRANCHE_ASSIGN(auto triggers, database_->query("SELECT count(*) FROM sqlite_schema WHERE type = "
                                                 "'trigger' AND tbl_name = ? COLLATE NOCASE",
                                                 target_.table));
  TRANCHE_TRY(triggers.step());
  if (triggers.integer(0) > 0) intent.set(rows_may_change, true);
  return intent.dump();
}

Result<void> TableSink::seal(const std::string& intent) {
  TRANCHE_ASSIGN(const Json intended, Json::parse(intent));
  // After a crash inside the seal nobody has called recover; and foreign keys must be off while one
  // table takes another's place, which a connection can't change within a transaction.
  TRANCHE_ASSIGN(const auto database, open_for_writing(target_, false));
  TRANCHE_TRY(database->execute("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON"));
  return seal_in(*database, seal_plan(intended));
}

Result<void> TableSink::seal_in(SqliteDatabase& database, const SealPlan& plan) {
  CommitRecord record(database, target_);
  TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(database));
  TRANCHE_ASSIGN(const bool is_sealed, record.is_sealed(plan.run));
  if (is_sealed) return {};
  const std::string staging = staging_table(target_, plan.run.run_id);
  TRANCHE_TRY(check_before_seal(record, plan, target_.table_place(),
                                [&] { return count_rows(database, staging); }));
  if (target_.mode == Mode::replace) TRANCHE_TRY(replace_table(database, target_, staging));
  TRANCHE_TRY(seal_commits(record, plan));
  return transaction.commit();
}

Result<bool> TableSink::has_target() {
  if (!file_exists(target_.database)) return false;
  TRANCHE_ASSIGN(
      const auto database,
      SqliteDatabase::open(target_.database, SqliteDatabase::Access::read_only, target_.lock_wait));
  TRANCHE_ASSIGN(const auto shape, read_shape(*database, target_.table));
  return shape.has_value();
}

Result<std::optional<std::string>> TableSink::sealed_until(const std::string& increment) {
  if (!file_exists(target_.database)) return std::optional<std::string>();
  TRANCHE_ASSIGN(
      const auto database,
      SqliteDatabase::open(target_.database, SqliteDatabase::Access::read_only, target_.lock_wait));
  CommitRecord record(*database, target_);
  return watermark_of(record, increment);
}

Result<void> TableSink::discard(const SinkRun& run, std::span<const Receipt> committed,
                                bool keep_committed) {
  if (!file_exists(target_.database)) return {};
  database_.reset();
  TRANCHE_ASSIGN(const auto database, open_for_writing(target_, false));
  CommitRecord record(*database, target_);
  TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(*database));
  const std::string drop =
      "DROP TABLE IF EXISTS " + sqlite_identifier(staging_table(target_, run.run_id));
  TRANCHE_ASSIGN(const bool is_undone,
                 discard_commits(record, run, target_.table_place(), committed, keep_committed,
                                 [&] { return database->execute(drop); }));
  return is_undone ? transaction.commit() : Result<void>();
}

Result<std::vector<std::string>> TableSink::verify(const SinkRun& run, const std::string& intent,
                                                   std::span<const Receipt> committed) {
  if (!file_exists(target_.database))
    return std::vector{fmt::format("SQLite database {} is gone.", target_.database.string())};
  TRANCHE_ASSIGN(const auto database, open_for_writing(target_, false));
  TRANCHE_ASSIGN(const auto table, read_shape(*database, target_.table));
  CommitRecord record(*database, target_);
  return verify_commits(record, run, target_.table_place(), intent, committed, table.has_value(),
                        [&] { return count_rows(*database, target_.table); });
}

}  // namespace tranche::sqlite
