// Makes the parts of a step (source, transforms, sink) from its description.
// Threads: one. Errors: config.
#pragma once

#include <filesystem>
#include <string>

#include <tranche/api/job.h>
#include <tranche/api/run.h>
#include "steps/batch_step.h"
#include "steps/exec_step.h"
#include "steps/execute_step.h"
#include "steps/query_step.h"

namespace tranche {

// The connector and the options that a map such as { csv: path, delimiter: ";" } names.
Result<ConnectorUse> connector_use(const Node& node);

Result<std::unique_ptr<Source>> make_source(const ConnectorUse& use,
                                            const std::filesystem::path& base);
// "job.yaml:12:9"; empty: not from a file.
std::string place(const JobSpec& job, Mark mark);

Result<std::unique_ptr<Sink>> make_sink(const ConnectorUse& use, const std::filesystem::path& base);
Result<std::unique_ptr<Script>> make_script(const ConnectorUse& use,
                                            const std::filesystem::path& base);
// REQUIRES a step that executes.
Result<ExecuteStep> assemble_execute(const JobSpec& job, const StepSpec& spec);
// REQUIRES a step with a query. The memory, threads and spill folder are still to be told.
Result<QueryStep> assemble_query(const JobSpec& job, const StepSpec& spec);
// The same of SQL in `text` of a map, with `tables` (nullptr: none). REQUIRES options that were
// checked.
Result<QueryStep> assemble_query(const JobSpec& job, std::string text, Mark mark,
                                 const Node* tables);
// REQUIRES a step that runs a program.
Result<ExecStep> assemble_exec(const JobSpec& job, const StepSpec& spec);
// Of a step without records: whether what it needs is there. Errors: config,
// since what is wrong before the start is the job's mistake, whatever a database calls it.
Result<void> examine_without_records(const JobSpec& job, const StepSpec& spec);
// What the job's relative paths are relative to.
std::filesystem::path base_folder(const JobSpec& job);
// "executes SQL", "runs a program"; empty: it reads and writes records.
std::string deed_of(const StepSpec& spec);
// Whether a step's output is one file, which a run replaces.
bool writes_one_file(const ConnectorUse& write);
// The step of a run that processes rejects again: it adds to what is there, whatever its mode.
StepSpec rejects_spec(const StepSpec& spec);
Result<BatchStep> assemble_for_rejects(const JobSpec& job, const StepSpec& spec,
                                       const RunOptions& options);
// The error of the first part that is wrong; those of the others go to `others` (nullptr: nowhere).
Result<BatchStep> assemble(const JobSpec& job, const StepSpec& spec, const RunOptions& options,
                           std::vector<Error>* others = nullptr);

// Whether a source of the step is a web API, which may have something else each time.
bool is_fetched(const StepSpec& spec);
// Whether a step reads standard input, or writes to standard output: its run can't be gone on with
// by another one.
bool reads_standard_input(const StepSpec& spec);
bool reads_standard_input(const JobSpec& job);
bool writes_standard_output(const StepSpec& spec);
bool writes_standard_output(const JobSpec& job);

// What shapes the output of a step: one line a part ("read: ...", "write: ...", "day =
// 2026-01-31").
std::string job_fingerprint_text(const JobSpec& job, const StepSpec& spec);
std::string input_fingerprint_text(const std::vector<Input>& inputs);
std::string snapshot_fingerprint_text(const std::vector<Input>& inputs);
Result<std::string> code_fingerprint_text(const BatchStep& step);

// How two fingerprint texts differ, as a sentence part: "read: and write:".
std::string describe_difference(const std::string& before, const std::string& now);

// A ConnectorUse in the ledger, so that a run can be verified or given up without its job file.
std::string connector_use_to_json(const ConnectorUse& use);
Result<ConnectorUse> connector_use_from_json(const std::string& text);

}  // namespace tranche
