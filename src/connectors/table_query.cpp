#include "connectors/table_query.h"

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {

std::string without_semicolon(std::string_view query) {
  query = trim(query);
  while (query.ends_with(';')) query = trim(query.substr(0, query.size() - 1));
  return std::string(query);
}

Option read_table_option() {
  return Option{.name = "table",
                .kind = OptionKind::text,
                .doc = "The table to read; this, or a query.",
                .example = "sales"};
}

Option read_query_option(std::string doc) {
  return Option{.name = "query",
                .kind = OptionKind::text,
                .doc = std::move(doc),
                .example = "SELECT id, qty FROM sales WHERE qty > 0"};
}

Option read_key_option() {
  return Option{.name = "key",
                .kind = OptionKind::text,
                .doc =
                    "The column by whose order the records are read and cut into batches, as in "
                    "batch: { key: id }; left out: the number of the row.",
                .example = "id"};
}

Result<void> check_table_or_query(std::string_view system, const std::string& table,
                                  const std::string& query) {
  if (table.empty() != query.empty()) return {};
  return make_error(
      ErrorKind::config,
      fmt::format("{} reads a table or a query: table: sales, or query: SELECT ...", system));
}

}  // namespace tranche
