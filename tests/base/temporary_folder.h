// An empty folder of its own for each test, gone with it.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/file.h"

namespace tranche {

class TemporaryFolder : public testing::Test {
 protected:
  TemporaryFolder() {
    fs::create_directories(folder_);
    ::chmod(folder_.c_str(), 0777);  // also for a child that gives up its rights
  }
  ~TemporaryFolder() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  fs::path at(const std::string& name) const { return folder_ / name; }

  void put(const std::string& name, const std::string& bytes = "x") const {
    fs::create_directories(at(name).parent_path());
    Result<File> file = File::create(at(name));
    ASSERT_TRUE(file) << file.error().message;
    ASSERT_TRUE(file->write(bytes));
  }

  // The names in the folder, hidden ones too.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_))
      found.push_back(entry.path().filename().native());
    std::sort(found.begin(), found.end());
    return found;
  }

  const fs::path folder_ = fs::temp_directory_path() / ("tranche-test-" + random_id());
};

}  // namespace tranche
