#include "connectors/sqlite_script.h"

#include <utility>

#include "connectors/script.h"
#include "connectors/sqlite_target.h"
#include "connectors/table_sink.h"

namespace tranche {
namespace {

using sqlite::CommitRecord;

class SqliteSession final : public RecordedSession<CommitRecord> {
 public:
  SqliteSession(std::unique_ptr<SqliteDatabase> database, const sqlite::Target& target)
      : database_(std::move(database)), record_(*database_, target) {}

  Result<void> begin() override {
    TRANCHE_TRY(database_->begin());
    return database_->execute("SAVEPOINT tranche_script");
  }
  Result<void> commit() override { return database_->commit(); }
  void rollback() override { database_->rollback(); }
  // Another transaction has no such savepoint.
  Result<bool> in_transaction() override {
    if (!database_->in_transaction()) return false;
    const auto renewed = database_->execute("RELEASE tranche_script; SAVEPOINT tranche_script");
    return static_cast<bool>(renewed);
  }
  Result<void> execute(const std::string& sql) override { return database_->execute(sql); }

 private:
  CommitRecord& commits() override { return record_; }
  std::unique_ptr<SqliteDatabase> database_;
  CommitRecord record_;
};

}  // namespace

const OptionTable& sqlite_execute_options() {
  static const OptionTable table = {
      sqlite::written_file_option(),
      script_sql_option("CREATE INDEX IF NOT EXISTS by_day ON sales (day)"),
      script_transaction_option(),
      commits_table_option("The table of the database that records that the step happened."),
      sqlite::lock_wait_option(),
  };
  return table;
}

Result<std::unique_ptr<Script>> make_sqlite_script(const Node& node,
                                                   const std::filesystem::path& base) {
  const OptionReader options(node, sqlite_execute_options());
  TRANCHE_ASSIGN(auto script, read_script_options(options));
  sqlite::Target target;
  target.database = database_file(options.text("sqlite"), base);
  target.commits_table = options.text("commits_table");
  target.lock_wait = options.duration("lock_wait");
  script.place = "SQLite database " + target.database.string();
  script.file = target.database;
  return make_script(std::move(script), [target]() -> Result<std::unique_ptr<ScriptSession>> {
    TRANCHE_ASSIGN(auto database, sqlite::open_for_writing(target, true));
    return std::unique_ptr<ScriptSession>(
        std::make_unique<SqliteSession>(std::move(database), target));
  });
}

// As the sink writes it: whole numbers and floats are numbers, all else is text.
std::string sqlite_value(const Parameter& parameter) {
  if (parameter.is_null) return "NULL";
  if (parameter.type.id == TypeId::boolean) return parameter.text == "true" ? "1" : "0";
  const bool is_number = is_numeric(parameter.type) && parameter.type.id != TypeId::decimal;
  return is_number ? "(" + parameter.text + ")" : sqlite_literal(parameter.text);
}

}  // namespace tranche
