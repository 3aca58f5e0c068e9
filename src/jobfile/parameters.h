// The parameters of a job file: their declaration, their values, and `${...}` in texts.
//
// Threads: pure, except that the environment is read.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tranche/core/options.h>
#include <tranche/core/parameter.h>
#include <tranche/core/timetable.h>

namespace tranche {

// What a schedule gives to parameters: the bounds of the window that the job is run for.
struct WindowValues {
  bool has_schedule = false;
  std::optional<Timetable> timetable;  // nullopt: there is none, or it has a problem
  TimeWindow window;
};

// Reads `params:` and gives each parameter its value: from `given`, else the default. A parameter
// without a value is a problem, and holds a sample value so that the rest can be checked. With a
// schedule there are two more, window_start and window_end, which may be declared with another type
// than timestamptz.
std::vector<Parameter> read_parameters(const Node* params,
                                       std::span<const std::pair<std::string, std::string>> given,
                                       const WindowValues& window, Problems& problems);

// What to do about a name that no parameter has: the end of a sentence.
std::string parameter_hint(const std::string& name, std::span<const Parameter> parameters);

// Replaces ${name} and ${env:NAME} in every text below `node`, and $$ by a dollar, and puts the
// marker of a step's value in the place of ${steps.load.written}; except in SQL:
// the values of keys named "sql" or "query", where a ${ is a problem.
void substitute_parameters(Node& node, std::span<const Parameter> parameters, Problems& problems);

}  // namespace tranche
