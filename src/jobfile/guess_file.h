// What a file is and how it is written, found out from its beginning, as a job file says it.
//
// The dialect of a CSV file is what DuckDB's sniffer finds (its documentation: CSV auto detection);
// a date that could be read in two ways is left a text.
// Threads: functions over files. Errors: config, when there is no such file, or nothing in it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <tranche/base/result.h>

namespace tranche {

struct GuessedOption {
  std::string key;
  std::string value;  // as YAML
  std::string why;    // for a comment; may be empty
  bool operator==(const GuessedOption&) const = default;
};

struct FileGuess {
  std::string system;                  // csv, jsonl, parquet, sqlite, duckdb
  std::vector<GuessedOption> options;  // that differ from what is so by default
  std::vector<std::string> tables;     // of a database
  // Spellings of null that the file seems to have; whether they are, its types say.
  std::vector<std::string> null_spellings;
  std::vector<std::string> amounts;  // columns whose numbers have two digits behind the point
};

Result<FileGuess> guess_file(const std::filesystem::path& path);

// As YAML takes it: plain where it can be, else quoted.
std::string yaml_text(const std::string& text);

}  // namespace tranche
