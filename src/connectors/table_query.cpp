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

Option read_columns_option() {
  return Option{.name = "columns",
                .kind = OptionKind::any,
                .doc =
                    "A list: the columns to read, each by its name or with the type to read it as. "
                    "A map of names to types: of columns that are not what they were declared as; "
                    "the others are read as well.",
                .example = "[id, sold_at: timestamp]"};
}

Result<ReadColumns> read_columns(const Node* node) {
  ReadColumns read;
  if (node == nullptr) return read;
  Node typed = Node::map({}, node->mark);
  if (node->kind == Node::Kind::map) typed = *node;
  for (const Node& item : node->items) {
    const bool is_typed = item.kind == Node::Kind::map && item.entries.size() == 1;
    read.names.push_back(is_typed ? item.entries[0].key : item.text);
    if (is_typed) typed.entries.push_back(item.entries[0]);
  }
  if (typed.entries.empty()) return read;
  const OptionTable table = {Option{.name = "columns", .kind = OptionKind::columns, .doc = ""}};
  const Node options = Node::map({{"columns", typed, node->mark}});
  Problems problems;
  check_options(options, table, "columns", problems);
  if (!problems.empty()) return make_error(ErrorKind::config, problems.front().message);
  read.types = OptionReader(options, table).columns("columns");
  return read;
}

Option read_snapshot_option(std::string doc) {
  return Option{.name = "snapshot", .kind = OptionKind::text, .doc = std::move(doc)};
}

Result<void> check_table_or_query(std::string_view system, const std::string& table,
                                  const std::string& query) {
  if (table.empty() != query.empty()) return {};
  return make_error(
      ErrorKind::config,
      fmt::format("{} reads a table or a query: table: sales, or query: SELECT ...", system));
}

}  // namespace tranche
