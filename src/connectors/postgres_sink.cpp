#include "connectors/postgres_sink.h"

#include <utility>

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"
#include "connectors/postgres_commit.h"
#include "connectors/postgres_replace.h"

namespace tranche::postgres {
namespace {

Result<std::uint64_t> count_rows(PostgresConnection& connection, const TableName& table) {
  TRANCHE_ASSIGN(const std::int64_t rows,
                 connection.query_integer("SELECT count(*) FROM " + table.sql()));
  return static_cast<std::uint64_t>(rows);
}

}  // namespace

std::vector<std::string> TableSink::targets() const {
  TableName table = target_.table;
  if (table.schema.empty()) table.schema = "public";
  return {fmt::format("postgresql://{}/{}", tranche::to_string(target_.place), table.text())};
}

TableName TableSink::into() const {
  return target_.mode == Mode::replace ? staging_table(target_.table, run_.run_id) : target_.table;
}

Result<void> TableSink::examine(const SchemaPtr& schema) {
  for (const std::string& column : target_.key) {
    if (contains_name(schema->names(), column)) continue;
    return make_error(ErrorKind::config,
                      fmt::format("The key names column \"{}\", which the records don't have; they "
                                  "are ({}).",
                                  column, tranche::to_string(*schema)));
  }
  auto examined = [&]() -> Result<void> {
    TRANCHE_ASSIGN(const auto connection, connect(target_));
    TRANCHE_TRY(CommitRecord(*connection, target_).check());
    return examine_in(*connection, *schema);
  }();
  // Before the start what is wrong there is a mistake in the job; a server that is away may come.
  if (!examined && examined.error().kind != ErrorKind::transient)
    examined.error().kind = ErrorKind::config;
  return examined;
}

Result<void> TableSink::examine_in(PostgresConnection& connection, const Schema& schema) {
  TRANCHE_ASSIGN(const auto shape, read_shape(connection, target_.table));
  types_ = types_of(schema, shape ? &*shape : nullptr);
  if (!shape) {
    TRANCHE_ASSIGN(const auto may, connection.query("SELECT has_schema_privilege(oid, 'CREATE') "
                                                    "FROM pg_namespace WHERE nspname = $1",
                                                    target_.table.schema));
    if (may.size() > 0 && may.boolean(0, 0)) return {};
    return make_error(
        ErrorKind::config,
        fmt::format("{} is missing and can't be created: {} \"{}\" {}.", target_.named(),
                    may.size() == 0 ? "there is no schema" : "this user may not create in schema",
                    target_.table.schema, may.size() == 0 ? "(CREATE SCHEMA)" : "(GRANT CREATE)"));
  }
  TRANCHE_TRY(check_shape(schema, *shape, target_.named()));
  if (target_.mode == Mode::upsert) return examine_upsert(connection, *shape);
  if (target_.mode == Mode::replace) return examine_replace(connection, target_, *shape);
  return {};
}

Result<void> TableSink::examine_upsert(PostgresConnection& connection,
                                       const TableShape& shape) const {
  TRANCHE_ASSIGN(const bool has_key, has_unique_key(connection, shape, target_.key));
  if (has_key) return {};
  return make_error(ErrorKind::config,
                    fmt::format("{} has no unique index over its key ({}), which upsert needs; "
                                "create one: CREATE UNIQUE INDEX ON {} ({}).",
                                target_.named(), join(target_.key, ", "), target_.table.sql(),
                                join(target_.key, ", ")));
}

Result<std::vector<Receipt>> TableSink::recover(const SinkRun& run, const SchemaPtr& schema,
                                                std::span<const Receipt> committed) {
  bind_encoders(run, schema);
  TRANCHE_ASSIGN(const auto connection, connect(target_));
  TRANCHE_TRY(examine_in(*connection, *schema_));
  return prepare_tables(*connection, committed);
}

// Creates what is missing and reads what is committed, in one transaction.
Result<std::vector<Receipt>> TableSink::prepare_tables(PostgresConnection& connection,
                                                       std::span<const Receipt> committed) {
  CommitRecord record(connection, target_);
  TRANCHE_ASSIGN(auto transaction, PostgresTransaction::begin(connection));
  TRANCHE_ASSIGN(const auto table, read_shape(connection, into()));
  TRANCHE_ASSIGN(
      auto receipts,
      prepare_commits(
          record, run_, target_.table_place(), committed, table.has_value(),
          [&] {
            return connection.execute(create_table_sql(*schema_, target_.table, target_.key));
          },
          [&] { return create_staging(connection, target_, *schema_, into()); }));
  TRANCHE_TRY(transaction.commit());
  return receipts;
}

void TableSink::bind_encoders(const SinkRun& run, const SchemaPtr& schema) {
  run_ = run;
  schema_ = schema;
}

Result<std::unique_ptr<Encoder>> TableSink::encoder(WorkerScope&) const {
  return make_encoder(schema_, types_, target_.key);
}

Result<std::unique_ptr<Committer>> TableSink::committer() {
  if (!schema_) return make_error(ErrorKind::bug, "The PostgreSQL sink was not bound to a run.");
  TRANCHE_ASSIGN(const auto connection, connect(target_));
  TRANCHE_ASSIGN(const auto shape, read_shape(*connection, into()));
  if (!shape) {
    return make_error(ErrorKind::failed,
                      fmt::format("Table {} of {} is gone: it was dropped from outside.",
                                  into().text(), tranche::to_string(target_.place)));
  }
  TRANCHE_ASSIGN(const bool is_independent, are_rows_independent(*connection, into()));
  std::vector<LoadSession> sessions;
  for (unsigned i = 0; i < (target_.mode != Mode::upsert && is_independent ? 2 : 1); ++i) {
    RowLoader loader(load_plan(target_, *schema_, *shape, into()), schema_, types_);
    sessions.emplace_back(target_, run_, into(), std::move(loader));
  }
  return std::unique_ptr<Committer>(std::make_unique<TableCommitter>(std::move(sessions)));
}

Result<std::optional<Receipt>> TableSink::find_receipt(std::uint64_t group) {
  TRANCHE_ASSIGN(const auto connection, connect(target_));
  return CommitRecord(*connection, target_).find(run_, group);
}

Result<std::string> TableSink::plan_seal(std::span<const Receipt> committed) {
  Json columns(Json::Array{});
  for (const std::string& name : schema_->names()) columns.push(name);
  Json intent = seal_intent(run_, target_.table.text(), target_.mode, committed);
  intent.set("columns", std::move(columns));
  TRANCHE_ASSIGN(const auto connection, connect(target_));
  TRANCHE_ASSIGN(const bool may_change, may_change_rows(*connection, target_.table));
  if (may_change) intent.set(rows_may_change, true);
  return intent.dump();
}

Result<void> TableSink::seal(const std::string& intent) {
  TRANCHE_ASSIGN(const Json intended, Json::parse(intent));
  std::vector<std::string> columns;
  for (const Json& name : intended["columns"].items()) columns.push_back(name.text());
  // After a crash inside the seal nobody has called recover.
  TRANCHE_ASSIGN(const auto connection, connect(target_));
  auto sealed = seal_in(*connection, seal_plan(intended), columns);
  if (sealed) return sealed;
  Error error = std::move(sealed).error();
  if (error.kind == ErrorKind::bad_record || error.kind == ErrorKind::config) {
    error.kind = ErrorKind::failed;
  }
  return error;
}

Result<void> TableSink::seal_in(PostgresConnection& connection, const SealPlan& plan,
                                std::span<const std::string> columns) {
  CommitRecord record(connection, target_);
  TRANCHE_ASSIGN(auto transaction, PostgresTransaction::begin(connection));
  TRANCHE_ASSIGN(const bool is_sealed, record.is_sealed(plan.run));
  if (is_sealed) return {};
  const TableName staging = staging_table(target_.table, plan.run.run_id);
  TRANCHE_TRY(check_before_seal(record, plan, target_.table_place(),
                                [&] { return count_rows(connection, staging); }));
  if (target_.mode == Mode::replace)
    TRANCHE_TRY(replace_table(connection, target_, staging, columns, plan.rows));
  TRANCHE_TRY(seal_commits(record, plan));
  return transaction.commit();
}

Result<bool> TableSink::has_target() {
  TRANCHE_ASSIGN(const auto connection, connect(target_));
  TRANCHE_ASSIGN(const auto shape, read_shape(*connection, target_.table));
  return shape.has_value();
}

Result<std::optional<std::string>> TableSink::sealed_until(const std::string& increment) {
  TRANCHE_ASSIGN(const auto connection, connect(target_));
  CommitRecord record(*connection, target_);
  return watermark_of(record, increment);
}

Result<void> TableSink::discard(const SinkRun& run, std::span<const Receipt> committed,
                                bool keep_committed) {
  TRANCHE_ASSIGN(const auto connection, connect(target_));
  CommitRecord record(*connection, target_);
  TRANCHE_ASSIGN(auto transaction, PostgresTransaction::begin(*connection));
  const std::string drop = "DROP TABLE IF EXISTS " + staging_table(target_.table, run.run_id).sql();
  TRANCHE_ASSIGN(const bool is_undone,
                 discard_commits(record, run, target_.table_place(), committed, keep_committed,
                                 [&] { return connection->execute(drop); }));
  return is_undone ? transaction.commit() : Result<void>();
}

Result<std::vector<std::string>> TableSink::verify(const SinkRun& run, const std::string& intent,
                                                   std::span<const Receipt> committed) {
  TRANCHE_ASSIGN(const auto connection, connect(target_));
  TRANCHE_ASSIGN(const auto table, read_shape(*connection, target_.table));
  CommitRecord record(*connection, target_);
  return verify_commits(record, run, target_.table_place(), intent, committed, table.has_value(),
                        [&] { return count_rows(*connection, target_.table); });
}

}  // namespace tranche::postgres
