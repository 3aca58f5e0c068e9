#include "transforms/sql_paths.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"
#include "transforms/sql_files.h"
#include "transforms/sql_tree.h"

namespace tranche {
namespace {

constexpr std::array<std::string_view, 6> file_endings{".csv",  ".tsv",   ".parquet",
                                                       ".json", ".jsonl", ".ndjson"};

// A path as it was found in the syntax tree.
struct WrittenPath {
  std::size_t offset = 0;  // in the text, in bytes
  std::string path;
};

bool is_relative(const std::string& path) {
  return !path.empty() && path[0] != '/' && path[0] != '~' && path.find("://") == path.npos;
}

// Whether DuckDB takes the name of a table that is none for a file.
bool names_file(std::string path) {
  path = to_lower(path);
  for (const std::string_view packed : {".gz", ".zst"})
    if (path.ends_with(packed)) path.resize(path.size() - packed.size());
  return std::ranges::any_of(file_endings,
                             [&](const std::string_view ending) { return path.ends_with(ending); });
}

class PathFinder {
 public:
  explicit PathFinder(std::set<std::string> tables) : tables_(std::move(tables)) {}

  // The names that WITH gives, anywhere: none of them is a file.
  void collect_names(const Json& node) {
    for (const Json& item : node.items()) collect_names(item);
    for (const auto& [key, value] : node.entries()) {
      if (key == "cte_map")
        for (const Json& cte : value["map"].items()) tables_.insert(to_lower(cte["key"].text()));
      collect_names(value);
    }
  }

  void collect_paths(const Json& node) {
    for (const Json& item : node.items()) collect_paths(item);
    if (!node.is_object()) return;
    if (node["type"].text() == "BASE_TABLE") add_table(node);
    const std::string function = to_lower(node["function_name"].text());
    if (node["class"].text() == "FUNCTION" && reads_files(function))
      for (const Json* path : file_arguments(node)) add_constant(*path);
    for (const auto& [key, value] : node.entries()) collect_paths(value);
  }

  std::vector<WrittenPath> take() { return std::move(paths_); }

 private:
  void add_table(const Json& ref) {
    std::string path;
    for (const char* part : {"catalog_name", "schema_name"})
      if (!ref[part].text().empty()) path += ref[part].text() + ".";
    path += ref["table_name"].text();
    if (names_file(path) && !tables_.contains(to_lower(path))) add(ref, path);
  }

  void add_constant(const Json& constant) {
    const Json& value = constant["value"]["value"];
    if (constant["class"].text() == "CONSTANT" && value.is_string()) add(constant, value.text());
  }

  void add(const Json& node, const std::string& path) {
    if (is_relative(path)) paths_.push_back({node["query_location"].natural(), path});
  }

  std::set<std::string> tables_;
  std::vector<WrittenPath> paths_;
};

// How long the path is where it is written; 0 when it is not written there in a usual way.
std::size_t written_bytes(std::string_view text, const std::string& path) {
  for (const std::string& form : {sql_literal(path), sql_identifier(path), path})
    if (text.starts_with(form)) return form.size();
  return 0;
}

}  // namespace

// From the last path on, so that offsets stay right.
Result<std::string> with_absolute_paths(DuckConnection& connection, const std::string& text,
                                        const std::filesystem::path& base) {
  TRANCHE_ASSIGN(const std::string tree_text, syntax_tree(connection, text));
  TRANCHE_ASSIGN(const Json tree, Json::parse(tree_text));
  if (tree["error"].boolean()) return text;
  TRANCHE_ASSIGN(std::set<std::string> tables, table_names(connection));
  tables.insert("batch");
  PathFinder finder(std::move(tables));
  finder.collect_names(tree);
  finder.collect_paths(tree);
  std::vector<WrittenPath> paths = finder.take();
  std::sort(paths.begin(), paths.end(),
            [](const auto& a, const auto& b) { return a.offset > b.offset; });
  std::string absolute = text;
  for (const WrittenPath& written : paths) {
    const std::size_t bytes =
        written.offset > text.size()
            ? 0
            : written_bytes(std::string_view(text).substr(written.offset), written.path);
    if (bytes == 0)
      return make_error(ErrorKind::config,
                        fmt::format("Write the path {} as one plain text in quotes, or as an "
                                    "absolute one, so that it can be looked up in the job's folder",
                                    written.path));
    const std::filesystem::path folder = unglobbed(std::filesystem::absolute(base).string());
    const auto path = (folder / written.path).lexically_normal();
    absolute.replace(written.offset, bytes, sql_literal(path.string()));
  }
  return absolute;
}

}  // namespace tranche
