// How two texts differ, for people: the lines of the first place where they do.
// Threads: a pure function.
#pragma once

#include <optional>
#include <string>

#include "render/look.h"

namespace tranche {

// `name`: of the file. A text that is not there is nullopt. REQUIRES texts that differ.
std::string render_difference(const std::string& name, const std::optional<std::string>& expected,
                              const std::optional<std::string>& came, const Look& look);

}  // namespace tranche
