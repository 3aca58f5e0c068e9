// A Job as data: what a job file and the C++ builders become, and what run, check and plan take.
//
// Threads: a value type, copied freely. Functions inside are called by many workers at once, each
// with an instance of its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/base/export.h>
#include <tranche/core/connector.h>
#include <tranche/core/parameter.h>
#include <tranche/core/policy.h>
#include <tranche/core/timetable.h>
#include <tranche/core/transform.h>

namespace tranche {

struct TransformUse {
  std::string kind;  // "sql", "command", "plugin", "http" or "function"
  Node options;      // checked against the table of its kind: sql_options(), ...
  std::function<Result<std::unique_ptr<Transform>>()> make;  // of function
};

// What must have become of another step, so that a step runs.
struct StepCondition {
  enum class Outcome : std::uint8_t {
    completed,
    failed,   // or could not run, since one before it failed
    ended,    // whatever became of it
    rejects,  // completed, with more than `rejects_above` of them
  };
  std::string step;
  Outcome outcome = Outcome::completed;
  std::uint64_t rejects_above = 0;
  Mark mark;
};

struct StepSpec {
  std::string name;
  ConnectorUse read;
  std::optional<Node> query;  // instead of read: SQL, with the options of query_options()
  std::vector<ConnectorUse> also_read;  // further sources, read behind it in this order
  std::string source_column;  // a column more: which file or table a record is of; empty: none
  Division division;  // rows, bytes; all 0: auto
  std::vector<TransformUse> process;
  std::uint64_t same_failures_max = same_failures_max_default;  // of the first records; 0: any
  RejectLimit reject_limit;  // default: the first reject fails the run
  RetryPolicy retry;
  std::string rejects_path;  // empty: only in the ledger and the run's folder
  WorkersSpec workers;
  // The steps that it waits for; nullopt: the one above it.
  std::optional<std::vector<std::string>> after;
  // Of those which have no condition here, `completed` is asked.
  std::vector<StepCondition> when;
  bool when_any = false;  // one condition that holds is enough
  ConnectorUse write;
  // Steps that do something else instead of reading and writing records: a database executes SQL,
  // or a program runs, with the options of exec_options().
  std::optional<ConnectorUse> execute;
  std::optional<Node> exec;
  std::optional<Node> report;   // or a report is written, with the options of report_options()
  std::optional<Node> backup;   // or a database is written into a folder: backup_options()
  std::optional<Node> restore;  // or such a folder into a database: restore_options()
  bool has_records() const { return !execute && !exec && !report && !backup && !restore; }
  Mark mark;
};

struct JobSpec {
  std::string name;
  std::string description;
  std::vector<Parameter> parameters;  // with the values of this run
  std::uint64_t memory_bytes = 0;     // 0: a quarter of the machine's memory
  std::vector<StepSpec> steps;
  std::optional<ScheduleSpec> schedule;
  std::optional<RunWindow> window;  // of a job with a schedule: what it is run for
  std::filesystem::path file;  // the job file; empty for a job built in C++
  std::filesystem::path base;  // relative paths are relative to it; empty: the working directory
};

// What stands in a text of a step, of its SQL too, for what an earlier step came to: `field` is
// state, read, written, rejected, filtered, batches, error or output. In a job file it is
// ${steps.load.written}.
TRANCHE_EXPORT std::string step_value(std::string_view step, std::string_view field);

// The option table of a `sql:` transform, and of the lookups inside `tables:`.
const OptionTable& sql_options();
// The option table of a `command:` transform.
const OptionTable& command_options();
// What a step that reads the result of a query says of it.
const OptionTable& query_options();
// What a step that runs a program says of it.
const OptionTable& exec_options();
// What a step that writes a report says of it, and what each of its sections says.
const OptionTable& report_options();
const OptionTable& report_section_options();
// What a step that writes a database into a folder, or that into a database, is told.
const OptionTable& backup_options();
const OptionTable& restore_options();
// The option table of a `plugin:` transform.
const OptionTable& plugin_options();
// The option table of an `http:` transform.
const OptionTable& http_options();
// Every system that Tranche can read and write. The table is built once, explicitly.
const std::vector<Connector>& connectors();
const Connector* find_connector(std::string_view name);

}  // namespace tranche
