// What steps came to, as later steps of the same run name it: ${steps.load.written}, and in SQL
// $steps.load.written.
//
// A job file's texts keep a marker in its place until the step that names it begins.
// Threads: pure functions.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/api/job.h>
#include <tranche/api/run.h>
#include <tranche/core/options.h>
#include "api/step_graph.h"

namespace tranche {

using StepValues = std::map<std::string, std::string>;  // "load.written" and its text

// "written", "state" and the like, in the order of the documentation.
const std::vector<std::string>& step_value_fields();

// Of a step that ended, was not needed, or is held back. `error`: empty, or why it failed;
// `output`: what its program left for later steps.
void add_step_values(StepValues& values, const StepSummary& summary, const std::string& error,
                     const std::string& output);
// The step with values in the places of markers; in SQL texts are quoted. A value that is not
// there, since nothing has run, is 0 or an empty text.
StepSpec with_step_values(StepSpec step, const StepValues& values);

// Each marker of a step or a field that there is not, or of a step that need not have ended.
void check_step_values(const JobSpec& job, const StepGraph& graph, Problems& problems);

}  // namespace tranche
