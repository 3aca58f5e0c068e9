// A job file for data that somebody has: what the files are, how they are written, which columns
// they have. It loads them into Parquet files, runs at once, and is meant to be read and changed.
//
// Threads: a function over files. Errors: config, with the file that can't be made out.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include <tranche/base/result.h>

namespace tranche {

// REQUIRES files; they are relative to the working directory. `job_file` is where the text will
// lie, for the paths in it. Empty: in the working directory.
Result<std::string> guess_job(std::span<const std::string> files,
                              const std::filesystem::path& job_file);

}  // namespace tranche
