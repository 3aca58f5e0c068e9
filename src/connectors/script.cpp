#include "connectors/script.h"

#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/text.h"

namespace tranche {
namespace {

class SessionScript final : public Script {
 public:
  SessionScript(ScriptOptions options, OpenSession open)
      : options_(std::move(options)), open_(std::move(open)) {}

  Result<void> examine() override {
    if (!is_there()) return {};
    TRANCHE_ASSIGN(const auto session, open_());
    return session->check_record();
  }

  Result<void> execute(const SinkRun& run) override {
    if (options_.create_file) TRANCHE_TRY(options_.create_file(run));
    TRANCHE_ASSIGN(const auto session, open_());
    return options_.is_transaction ? execute_as_one(*session, run) : execute_each(*session, run);
  }

  Result<bool> is_executed(const SinkRun& run) override {
    if (!is_there()) return false;
    TRANCHE_ASSIGN(const auto session, open_());
    TRANCHE_ASSIGN(const bool has_record, session->has_record());
    if (!has_record) return false;
    TRANCHE_ASSIGN(const auto found, session->find_record(run));
    return found.has_value();
  }

 private:
  bool is_there() const { return options_.file.empty() || file_exists(options_.file); }

  // The commit's row comes first: whoever else executes it now waits, or is found out.
  Result<void> execute_as_one(ScriptSession& session, const SinkRun& run) {
    TRANCHE_TRY(session.begin());
    const auto done = execute_in_transaction(session, run);
    if (!done || !*done) session.rollback();
    if (has_ended_ && !done) {
      // What it says would be too much: not all of the script happened.
      TRANCHE_TRY(session.begin());
      TRANCHE_TRY(session.erase_record(run));
      TRANCHE_TRY(session.commit());
    }
    if (!done) return done.error();
    if (!*done) return {};
    auto committed = session.commit();
    return committed ? committed : Result<void>(refused("COMMIT", std::move(committed).error()));
  }

  // False: the run has executed it already.
  Result<bool> execute_in_transaction(ScriptSession& session, const SinkRun& run) {
    has_ended_ = false;
    TRANCHE_TRY(session.create_record());
    TRANCHE_ASSIGN(const bool is_new, session.record(run, receipt()));
    if (!is_new) {
      TRANCHE_TRY(check_same(session, run));
      return false;
    }
    TRANCHE_TRY(session.in_transaction());
    for (std::size_t i = 0; i < options_.statements.size(); ++i) {
      TRANCHE_TRY(execute(session, i));
      TRANCHE_ASSIGN(const bool in_transaction, session.in_transaction());
      has_ended_ = !in_transaction;
      if (has_ended_) return ended_transaction(i);
    }
    fault_point("executed");
    return true;
  }

  // An item that went through is not executed again by another attempt of this process.
  Result<void> execute_each(ScriptSession& session, const SinkRun& run) {
    TRANCHE_TRY(session.begin());
    TRANCHE_TRY(session.create_record());
    TRANCHE_ASSIGN(const auto found, session.find_record(run));
    TRANCHE_TRY(session.commit());
    if (found) return check_same(session, run);
    for (; next_ < options_.statements.size(); ++next_) TRANCHE_TRY(execute(session, next_));
    TRANCHE_TRY(session.begin());
    TRANCHE_TRY(session.record(run, receipt()));
    return session.commit();
  }

  Result<void> check_same(ScriptSession& session, const SinkRun& run) const {
    TRANCHE_ASSIGN(const auto found, session.find_record(run));
    if (!found || found->checksum == receipt().checksum) return {};
    return make_error(ErrorKind::failed,
                      fmt::format("{} has executed the step already, in this run, with other SQL. "
                                  "Start a new run for what is there now.",
                                  options_.place));
  }

  Result<void> execute(ScriptSession& session, std::size_t number) const {
    auto executed = session.execute(options_.statements[number]);
    if (executed) return {};
    return refused(named(number), std::move(executed).error());
  }

  std::string named(std::size_t number) const {
    const std::string text = excerpt(options_.statements[number], 60);
    return options_.statements.size() == 1 ? fmt::format("\"{}\"", text)
                                           : fmt::format("statement {}, \"{}\"", number + 1, text);
  }

  // What the database says of the user's SQL is final; trouble on the way to it passes.
  Error refused(const std::string& what, Error error) const {
    if (error.kind == ErrorKind::config || error.kind == ErrorKind::bad_record)
      error.kind = ErrorKind::failed;
    const bool names_place = error.message.find(options_.place) != std::string::npos;
    error.message = names_place
                        ? fmt::format("In {}: {}", what, error.message)
                        : fmt::format("{} refused {}: {}", options_.place, what, error.message);
    return error;
  }

  Error ended_transaction(std::size_t number) const {
    return make_error(
        ErrorKind::failed,
        fmt::format("In {}, {} ended the transaction that makes the step happen once, so what is "
                    "before may have happened, and what is behind has not. Leave its COMMIT or "
                    "ROLLBACK out, or say transaction: false.",
                    options_.place, named(number)));
  }

  Receipt receipt() const {
    Receipt receipt;
    Digest digest;
    for (const std::string& statement : options_.statements) digest.update(statement);
    receipt.checksum = digest.value();
    return receipt;
  }

  ScriptOptions options_;
  OpenSession open_;
  bool has_ended_ = false;  // a statement ended the transaction
  std::size_t next_ = 0;    // of those that are executed one by one
};

}  // namespace

Option script_sql_option(std::string example) {
  return Option{.name = "sql",
                .kind = OptionKind::texts,
                .doc =
                    "What is executed: one or more statements, or a list of them. $name is a "
                    "parameter's value.",
                .required = true,
                .example = std::move(example)};
}

Option script_transaction_option() {
  return Option{.name = "transaction",
                .kind = OptionKind::boolean,
                .doc =
                    "All of it is one transaction, which happens once, whatever happens. false: "
                    "each item of the list for itself, for what can't be in one; after a crash "
                    "they are executed again.",
                .default_text = "true"};
}

Result<ScriptOptions> read_script_options(const OptionReader& options) {
  ScriptOptions read;
  read.statements = options.texts("sql");
  read.is_transaction = options.boolean("transaction");
  bool is_empty = read.statements.empty();
  for (const std::string& statement : read.statements)
    is_empty = is_empty || trim(statement).empty();
  if (!is_empty) return read;
  return make_error(ErrorKind::config,
                    "\"sql\" is empty; a statement was expected, as in sql: ANALYZE sales");
}

std::unique_ptr<Script> make_script(ScriptOptions options, OpenSession open) {
  return std::make_unique<SessionScript>(std::move(options), std::move(open));
}

}  // namespace tranche
