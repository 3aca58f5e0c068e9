#include "transforms/sql_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"

namespace tranche {
namespace {

// Beside those whose names begin with read_.
constexpr std::array<std::string_view, 9> reading_functions{
    "glob",           "parquet_scan",          "parquet_metadata",
    "parquet_schema", "parquet_file_metadata", "parquet_kv_metadata",
    "sniff_csv",      "parquet_full_metadata", "parquet_bloom_probe"};

Error not_constant(const std::string& function) {
  return make_error(ErrorKind::config,
                    fmt::format("{}() does not say its file as a text, so that a change of the "
                                "file could not be noticed when a run is resumed; write the path "
                                "there, or read the file as a lookup table under tables:",
                                function));
}

}  // namespace

bool reads_files(const std::string& function) {
  return function.starts_with("read_") ||
         std::find(reading_functions.begin(), reading_functions.end(), function) !=
             reading_functions.end();
}

Result<void> check_file_pattern(const std::string& pattern) {
  const std::size_t scheme = pattern.find("://");
  if (scheme == std::string::npos || pattern.starts_with("file://")) return {};
  return make_error(ErrorKind::config,
                    fmt::format("The SQL reads {} from the network, where it may change while the "
                                "job runs; fetch it first and read the file",
                                pattern.substr(0, scheme + 3) + "..."));
}

std::vector<const Json*> file_arguments(const Json& call) {
  const auto& arguments = call["children"].items();
  if (arguments.empty()) return {};  // DuckDB says what is missing
  if (to_lower(arguments[0]["function_name"].text()) != "list_value") return {&arguments[0]};
  std::vector<const Json*> paths;
  for (const Json& path : arguments[0]["children"].items()) paths.push_back(&path);
  return paths;
}

Result<void> collect_file_patterns(const Json& call, std::vector<std::string>& patterns) {
  const std::string name = to_lower(call["function_name"].text());
  for (const Json* path : file_arguments(call)) {
    const Json& value = (*path)["value"]["value"];
    if ((*path)["class"].text() != "CONSTANT" || !value.is_string()) return not_constant(name);
    TRANCHE_TRY(check_file_pattern(value.text()));
    patterns.push_back(value.text());
  }
  return {};
}

Result<std::vector<std::filesystem::path>> find_sql_files(
    DuckConnection& connection, const std::vector<std::string>& patterns) {
  std::vector<std::filesystem::path> files;
  std::set<std::string> seen;
  for (const std::string& pattern : patterns) {
    TRANCHE_ASSIGN(const auto rows, connection.query_texts(fmt::format("SELECT file FROM glob({})",
                                                                       sql_literal(pattern))));
    for (const auto& row : rows)
      if (seen.insert(row[0]).second) files.emplace_back(row[0]);
  }
  return files;
}

}  // namespace tranche
