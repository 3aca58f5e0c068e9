#include "transforms/plugin_library.h"

#include <dlfcn.h>

#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"

namespace tranche {
namespace {

Error wrong(std::string message) { return make_error(ErrorKind::config, std::move(message)); }

// What the loader says, without the path that stands before it.
std::string loader_words(const fs::path& path) {
  const char* const words = ::dlerror();
  std::string text = words != nullptr ? words : "the loader does not say why";
  if (const std::string prefix = path.string() + ": "; text.starts_with(prefix))
    text.erase(0, prefix.size());
  return text;
}

}  // namespace

Result<const TranchePlugin*> load_plugin(const fs::path& path, const std::string& name) {
  const auto status = file_status(path);
  if (!status) return wrong(fmt::format("There is no plugin {}.", name));
  if (!status->is_regular) return wrong(fmt::format("{} is no file, so no plugin.", name));
  void* const loaded = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (loaded == nullptr) {
    return wrong(
        fmt::format("{} can't be loaded as a plugin, which is a shared object of this "
                    "machine: {}.",
                    name, loader_words(path)));
  }
  const auto entry =
      reinterpret_cast<const TranchePlugin* (*)()>(::dlsym(loaded, "tranche_plugin"));
  if (entry == nullptr) {
    return wrong(
        fmt::format("{} is a shared object, but no plugin: it has no symbol "
                    "tranche_plugin (<tranche/plugin_function.h> makes it in C++).",
                    name));
  }
  const TranchePlugin* const plugin = entry();
  if (plugin == nullptr || plugin->abi != TRANCHE_PLUGIN_ABI) {
    return wrong(
        fmt::format("{} was built for version {} of the interface of plugins, and this "
                    "Tranche has version {}; build it again with its headers.",
                    name, plugin == nullptr ? 0 : plugin->abi, TRANCHE_PLUGIN_ABI));
  }
  if (plugin->function_count == 0)
    return wrong(fmt::format("The plugin {} has no functions.", name));
  return plugin;
}

Result<const TrancheFunction*> find_function(const TranchePlugin& plugin, const std::string& name,
                                             const std::string& function) {
  if (function.empty() && plugin.function_count == 1) return plugin.functions;
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < plugin.function_count; ++i) {
    if (plugin.functions[i].name == function) return plugin.functions + i;
    names.emplace_back(plugin.functions[i].name);
  }
  if (function.empty()) {
    return wrong(
        fmt::format("The plugin {} has several functions; say which one by \"function\": "
                    "{}.",
                    name, join(names, ", ")));
  }
  const auto near = nearest(function, names);
  return wrong(near ? fmt::format("The plugin {} has no function \"{}\"; did you mean \"{}\"?",
                                  name, excerpt(function), *near)
                    : fmt::format("The plugin {} has no function \"{}\"; it has {}.", name,
                                  excerpt(function), join(names, ", ")));
}

}  // namespace tranche
