// How a database executes a script exactly once: all its statements and a row in the record of
// commits are one transaction. Where a statement can't be part of one (VACUUM), the statements are
// executed one by one, and the row comes behind them: after a crash they are executed again.
//
// Threads: one at a time.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/options.h>
#include <tranche/core/script.h>

namespace tranche {

// What a connector gives: a connection, with its record of commits.
class ScriptSession {
 public:
  virtual ~ScriptSession() = default;
  virtual Result<void> begin() = 0;
  virtual Result<void> commit() = 0;
  virtual void rollback() = 0;
  // False: the script ended the transaction that begin opened.
  virtual Result<bool> in_transaction() = 0;
  virtual Result<void> execute(const std::string& sql) = 0;
  // Whether the record of commits, where it is there, is one. Errors: config.
  virtual Result<void> check_record() = 0;
  virtual Result<void> create_record() = 0;  // where it is missing
  virtual Result<bool> has_record() = 0;
  virtual Result<std::optional<Receipt>> find_record(const SinkRun& run) = 0;
  // False: it is recorded already.
  virtual Result<bool> record(const SinkRun& run, const Receipt& receipt) = 0;
  virtual Result<void> erase_record(const SinkRun& run) = 0;
};

// A session whose record of commits is a system's CommitRecord.
template <class Record> class RecordedSession : public ScriptSession {
 public:
  Result<void> check_record() override { return commits().check(); }
  Result<void> create_record() override { return commits().create(); }
  Result<bool> has_record() override { return commits().exists(); }
  Result<std::optional<Receipt>> find_record(const SinkRun& run) override {
    return commits().find(run, 0);
  }
  Result<bool> record(const SinkRun& run, const Receipt& receipt) override {
    TRANCHE_ASSIGN(const auto found, find_record(run));
    if (found) return false;
    return is_new(commits().insert(run, receipt));
  }
  Result<void> erase_record(const SinkRun& run) override { return commits().erase(run); }

 protected:
  virtual Record& commits() = 0;

 private:
  // Of a server, where another session may have been quicker.
  static Result<bool> is_new(Result<bool> inserted) { return inserted; }
  // Of a file, to which nobody else writes meanwhile.
  static Result<bool> is_new(const Result<void>& inserted) {
    return inserted ? Result<bool>(true) : Result<bool>(inserted.error());
  }
};

struct ScriptOptions {
  std::vector<std::string> statements;
  bool is_transaction = true;
  std::string place;           // "shop.example:5432/warehouse", for messages
  std::filesystem::path file;  // of the database, created when missing; empty: a server's
  // Creates the file; none: whoever opens a session does.
  std::function<Result<void>(const SinkRun&)> create_file = nullptr;
};

// Rows of the option tables.
Option script_sql_option(std::string example);
Option script_transaction_option();
// REQUIRES options with the two above. Errors: config.
Result<ScriptOptions> read_script_options(const OptionReader& options);

using OpenSession = std::function<Result<std::unique_ptr<ScriptSession>>()>;
std::unique_ptr<Script> make_script(ScriptOptions options, OpenSession open);

}  // namespace tranche
