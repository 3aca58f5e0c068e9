// Errors as JSON, so that they cross from the engine's process to its supervisor.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include <tranche/base/result.h>

namespace tranche {

std::string error_to_json(const Error& error);
Error error_from_json(std::string_view text);

}  // namespace tranche
