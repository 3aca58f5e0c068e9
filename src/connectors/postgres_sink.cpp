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
  // Before the start a server that is not there is a matter of the job, or of who runs it.
  if (!examined) examined.error().kind = ErrorKind::config;
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
  TRANCHE_ASSIGN(const bool has_record, record.exists());
  TRANCHE_ASSIGN(const auto table, read_shape(connection, into()));
  if (!has_record && table && !committed.empty()) {
    return lost_commits(target_.named(), target_.commits_table.text(), committed.size());
  }
  TRANCHE_TRY(record.create());
  TRANCHE_ASSIGN(auto receipts, record.receipts(run_));
  TRANCHE_ASSIGN(const bool is_sealed, record.is_sealed(run_));
  if (!table && !is_sealed) {
    if (target_.mode == Mode::replace) {
      // Nobody has seen the rows of a staging table: without it they are loaded again.
      TRANCHE_TRY(record.erase(run_));
      receipts.clear();
      TRANCHE_TRY(create_staging(connection, target_, *schema_, into()));
    } else if (receipts.empty()) {
      TRANCHE_TRY(connection.execute(create_table_sql(*schema_, target_.table, target_.key)));
    } else {
      return table_is_gone(target_.named(), receipts.size());
    }
  }
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
  return Json(Json::Object{{"run", run_.run_id},
                           {"step", run_.step},
                           {"table", target_.table.text()},
                           {"mode", to_string(target_.mode)},
                           {"columns", std::move(columns)},
                           {"batches", std::uint64_t{committed.size()}},
                           {"rows", total_rows(committed)}})
      .dump();
}

Result<void> TableSink::seal(const std::string& intent) {
  TRANCHE_ASSIGN(const Json plan, Json::parse(intent));
  SinkRun run;
  run.run_id = plan["run"].text();
  run.step = plan["step"].text();
  std::vector<std::string> columns;
  for (const Json& name : plan["columns"].items()) columns.push_back(name.text());
  // After a crash inside the seal nobody has called recover.
  TRANCHE_ASSIGN(const auto connection, connect(target_));
  auto sealed = seal_in(*connection, run, columns, plan["rows"].natural());
  if (sealed) return sealed;
  Error error = std::move(sealed).error();
  if (error.kind == ErrorKind::bad_record || error.kind == ErrorKind::config) {
    error.kind = ErrorKind::failed;
  }
  return error;
}

Result<void> TableSink::seal_in(PostgresConnection& connection, const SinkRun& run,
                                std::span<const std::string> columns, std::uint64_t rows) {
  CommitRecord record(connection, target_);
  TRANCHE_ASSIGN(auto transaction, PostgresTransaction::begin(connection));
  TRANCHE_ASSIGN(const bool is_sealed, record.is_sealed(run));
  if (is_sealed) return {};
  TRANCHE_ASSIGN(const auto receipts, record.receipts(run));
  std::uint64_t present = total_rows(receipts);
  const TableName staging = staging_table(target_.table, run.run_id);
  if (target_.mode == Mode::replace && present == rows) {
    TRANCHE_ASSIGN(present, count_rows(connection, staging));
  }
  if (present != rows) {
    return changed_during_run(target_.named(), rows, present);
  }
  if (target_.mode == Mode::replace) {
    TRANCHE_TRY(replace_table(connection, target_, staging, columns, rows));
  }
  TRANCHE_TRY(record.insert_seal(run, rows));
  return transaction.commit();
}

Result<void> TableSink::discard(const SinkRun& run, std::span<const Receipt> committed,
                                bool keep_committed) {
  TRANCHE_ASSIGN(const auto connection, connect(target_));
  CommitRecord record(*connection, target_);
  TRANCHE_ASSIGN(auto transaction, PostgresTransaction::begin(*connection));
  TRANCHE_ASSIGN(const bool has_record, record.exists());
  std::vector<Receipt> receipts(committed.begin(), committed.end());
  if (has_record) {
    TRANCHE_ASSIGN(const bool is_sealed, record.is_sealed(run));
    if (is_sealed) return {};
    TRANCHE_ASSIGN(receipts, record.receipts(run));
  }
  if (target_.mode != Mode::replace) {
    if (receipts.empty() || keep_committed) return {};
    return cant_be_taken_back(
        fmt::format("table {} of {}", target_.table.text(), tranche::to_string(target_.place)), run,
        receipts);
  }
  TRANCHE_TRY(connection->execute("DROP TABLE IF EXISTS " +
                                  staging_table(target_.table, run.run_id).sql()));
  if (has_record) TRANCHE_TRY(record.erase(run));
  return transaction.commit();
}

Result<std::vector<std::string>> TableSink::verify(const SinkRun& run, const std::string& intent,
                                                   std::span<const Receipt> committed) {
  std::vector<std::string> differences;
  TRANCHE_ASSIGN(const auto connection, connect(target_));
  TRANCHE_ASSIGN(const auto table, read_shape(*connection, target_.table));
  if (!table) differences.push_back(fmt::format("{} is gone.", target_.named()));
  CommitRecord record(*connection, target_);
  TRANCHE_ASSIGN(const bool has_record, record.exists());
  if (!has_record) {
    differences.push_back(fmt::format("{} has lost its record of commits ({}).", target_.named(),
                                      target_.commits_table.text()));
    return differences;
  }
  TRANCHE_TRY(compare_commits(
      committed, [&](std::uint64_t group) { return record.find(run, group); },
      fmt::format("{} of {}", target_.commits_table.text(), tranche::to_string(target_.place)),
      differences));
  TRANCHE_ASSIGN(const bool is_sealed, record.is_sealed(run));
  if (!intent.empty() && !is_sealed) {
    differences.push_back(fmt::format("{} does not have the seal of this run.", target_.named()));
  }
  if (!table || !is_sealed || target_.mode == Mode::upsert) return differences;
  TRANCHE_ASSIGN(const std::uint64_t rows, count_rows(*connection, target_.table));
  compare_rows(target_.mode, target_.named(), rows, total_rows(committed), differences);
  return differences;
}

}  // namespace tranche::postgres
