// The option tables of a job file: what may stand where. They check the file, make the JSON Schema
// for editors and the reference page.
//
// Threads: built once, read by anybody.
#pragma once

#include <span>
#include <string_view>

#include <tranche/core/connector.h>
#include <tranche/core/options.h>

namespace tranche {

const OptionTable& job_options();
const OptionTable& schedule_options();
const OptionTable& step_options();
// Of every kind of step: when it runs.
const OptionTable& step_order_options();
// Of a step that has a database execute SQL.
const OptionTable& execute_step_options();
// Of a step that reads the result of a query.
const OptionTable& query_step_options();
// Of a step that runs a program.
const OptionTable& exec_step_options();
// Of a step that writes a report.
const OptionTable& report_step_options();
const OptionTable& parameter_options();
const OptionTable& batch_options();
const OptionTable& workers_options();
// What stands at a place where a system is named.
enum class SystemPlace { read, read_list, write, execute };
// What a system may be told there; empty: it can't stand there.
OptionTable options_at(const Connector& system, SystemPlace place);

// A key that the language of job files knows and this version does not do.
struct LaterKey {
  std::string_view place;  // "job", "step", "process", "read", "write", "batch", "workers"
  std::string_view key;
  std::string_view instead;    // what to do now: a sentence
  bool replaces_read = false;  // of a step: a kind of step that needs neither read nor write
};
std::span<const LaterKey> later_keys();
const LaterKey* find_later_key(std::string_view place, std::string_view key);

}  // namespace tranche
