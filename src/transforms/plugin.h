// Functions of shared objects as a transform: `plugin: ./score.so`. docs/plugins.md is for people
// who write some, tranche/plugin.h the interface.
//
// Threads: as every transform. Lifetime: what was loaded stays loaded until the process ends.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tranche/core/transform.h>

namespace tranche {

struct PluginUse {
  std::filesystem::path file;  // absolute
  std::string file_text;       // as the user wrote it
  std::string function;        // empty: the only one
  std::vector<std::pair<std::string, std::string>> options;
  bool keep_columns = false;  // those of the record stay
  std::vector<std::string> depends_on;
  std::filesystem::path base;
  // Of the plugin, the function and the options in the job file: "job.yaml:12:9".
  std::string place;
  std::string function_place;
  std::string options_place;
};

// Loads the plugin. Errors: config.
Result<std::unique_ptr<Transform>> make_plugin_transform(PluginUse use);

}  // namespace tranche
