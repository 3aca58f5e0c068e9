// A folder for the time being, with all that is put into it.
//
// Threads: one owner. Lifetime: the folder goes with it; after a crash it stays, below the system's
// folder for temporary files.
#pragma once

#include <filesystem>
#include <string>

#include "base/digest.h"
#include "base/file.h"

namespace tranche {

class ScratchFolder {
 public:
  ScratchFolder() : path_(fs::temp_directory_path() / ("tranche-" + random_id())) {}
  ~ScratchFolder() {
    const auto removed = remove_tree(path_);
    static_cast<void>(removed);  // a temporary folder that stays does no harm
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  Result<void> create() const { return create_folders(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace tranche
