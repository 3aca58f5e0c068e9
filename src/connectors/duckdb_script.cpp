#include "connectors/duckdb_script.h"

#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "connectors/duckdb_target.h"
#include "connectors/script.h"
#include "connectors/table_sink.h"

namespace tranche {
namespace {

using duck::CommitRecord;

class DuckSession final : public RecordedSession<CommitRecord> {
 public:
  DuckSession(std::shared_ptr<DuckDatabase> database, std::unique_ptr<DuckConnection> connection,
              duck::Target target)
      : target_(std::move(target)),
        database_(std::move(database)),
        connection_(std::move(connection)),
        record_(*connection_, target_) {}

  Result<void> begin() override {
    TRANCHE_TRY(execute("BEGIN"));
    TRANCHE_ASSIGN(transaction_, transaction_number());
    return {};
  }
  // What was defined is not left to be replayed from the log.
  Result<void> commit() override {
    TRANCHE_TRY(execute("COMMIT"));
    TRANCHE_TRY(execute("CHECKPOINT"));
    return sync_folder(target_.database.parent_path());
  }
  void rollback() override { static_cast<void>(connection_->execute("ROLLBACK")); }
  // Each statement outside of a transaction has a number of its own.
  Result<bool> in_transaction() override {
    TRANCHE_ASSIGN(const std::string now, transaction_number());
    return now == transaction_;
  }
  Result<void> execute(const std::string& sql) override { return duck::run(*connection_, sql); }

 private:
  CommitRecord& commits() override { return record_; }
  Result<std::string> transaction_number() {
    TRANCHE_ASSIGN(const auto rows, connection_->query_texts("SELECT txid_current()"));
    return rows[0][0];
  }

  duck::Target target_;
  std::shared_ptr<DuckDatabase> database_;
  std::unique_ptr<DuckConnection> connection_;
  CommitRecord record_;
  std::string transaction_;
};

Result<std::unique_ptr<ScriptSession>> open_session(const duck::Target& target) {
  TRANCHE_ASSIGN(auto database,
                 DuckDatabase::open_file(target.database.string(), target.memory_bytes,
                                         target.database.string() + ".tmp"));
  TRANCHE_ASSIGN(auto connection, database->connect());
  return std::unique_ptr<ScriptSession>(
      std::make_unique<DuckSession>(std::move(database), std::move(connection), target));
}

}  // namespace

const OptionTable& duckdb_execute_options() {
  static const OptionTable table = {
      duck::written_file_option(),
      script_sql_option("CREATE OR REPLACE TABLE top AS FROM sales ORDER BY total DESC LIMIT 100"),
      script_transaction_option(),
      commits_table_option("The table of the database that records that the step happened."),
      duck::memory_option(),
  };
  return table;
}

Result<std::unique_ptr<Script>> make_duckdb_script(const Node& node,
                                                   const std::filesystem::path& base) {
  const OptionReader options(node, duckdb_execute_options());
  TRANCHE_ASSIGN(auto script, read_script_options(options));
  duck::Target target;
  target.database = database_file(options.text("duckdb"), base);
  target.commits_table = options.text("commits_table");
  target.memory_bytes = options.size("memory");
  script.place = "DuckDB database " + target.database.string();
  script.file = target.database;
  script.create_file = [target](const SinkRun& run) -> Result<void> {
    TRANCHE_TRY(create_folders(target.database.parent_path()));
    return create_database_file(target.database.string(), run.run_folder);
  };
  return make_script(std::move(script), [target] { return open_session(target); });
}

std::string duckdb_value(const Parameter& parameter) {
  const std::string type = sql_type(parameter.type);
  if (parameter.is_null) return fmt::format("CAST(NULL AS {})", type);
  return fmt::format("CAST({} AS {})", sql_literal(parameter.text), type);
}

}  // namespace tranche
