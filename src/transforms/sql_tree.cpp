#include "transforms/sql_tree.h"

#include <fmt/format.h>

namespace tranche {

Result<std::string> syntax_tree(DuckConnection& connection, const std::string& text) {
  TRANCHE_ASSIGN(const auto cells,
                 connection.query_texts(fmt::format(
                     "SELECT CAST(json_serialize_sql({}) AS VARCHAR)", sql_literal(text))));
  return cells[0][0];
}

Result<std::set<std::string>> table_names(DuckConnection& connection) {
  TRANCHE_ASSIGN(const auto rows,
                 connection.query_texts("SELECT lower(table_name) FROM duckdb_tables() UNION ALL "
                                        "SELECT lower(view_name) FROM duckdb_views()"));
  std::set<std::string> names;
  for (const auto& row : rows) names.insert(row[0]);
  return names;
}

}  // namespace tranche
