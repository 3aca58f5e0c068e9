#include "connectors/postgres_script.h"

#include <utility>

#include <fmt/format.h>

#include "connectors/postgres_target.h"
#include "connectors/script.h"
#include "connectors/table_sink.h"
#include "drivers/postgres_copy.h"

namespace tranche {
namespace {

using postgres::CommitRecord;

class PostgresSession final : public RecordedSession<CommitRecord> {
 public:
  PostgresSession(std::unique_ptr<PostgresConnection> connection, const postgres::Target& target)
      : connection_(std::move(connection)), record_(*connection_, target) {}

  Result<void> begin() override {
    transaction_.clear();
    return connection_->begin();
  }
  Result<void> commit() override { return connection_->commit(); }
  void rollback() override { connection_->rollback(); }
  // The row of the record has given it a number of its own.
  Result<bool> in_transaction() override {
    if (!connection_->in_transaction()) return false;
    TRANCHE_ASSIGN(const auto now, connection_->query("SELECT pg_current_xact_id()::text"));
    if (transaction_.empty()) transaction_ = now.string(0, 0);
    return now.text(0, 0) == transaction_;
  }
  Result<void> execute(const std::string& sql) override {
    auto executed = connection_->execute(sql);
    if (!executed && !connection_->last_failure().sqlstate.empty())
      executed.error().message = connection_->last_failure().sentence();
    return executed;
  }

 private:
  CommitRecord& commits() override { return record_; }
  std::unique_ptr<PostgresConnection> connection_;
  CommitRecord record_;
  std::string transaction_;
};

}  // namespace

const OptionTable& postgres_execute_options() {
  static const OptionTable table = {
      postgres::database_option(),
      script_sql_option("REFRESH MATERIALIZED VIEW revenue"),
      script_transaction_option(),
      commits_table_option("The table of the database that records that the step happened; where "
                           "the session finds it, else in its schema, when it names none."),
      postgres::lock_wait_option(),
  };
  return table;
}

Result<std::unique_ptr<Script>> make_postgres_script(const Node& node,
                                                     const std::filesystem::path&) {
  const OptionReader options(node, postgres_execute_options());
  TRANCHE_ASSIGN(auto script, read_script_options(options));
  postgres::Target target;
  target.url = options.text("postgres");
  TRANCHE_ASSIGN(target.place, parse_postgres_url(target.url));
  TRANCHE_ASSIGN(target.commits_table,
                 postgres::read_table_name(options.text("commits_table"), "commits_table"));
  target.table = target.commits_table;  // the only one that is looked for
  target.timeouts.lock = options.duration("lock_wait");
  script.place = "PostgreSQL database " + to_string(target.place);
  return make_script(std::move(script),
                     [target]() mutable -> Result<std::unique_ptr<ScriptSession>> {
                       TRANCHE_ASSIGN(auto connection, postgres::connect(target));
                       target.commits_table = target.table;
                       return std::unique_ptr<ScriptSession>(
                           std::make_unique<PostgresSession>(std::move(connection), target));
                     });
}

std::string postgres_value(const Parameter& parameter) {
  const std::string type = postgres_type_name(parameter.type);
  if (parameter.is_null) return fmt::format("CAST(NULL AS {})", type);
  return fmt::format("CAST({} AS {})", postgres_literal(parameter.text), type);
}

}  // namespace tranche
