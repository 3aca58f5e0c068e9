#include "transforms/sql_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "transforms/sql_files.h"
#include "transforms/sql_stars.h"
#include "transforms/sql_tree.h"

namespace tranche {
namespace {

constexpr const char* unless_per_batch =
    "; do it in a later query step, or say per_batch: true if it is meant within each batch";

// Names that are functions without parentheses.
constexpr std::array<std::string_view, 12> bare_functions{
    "current_date",   "current_time", "current_timestamp", "localtime",
    "localtimestamp", "current_user", "current_catalog",   "current_schema",
    "session_user",   "user",         "current_role",      "current_database"};

// They change the database, or its log, whenever they are asked.
constexpr std::array<std::string_view, 9> acting_functions{
    "checkpoint",        "force_checkpoint",  "enable_logging",
    "disable_logging",   "enable_profiling",  "disable_profiling",
    "enable_peg_parser", "disable_peg_parser", "truncate_duckdb_logs"};

using Ctes = std::map<std::string, bool>;  // name -> it reaches batch

// What DuckDB's functions are; a macro is what its definition calls.
struct Functions {
  std::set<std::string> aggregates;
  std::set<std::string> volatiles;
  std::set<std::string> hiding;  // tables that they read are named by an argument
};

// The FROM of a SELECT, as far as it tells which SELECT a column belongs to.
struct Scope {
  bool over_batch = false;
  bool is_known = true;            // nothing but tables, whose columns are known
  std::set<std::string> relations;
};

class Checker {
 public:
  // `others`: the columns of all lookup tables. `tables`: the names of all tables and views.
  Checker(bool per_batch, Functions functions, std::set<std::string> columns,
          std::set<std::string> others, std::set<std::string> tables)
      : per_batch_(per_batch),
        functions_(std::move(functions)),
        columns_(std::move(columns)),
        others_(std::move(others)),
        tables_(std::move(tables)) {}

  // True when the query's rows come from batch.
  Result<bool> query(const Json& node, Ctes ctes) {
    for (const Json& cte : node["cte_map"]["map"].items()) {
      TRANCHE_ASSIGN(const bool reaches, query(cte["value"]["query"]["node"], ctes));
      ctes[to_lower(cte["key"].text())] = reaches;
    }
    const std::string& type = node["type"].text();
    if (type == "SELECT_NODE") return select(node, ctes);
    if (type == "SET_OPERATION_NODE") return set_operation(node, ctes);
    if (type == "RECURSIVE_CTE_NODE") return recursion(node, ctes);
    if (type == "CTE_NODE") {
      TRANCHE_ASSIGN(const bool reaches, query(node["query"], ctes));
      ctes[to_lower(node["cte_name"].text())] = reaches;
      return query(node["child"], ctes);
    }
    return refuse(fmt::format("a query of kind {}", type));
  }

  bool names_file() const { return names_file_; }
  bool names_line() const { return names_line_; }
  const std::vector<Star>& stars() const { return stars_; }
  // Whether the SELECT sees which columns batch has, other than by a star.
  // The paths and patterns of the files that it reads.
  const std::vector<std::string>& files() const { return files_; }
  bool takes_whole_rows() const { return takes_whole_rows_; }

 private:
  static Error refuse(std::string what) { return make_error(ErrorKind::config, std::move(what)); }
  // Refuses what sees several records of batch, unless that is meant.
  Result<void> several(const std::string& what) const {
    if (per_batch_) return {};
    return refuse(
        fmt::format("{} over batch would depend on how the input is divided into "
                    "batches{}",
                    what, unless_per_batch));
  }

  Result<bool> select(const Json& node, const Ctes& ctes) {
    const std::vector<std::string> outer = std::exchange(batch_names_, {});
    TRANCHE_ASSIGN(bool reaches, table(node["from_table"], ctes));
    if (!node["sample"].is_null())
      return refuse("A sample is another one at every run; select by a column instead");
    const std::size_t outer_table = std::exchange(first_table_, first_table(node["from_table"]));
    over_batch_.push_back(reaches);
    scopes_.push_back(Scope{reaches, true, {}});
    collect_relations(node["from_table"], ctes, scopes_.back());
    bool below = false;
    for (const auto& [key, value] : node.entries()) {
      if (key == "cte_map" || key == "from_table" || key == "sample") continue;
      TRANCHE_ASSIGN(const bool found, expression(value, ctes));
      below = below || found;
    }
    scopes_.pop_back();
    over_batch_.pop_back();
    first_table_ = outer_table;
    if (reaches) TRANCHE_TRY(clauses(node));
    TRANCHE_TRY(modifiers(node, reaches));
    batch_names_ = outer;
    return reaches || below;
  }

  // Where the text names the first table of a FROM.
  static std::size_t first_table(const Json& ref) {
    if (ref["type"].text() == "JOIN") return first_table(ref["left"]);
    return ref["type"].text() == "BASE_TABLE" ? ref["query_location"].natural() : 0;
  }

  Result<void> clauses(const Json& node) const {
    if (!node["group_expressions"].items().empty() || !node["group_sets"].items().empty() ||
        node["aggregate_handling"].text() == "FORCE_AGGREGATES")
      return several("GROUP BY");
    if (!node["having"].is_null()) return several("HAVING");
    if (!node["qualify"].is_null()) return several("QUALIFY");
    return {};
  }

  Result<void> modifiers(const Json& node, bool reaches) const {
    if (!reaches) return {};
    for (const Json& modifier : node["modifiers"].items()) {
      const std::string& type = modifier["type"].text();
      if (type == "DISTINCT_MODIFIER") TRANCHE_TRY(several("DISTINCT"));
      if (type == "ORDER_MODIFIER") TRANCHE_TRY(several("ORDER BY"));
      if (type.starts_with("LIMIT")) TRANCHE_TRY(several("LIMIT or OFFSET"));
    }
    return {};
  }

  Result<bool> set_operation(const Json& node, const Ctes& ctes) {
    std::vector<const Json*> sides;
    if (node["left"].is_object()) sides = {&node["left"], &node["right"]};
    for (const Json& child : node["children"].items()) sides.push_back(&child);
    std::size_t reaching = 0;
    for (const Json* side : sides) {
      TRANCHE_ASSIGN(const bool reaches, query(*side, ctes));
      reaching += reaches ? 1 : 0;
    }
    // What its ORDER BY and LIMIT compute; they belong to the SELECTs' rows together.
    TRANCHE_TRY(expression(node["modifiers"], ctes));
    if (reaching == 0) return false;
    const std::string& kind = node["setop_type"].text();
    if (kind != "UNION" || !node["setop_all"].boolean())
      TRANCHE_TRY(several(kind == "UNION" ? "UNION (without ALL)" : kind));
    else if (reaching != sides.size())
      TRANCHE_TRY(several("UNION ALL with other rows"));
    TRANCHE_TRY(modifiers(node, true));
    return true;
  }

  Result<bool> recursion(const Json& node, Ctes ctes) {
    ctes[to_lower(node["cte_name"].text())] = false;
    TRANCHE_ASSIGN(const bool left, query(node["left"], ctes));
    TRANCHE_ASSIGN(const bool right, query(node["right"], ctes));
    if (left || right) TRANCHE_TRY(several("A recursive query"));
    return left || right;
  }

  Result<bool> table(const Json& ref, const Ctes& ctes) {
    if (!ref["sample"].is_null())
      return refuse("A sample is another one at every run; select by a column instead");
    const std::string& type = ref["type"].text();
    if (type == "BASE_TABLE") return base_table(ref, ctes);
    if (type == "JOIN") return join(ref, ctes);
    if (type == "SUBQUERY") {
      const std::vector<std::string> outer = batch_names_;
      TRANCHE_ASSIGN(const bool reaches, query(ref["subquery"]["node"], ctes));
      batch_names_ = outer;
      return reaches;
    }
    if (type == "SHOW_REF")
      return refuse("DESCRIBE, SHOW and SUMMARIZE are no records; use SELECT");
    if (type == "PIVOT") {
      TRANCHE_ASSIGN(const bool reaches, table(ref["source"], ctes));
      if (reaches && !ref["aggregates"].items().empty()) TRANCHE_TRY(several("PIVOT"));
      return reaches;
    }
    const std::string name = to_lower(ref["function"]["function_name"].text());
    if (functions_.hiding.contains(name)) return hides(name);
    if (reads_files(name)) TRANCHE_TRY(collect_file_patterns(ref["function"], files_));
    TRANCHE_TRY(expression(ref, ctes));
    return false;
  }

  // What a qualified column of this FROM begins with.
  static void collect_relations(const Json& ref, const Ctes& ctes, Scope& scope) {
    const std::string& type = ref["type"].text();
    if (type == "EMPTY") return;
    if (type == "JOIN") {
      collect_relations(ref["left"], ctes, scope);
      collect_relations(ref["right"], ctes, scope);
      return;
    }
    const std::string table = to_lower(ref["table_name"].text());
    const std::string alias = to_lower(ref["alias"].text());
    if (type != "BASE_TABLE" || ctes.contains(table)) scope.is_known = false;
    if (!ref["column_name_alias"].items().empty()) scope.is_known = false;
    scope.relations.insert(alias.empty() ? table : alias);
  }

  Result<bool> base_table(const Json& ref, const Ctes& ctes) {
    const std::string name = to_lower(ref["table_name"].text());
    if (ref["schema_name"].text().empty()) {
      if (const auto cte = ctes.find(name); cte != ctes.end()) return cte->second;
    }
    if (name != "batch") return other_table(ref, name);
    batch_names_.push_back(to_lower(ref["alias"].text().empty() ? name : ref["alias"].text()));
    return true;
  }

  // A table that is none may be a file, as DuckDB sees it: FROM 'rates.csv', FROM rates.csv.
  Result<bool> other_table(const Json& ref, const std::string& name) {
    std::string path;
    for (const char* part : {"catalog_name", "schema_name"})
      if (!ref[part].text().empty()) path += ref[part].text() + ".";
    if (path.empty() && tables_.contains(name)) return false;
    path += ref["table_name"].text();
    TRANCHE_TRY(check_file_pattern(path));
    files_.push_back(std::move(path));
    return false;
  }

  Result<bool> join(const Json& ref, const Ctes& ctes) {
    TRANCHE_ASSIGN(const bool left, table(ref["left"], ctes));
    TRANCHE_ASSIGN(const bool right, table(ref["right"], ctes));
    TRANCHE_TRY(expression(ref["condition"], ctes));
    if (!left && !right) return false;
    const std::string& type = ref["join_type"].text();
    if (left && right) {
      TRANCHE_TRY(several("A join of batch with itself"));
    } else if (ref["ref_type"].text() == "POSITIONAL") {
      TRANCHE_TRY(several("A positional join"));
    } else if (left && type != "INNER" && type != "LEFT" && type != "SEMI" && type != "ANTI") {
      TRANCHE_TRY(several(fmt::format("A {} JOIN", type)));
    } else if (right && type != "INNER" && type != "RIGHT") {
      TRANCHE_TRY(several(fmt::format("A {} JOIN with batch on the right side", type)));
    } else if (right && !per_batch_) {
      return refuse(
          "A join begins with batch (FROM batch JOIN ...), so that its rows keep the "
          "order of the input; write batch first");
    }
    return true;
  }

  // True when a subquery in it reads batch.
  Result<bool> expression(const Json& json, const Ctes& ctes) {
    bool reaches = false;
    for (const Json& item : json.items()) {
      TRANCHE_ASSIGN(const bool found, expression(item, ctes));
      reaches = reaches || found;
    }
    if (!json.is_object()) return reaches;
    const std::string& kind = json["class"].text();
    if (kind == "WINDOW" && over_batch()) TRANCHE_TRY(several("A window function"));
    if (kind == "FUNCTION") TRANCHE_TRY(function(json));
    if (kind == "COLUMN_REF") TRANCHE_TRY(column(json));
    if (kind == "STAR") star(json);
    for (const auto& [key, value] : json.entries()) {
      if (kind == "SUBQUERY" && key == "subquery") {
        over_batch_.push_back(false);
        const std::vector<std::string> outer = batch_names_;
        TRANCHE_ASSIGN(const bool found, query(value["node"], ctes));
        batch_names_ = outer;
        over_batch_.pop_back();
        if (found) TRANCHE_TRY(several("A subquery"));
        reaches = reaches || found;
        continue;
      }
      TRANCHE_ASSIGN(const bool found, expression(value, ctes));
      reaches = reaches || found;
    }
    return reaches;
  }

  Result<void> function(const Json& json) const {
    const std::string name = to_lower(json["function_name"].text());
    const bool asks_the_clock = name == "age" && json["children"].items().size() == 1;
    if (functions_.volatiles.contains(name) || asks_the_clock) return changing(name + "()");
    if (name == "query" || name == "query_table" || name == "json_execute_serialized_sql" ||
        name.starts_with("tranche_pages_"))
      return hides(name);
    if (std::find(acting_functions.begin(), acting_functions.end(), name) !=
        acting_functions.end())
      return refuse(fmt::format("{}() acts on something besides the records, whenever a batch is "
                                "done or done again; leave it out",
                                name));
    if (!functions_.aggregates.contains(name)) return {};
    if (over_batch() || belongs_to_batch(json["children"])) return several(name + "()");
    return {};
  }

  static Error hides(const std::string& name) {
    return refuse(fmt::format("{}() hides what it reads; write the SELECT itself", name));
  }

  // An aggregate of nothing but columns of a SELECT further out is that SELECT's:
  // SELECT (SELECT sum(b.x)) FROM batch b gives one row.
  bool belongs_to_batch(const Json& arguments) const {
    std::vector<const Json*> columns;
    collect_columns(arguments, columns);
    std::size_t owner = 0;  // the innermost of theirs, plus 1
    for (const Json* column : columns) {
      std::size_t at = scopes_.size();
      while (at > 0 && !holds(scopes_[at - 1], column->items())) --at;
      owner = std::max(owner, at);
    }
    return owner > 0 && scopes_[owner - 1].over_batch;
  }

  static void collect_columns(const Json& json, std::vector<const Json*>& columns) {
    if (json["class"].text() == "COLUMN_REF") columns.push_back(&json["column_names"]);
    for (const Json& item : json.items()) collect_columns(item, columns);
    for (const auto& [key, value] : json.entries()) collect_columns(value, columns);
  }

  // Whether the column is one of the SELECT's, as far as that can be known.
  bool holds(const Scope& scope, const std::vector<Json>& names) const {
    if (names.empty() || scope.relations.empty()) return false;
    const std::string first = to_lower(names[0].text());
    if (names.size() > 1 && scope.relations.contains(first)) return true;
    if (names.size() == 1 && !scope.is_known) return true;
    return others_.contains(first) || (scope.over_batch && columns_.contains(first));
  }

  static Error changing(const std::string& name) {
    return refuse(
        fmt::format("{} gives something else at every run, so a batch that is done again "
                    "would differ; give the job a parameter and use it as $name",
                    name));
  }

  Result<void> column(const Json& json) {
    const auto& names = json["column_names"].items();
    if (names.empty()) return {};
    const std::string last = to_lower(names.back().text());
    names_file_ = names_file_ || last == "_file";
    names_line_ = names_line_ || last == "_line";
    const bool bare =
        std::find(bare_functions.begin(), bare_functions.end(), last) != bare_functions.end();
    const bool is_relation =
        std::find(batch_names_.begin(), batch_names_.end(), last) != batch_names_.end();
    takes_whole_rows_ = takes_whole_rows_ || (is_relation && !columns_.contains(last));
    if (names.size() == 1 && bare && !columns_.contains(last)) return changing(last);
    return {};
  }

  void star(const Json& json) {
    takes_whole_rows_ = takes_whole_rows_ || json["columns"].boolean();
    if (json["columns"].boolean() || batch_names_.empty()) return;
    const std::string relation = to_lower(json["relation_name"].text());
    const auto& of = batch_names_;
    if (!relation.empty() && std::find(of.begin(), of.end(), relation) == of.end()) return;
    Star found;
    found.offset = json["query_location"].natural();
    found.is_written = found.offset != 0;  // SELECT stands before it
    if (!found.is_written) found.offset = first_table_;
    for (const Json& name : json["exclude_list"].items())
      found.excluded.push_back(to_lower(name.text()));
    stars_.push_back(std::move(found));
  }

  bool over_batch() const { return !over_batch_.empty() && over_batch_.back(); }

  bool per_batch_;
  Functions functions_;
  std::set<std::string> columns_;
  std::set<std::string> others_;
  std::set<std::string> tables_;
  std::vector<std::string> files_;
  std::vector<bool> over_batch_;          // of the SELECTs around
  std::vector<Scope> scopes_;             // the same SELECTs
  std::vector<std::string> batch_names_;  // of batch in the FROM of the present SELECT
  std::size_t first_table_ = 0;           // of the present SELECT, in the text
  std::vector<Star> stars_;
  bool names_file_ = false;
  bool names_line_ = false;
  bool takes_whole_rows_ = false;
};

// The words of a macro's definition: those that are called, and functions without parentheses.
std::set<std::string> called_in(std::string_view definition) {
  std::set<std::string> called;
  const auto is_word = [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  for (std::size_t at = 0; at < definition.size();) {
    std::size_t end = at;
    while (end < definition.size() && is_word(definition[end])) ++end;
    if (end == at) {
      ++at;
      continue;
    }
    const std::string word = to_lower(definition.substr(at, end - at));
    const bool is_bare =
        std::find(bare_functions.begin(), bare_functions.end(), word) != bare_functions.end();
    if (is_bare || (end < definition.size() && definition[end] == '(')) called.insert(word);
    at = end;
  }
  return called;
}

Result<Functions> read_functions(DuckConnection& connection) {
  TRANCHE_ASSIGN(
      const auto rows,
      connection.query_texts("SELECT DISTINCT lower(function_name), function_type = 'aggregate' "
                             "FROM duckdb_functions() WHERE function_type = 'aggregate' "
                             "OR stability IN ('VOLATILE', 'CONSISTENT_WITHIN_QUERY')"));
  Functions functions;
  for (const auto& row : rows)
    (row[1] == "true" ? functions.aggregates : functions.volatiles).insert(row[0]);
  functions.volatiles.erase("error");           // never gives anything
  functions.volatiles.insert("current_setting");  // the run's own folders are among them
  TRANCHE_ASSIGN(const auto macros,
                 connection.query_texts(
                     "SELECT DISTINCT lower(function_name), function_type = 'table_macro', "
                     "macro_definition FROM duckdb_functions() WHERE function_type IN ('macro', "
                     "'table_macro') AND macro_definition IS NOT NULL"));
  const std::set<std::string> bare(bare_functions.begin(), bare_functions.end());
  const auto meet = [](const std::set<std::string>& a, const std::set<std::string>& b) {
    return std::any_of(a.begin(), a.end(), [&](const auto& word) { return b.contains(word); });
  };
  for (bool grows = true; grows;) {  // macros call macros
    grows = false;
    for (const auto& row : macros) {
      const auto called = called_in(row[2]);
      if (row[1] == "true") {
        if (meet(called, {"query", "query_table"}) || meet(called, functions.hiding))
          grows = functions.hiding.insert(row[0]).second || grows;
        continue;
      }
      if (meet(called, functions.aggregates))
        grows = functions.aggregates.insert(row[0]).second || grows;
      if (meet(called, functions.volatiles) || meet(called, bare))
        grows = functions.volatiles.insert(row[0]).second || grows;
    }
  }
  return functions;
}

// The name of batch in a FROM, as long as it stands there itself.
std::string name_of_batch(const Json& from) {
  if (from["type"].text() == "JOIN") {
    const std::string left = name_of_batch(from["left"]);
    return left.empty() ? name_of_batch(from["right"]) : left;
  }
  if (from["type"].text() != "BASE_TABLE" || to_lower(from["table_name"].text()) != "batch" ||
      !from["schema_name"].text().empty())
    return {};
  return from["alias"].text().empty() ? "batch" : from["alias"].text();
}

// The text without the semicolon at its end, and what follows it.
Result<std::string> without_semicolon(DuckConnection& connection, const std::string& text,
                                      const std::string& tree) {
  for (std::size_t at = text.find(';'); at != std::string::npos; at = text.find(';', at + 1)) {
    std::string shorter = text.substr(0, at);
    TRANCHE_ASSIGN(const std::string same, syntax_tree(connection, shorter));
    if (same == tree) return shorter;  // otherwise it stands in a string, or in a comment
  }
  return text;
}

}  // namespace

Result<CheckedSql> check_sql(DuckConnection& connection, const std::string& text, bool per_batch,
                             const Schema& batch) {
  TRANCHE_ASSIGN(const std::size_t statements, connection.count_statements(text));
  if (statements != 1)
    return make_error(ErrorKind::config,
                      fmt::format("The SQL is one SELECT; there are {} statements", statements));
  TRANCHE_ASSIGN(const std::string tree_text, syntax_tree(connection, text));
  TRANCHE_ASSIGN(const Json tree, Json::parse(tree_text));
  if (tree["error"].boolean())
    return make_error(ErrorKind::config,
                      "The SQL is one SELECT over batch; other statements can't be used here");
  TRANCHE_ASSIGN(Functions functions, read_functions(connection));
  std::set<std::string> columns;
  for (const Field& field : batch.fields) columns.insert(to_lower(field.name));
  TRANCHE_ASSIGN(const auto lookups,
                 connection.query_texts("SELECT DISTINCT lower(column_name) FROM duckdb_columns() "
                                        "WHERE database_name = 'temp'"));
  std::set<std::string> others;
  for (const auto& row : lookups) others.insert(row[0]);
  TRANCHE_ASSIGN(auto tables, table_names(connection));
  Checker checker(per_batch, std::move(functions), columns, std::move(others), std::move(tables));
  const Json& outermost = tree["statements"].items()[0]["node"];
  TRANCHE_ASSIGN(const bool reaches, checker.query(outermost, {}));
  if (!reaches)
    return make_error(ErrorKind::config,
                      "The SQL does not read batch, so every batch would give the same rows; "
                      "select from batch");
  CheckedSql checked;
  checked.files = checker.files();
  checked.names_file = checker.names_file() && !columns.contains("_file");
  checked.names_line = checker.names_line() && !columns.contains("_line");
  std::vector<std::string> hidden;
  if (checked.names_file) hidden.emplace_back("_file");
  if (checked.names_line) hidden.emplace_back("_line");
  TRANCHE_ASSIGN(checked.text, hidden.empty() ? Result<std::string>(text)
                                              : narrow_stars(text, checker.stars(), hidden));
  const auto& ctes = outermost["cte_map"]["map"].items();
  const bool is_cte = std::any_of(ctes.begin(), ctes.end(), [](const Json& cte) {
    return to_lower(cte["key"].text()) == "batch";
  });
  const std::string name = name_of_batch(outermost["from_table"]);
  if (is_cte || name.empty() || checker.takes_whole_rows() ||
      columns.contains(std::string(row_number_name)))
    return checked;
  hidden.emplace_back(row_number_name);
  TRANCHE_ASSIGN(const std::string bare, without_semicolon(connection, text, tree_text));
  TRANCHE_ASSIGN(checked.ordered_text, narrow_stars(bare, checker.stars(), hidden));
  checked.ordered_text +=
      fmt::format("\nORDER BY {}.{}", sql_identifier(name), row_number_name);
  return checked;
}

}  // namespace tranche
