// `execute: { sqlite: ... }`: SQL that is executed in a SQLite file for a step.
// Threads: as core/script.h says.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <tranche/core/options.h>
#include <tranche/core/parameter.h>
#include <tranche/core/script.h>

namespace tranche {

const OptionTable& sqlite_execute_options();
// Errors: config.
Result<std::unique_ptr<Script>> make_sqlite_script(const Node& node,
                                                   const std::filesystem::path& base);
std::string sqlite_value(const Parameter& parameter);

}  // namespace tranche
