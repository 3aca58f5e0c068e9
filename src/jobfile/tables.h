// The option tables of a job file: what may stand where. They check the file, make the JSON Schema
// for editors and the reference page.
//
// Threads: built once, read by anybody.
#pragma once

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
// Of a step that backs up a database, or restores a backup.
const OptionTable& backup_step_options();
const OptionTable& restore_step_options();
// Of a step that writes a report.
const OptionTable& report_step_options();
const OptionTable& parameter_options();
const OptionTable& batch_options();
const OptionTable& workers_options();
// What stands at a place where a system is named.
enum class SystemPlace { read, read_list, write, execute };
// What a system may be told there; empty: it can't stand there.
OptionTable options_at(const Connector& system, SystemPlace place);

}  // namespace tranche
