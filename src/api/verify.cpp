// Compares the output of a run with what the ledger has of it.
#include <fmt/format.h>

#include <tranche/api/inspect.h>
#include "api/assemble.h"
#include "api/job_run.h"
#include "api/move_compare.h"
#include "api/move_use.h"
#include "api/report_use.h"
#include "base/json.h"
#include "connectors/row_digest.h"
#include "connectors/table_commits.h"

namespace tranche {
namespace {

// The table that a step has written, as it is read.
ConnectorUse as_input(const StepSettings& settings, std::span<const Field> read) {
  ConnectorUse use;
  use.connector = settings.write.connector;
  use.options = Node::map();
  for (const std::string& key : {use.connector, std::string("table")}) {
    if (const Node* const value = settings.write.options.find(key)) use.options.set(key, *value);
  }
  if (use.connector == "duckdb") return use;  // its tables know their types
  Node columns = Node::map();
  for (const Field& field : read) columns.set(field.name, Node::scalar(to_string(field.type)));
  use.options.set("columns", std::move(columns));
  return use;
}

// Why the rows of a table can't be compared one by one; empty: they can.
std::string why_only_counted(const StepSettings& settings, const std::string& intent) {
  const Node* const mode = settings.write.options.find("mode");
  if (mode != nullptr && mode->text == "upsert")
    return "what an upsert wrote can't be told from what others did";
  if (settings.columns.empty()) return "its columns hold nothing that could be compared";
  const auto parsed = Json::parse(intent);
  if (parsed && (*parsed)[rows_may_change].boolean())
    return "triggers or column types of the table change what comes in";
  return {};
}

// The rows of a table, in whatever order, by their digest.
Result<void> compare_rows_of_table(const StepSettings& settings, const SinkRun& run,
                                   const StepState& state, VerifiedStep& entry) {
  entry.only_counted = why_only_counted(settings, state.seal_intent);
  if (!entry.only_counted.empty()) return {};
  std::uint64_t digest = 0;
  for (const auto& group : state.committed) digest += group.receipt.checksum;
  std::vector<Field> columns = settings.columns;
  const Connector* const system = find_connector(settings.write.connector);
  if (system != nullptr && system->kept_as != nullptr)
    for (Field& field : columns) field.type = system->kept_as(field.type);
  TRANCHE_ASSIGN(const auto source, make_source(as_input(settings, columns), settings.base));
  WorkerScope worker(0, settings.database_memory_bytes, run.run_folder);
  const auto read = find_rows(*source, columns, worker, entry.rows);
  const bool is_unreadable = !read && read.error().kind == ErrorKind::config;
  if (is_unreadable || (read && !read->has_columns)) {
    entry.only_counted = "its columns are of other types than the records were";
    return {};
  }
  TRANCHE_ASSIGN(const RowsFound found, read);
  if (found.rows > entry.rows) {
    entry.only_counted = "the table has rows of others, too";
    return {};
  }
  if (found.rows == entry.rows && found.unreadable == 0 && found.digest == digest) return {};
  entry.differences.push_back(
      fmt::format("The table has {} rows, but not those that the run wrote: some were changed, or "
                  "put in the place of others.",
                  found.rows));
  return {};
}

void verify_report(const StepRecord& step, const StepSettings& settings, VerifiedStep& entry) {
  if (step.state != "completed") {
    entry.differences.push_back(fmt::format("The step is {}.", step.state));
    return;
  }
  const auto path = report_path(settings.write.options, settings.base);
  const auto found = digest_report(path);
  if (!found) {
    entry.differences.push_back(found.error().message);
  } else if (found->bytes != settings.report_bytes || found->digest != settings.report_digest) {
    entry.differences.push_back(
        fmt::format("{} is not the report that the run wrote: it was changed, or written again.",
                    path.string()));
  }
}

Result<void> verify_move(const StepRecord& step, const StepSettings& settings,
                         const std::filesystem::path& run_folder, VerifiedStep& entry) {
  if (step.state != "completed") {
    entry.differences.push_back(fmt::format("The step is {}.", step.state));
    return {};
  }
  const std::string& kind = settings.write.connector;
  TRANCHE_ASSIGN(const MoveOrder order, move_order(kind, settings.write.options, settings.base));
  const auto tables = kind == "backup" ? verify_backup(order.folder, std::nullopt, ask_here)
                                       : verify_restored(order, move_state(run_folder, step.name));
  if (!tables) {
    entry.differences.push_back(tables.error().message);
    return {};
  }
  for (const ComparedTable& table : *tables) {
    entry.rows += table.rows_found;
    if (!table.is_equal())
      entry.differences.push_back(fmt::format("{}: {}.", table.table, table.difference()));
    else if (!table.only_counted.empty())
      entry.only_counted = table.only_counted;
  }
  return {};
}

}  // namespace

Result<std::vector<VerifiedStep>> verify_run(const std::filesystem::path& state,
                                             const std::string& run) {
  TRANCHE_ASSIGN(auto ledger, Ledger::open_existing_read_only(state));
  TRANCHE_ASSIGN(const auto record, ledger->find_run(run));
  TRANCHE_ASSIGN(const auto by, ledger->rejects_retried_by(record.run));
  if (!by.empty()) {
    return make_error(ErrorKind::usage,
                      fmt::format("Run {0} has processed the rejects of run {1} again, and so "
                                  "changed its output; verify that one: `tranche verify {0}`.",
                                  by.substr(0, 8), record.run.substr(0, 8)));
  }
  TRANCHE_ASSIGN(const bool is_forgotten, ledger->are_details_forgotten(record.run));
  if (is_forgotten) {
    return make_error(ErrorKind::usage,
                      fmt::format("What run {} has committed is forgotten (`tranche forget`): it "
                                  "can't be compared any more.",
                                  short_id(record.run)));
  }
  TRANCHE_ASSIGN(const auto steps, ledger->list_steps(record.run));
  std::vector<VerifiedStep> verified;
  for (const auto& step : steps) {
    VerifiedStep entry;
    entry.step = step.name;
    TRANCHE_ASSIGN(auto step_ledger, ledger->step_ledger(record.run, step.name));
    TRANCHE_ASSIGN(const auto step_state, step_ledger->load());
    std::vector<Receipt> receipts;
    for (const auto& group : step_state.committed) {
      entry.rows += group.receipt.rows;
      receipts.push_back(group.receipt);
    }
    TRANCHE_ASSIGN(const auto settings, step_settings_from_json(step.settings));
    const SinkRun sink_run{record.run, step.name, (state / "runs" / record.run).string()};
    // An increment without a new file, or a step without rejects, has written nothing.
    const bool had_nothing_to_do = step.state == "completed" && !settings.executes &&
                                   step_state.seal == SealState::open &&
                                   step_state.committed.empty();
    if (had_nothing_to_do) {
      verified.push_back(std::move(entry));
      continue;
    }
    if (is_move(settings)) {
      TRANCHE_TRY(verify_move(step, settings, state / "runs" / record.run, entry));
      verified.push_back(std::move(entry));
      continue;
    }
    if (settings.executes)
      entry.deed = is_program(settings) ? "ran" : is_report(settings) ? "reported" : "executed";
    if (is_report(settings)) {
      verify_report(step, settings, entry);
    } else if (is_program(settings)) {  // what it did nobody else knows
      if (step.state != "completed")
        entry.differences.push_back(fmt::format("The step is {}.", step.state));
    } else if (settings.executes) {
      TRANCHE_ASSIGN(const auto script, make_script(settings.write, settings.base));
      TRANCHE_ASSIGN(const bool is_executed, script->is_executed(sink_run));
      if (!is_executed)
        entry.differences.push_back("The database has no record that its SQL was executed.");
    } else if (step_state.seal != SealState::sealed) {
      entry.differences.push_back(
          fmt::format("The step is {}: its output is not sealed yet.", step.state));
    } else {
      TRANCHE_ASSIGN(auto sink, make_sink(settings.write, settings.base));
      TRANCHE_ASSIGN(entry.differences, sink->verify(sink_run, step_state.seal_intent, receipts));
      if (entry.differences.empty() && sink->records_commits())
        TRANCHE_TRY(compare_rows_of_table(settings, sink_run, step_state, entry));
    }
    verified.push_back(std::move(entry));
  }
  return verified;
}

}  // namespace tranche
