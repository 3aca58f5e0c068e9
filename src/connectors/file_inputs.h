// The files that a source reads: paths and globs become inputs, and of them those that an increment
// has not loaded yet.
//
// Threads: pure but for the files. Errors: config, what is wrong with the job or its folder.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/options.h>
#include <tranche/core/plan.h>

namespace tranche {

// What stands for standard input where a text file is named.
inline constexpr std::string_view standard_input_name = "-";

// As the job names them: `key` is the system's ("csv"), relative paths are relative to `base`.
struct FilePatterns {
  std::string key;
  std::vector<std::string> patterns;
  std::filesystem::path base;
  bool may_be_remote = false;  // http, https, s3
  bool knows_content = false;  // who asks tells by it that two names are one file
};

// Every file once, in the order of the patterns. Errors: config, also when one matches nothing.
Result<std::vector<Input>> list_files(const FilePatterns& files);

// Where a text file that was listed is.
std::filesystem::path path_of_input(const std::filesystem::path& base, const Input& input);

// `incremental: { files: true }` and `on_done:`.
struct FileIncrement {
  enum class Changed { fail, reload, ignore };
  FilePatterns files;
  bool is_incremental = false;
  Changed changed = Changed::fail;       // a file that was loaded and is another by now
  std::chrono::milliseconds settle{0};   // a file that changed since is left to the next run
  std::string move_to;                   // a folder; empty: files stay where they are
  std::uint32_t source = 0;              // which of the step's sources they are of
};

// The rows of an option table for sources of files.
std::vector<Option> file_increment_options();
// REQUIRES options checked against `table`. nullopt: the job has neither, or the source no files.
std::optional<FileIncrement> read_file_increment(const Node& options, const OptionTable& table,
                                                 FilePatterns files);

struct NewFiles {
  std::vector<Input> inputs;           // with their digests
  std::vector<std::string> notices;    // what was left out, and why, in sentences
};
// The files that were not loaded: neither under their name, nor under another with equal bytes.
// `loaded`: what completed runs read. Reads every new file once, for its digest.
Result<NewFiles> find_new_files(const FileIncrement& increment, const std::vector<Input>& loaded,
                                std::int64_t now_microseconds);

// Moves the files of a step that is done, those of the increment's source; may be called again
// after a crash on the way.
Result<void> move_done(const FileIncrement& increment, const std::vector<Input>& inputs);

}  // namespace tranche
