// The projects that `tranche new` writes.
// Threads: pure functions. Lifetime: what they give lives for ever.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tranche {

struct NewFile {
  std::string_view name;  // below the folder
  std::string_view text;
  std::string_view doc;  // what it is, for the words printed; empty: it is not named
};

struct NewProject {
  std::string_view job;  // its file
  std::span<const NewFile> files;
};

const NewProject& new_job_project();
// Its source says "COMPILE" where the line that builds it belongs.
const NewProject& new_plugin_project();
inline constexpr std::string_view compile_placeholder = "COMPILE";

}  // namespace tranche
