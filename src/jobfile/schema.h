// The JSON Schema of job files, for editors: made from the tables that check the files.
// Threads: a pure function.
#pragma once

#include <string>

namespace tranche {

// JSON Schema draft 7, indented, with a newline at the end.
std::string job_schema_json();

}  // namespace tranche
