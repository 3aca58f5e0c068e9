// Loads a plugin and finds a function in it.
//
// Threads: any. Lifetime: a plugin is never unloaded.
#pragma once

#include <filesystem>
#include <string>

#include <tranche/base/result.h>
#include <tranche/plugin.h>

namespace tranche {

// `name`: as the user wrote the path. Errors: config, without a place.
Result<const TranchePlugin*> load_plugin(const std::filesystem::path& path,
                                         const std::string& name);
// An empty `function` is the only one there is. Errors: config, with what there is.
Result<const TrancheFunction*> find_function(const TranchePlugin& plugin, const std::string& name,
                                             const std::string& function);

}  // namespace tranche
