// What the files hold that business logic is made of, or looks up: for fingerprints.
//
// Threads: pure, but for the files. Errors: config, for a file that can't be read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <tranche/base/result.h>

namespace tranche {

Result<std::uint64_t> digest_file(const std::filesystem::path& path);
// A line for each file: its name below `base`, and a digest of what it holds.
Result<std::string> fingerprint_files(const std::vector<std::filesystem::path>& files,
                                      const std::filesystem::path& base);

}  // namespace tranche
