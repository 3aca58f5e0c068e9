#include "transforms/sql_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace tranche {
namespace {

constexpr std::array<std::string_view, 7> keeping_operators{
    "PROJECTION", "FILTER", "UNNEST", "UNION", "CTE", "CTE_SCAN", "RESULT_COLLECTOR"};
// Joins that give each row of their left side at most once, in its place.
constexpr std::array<std::string_view, 4> keeping_joins{"SEMI", "ANTI", "MARK", "SINGLE"};

template <std::size_t size>
bool is_one_of(const std::array<std::string_view, size>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class Plan {
 public:
  Plan(DuckConnection& connection, std::string feed)
      : connection_(connection), feed_(to_lower(feed)) {}

  Result<std::string> scrambler(const Json& node) {
    if (!reads_batch(node)) return std::string();
    const std::string name(trim(node["name"].text()));
    const auto& children = node["children"].items();
    if (children.empty()) return std::string();  // the scan itself
    const std::string& join = node["extra_info"]["Join Type"].text();
    const bool is_cross = name == "CROSS_PRODUCT";
    if (!join.empty() || is_cross || name.ends_with("JOIN")) {
      if (children.size() < 2 || reads_batch(children[1])) return name;
      bool keeps = is_one_of(keeping_joins, join);
      if (!keeps && (is_cross || join == "INNER")) {
        TRANCHE_ASSIGN(keeps, matches_once(node, children[1]));
      }
      if (!keeps) return name;
      return scrambler(children[0]);
    }
    if (!is_one_of(keeping_operators, name)) return name;
    for (const Json& child : children) {
      TRANCHE_ASSIGN(std::string found, scrambler(child));
      if (!found.empty()) return found;
    }
    return std::string();
  }

 private:
  // A CTE may be what batch became.
  bool reads_batch(const Json& node) const {
    const std::string name = to_lower(trim(node["name"].text()));
    if (name == feed_ || name == "cte_scan") return true;
    const auto& children = node["children"].items();
    return std::any_of(children.begin(), children.end(),
                       [&](const Json& child) { return reads_batch(child); });
  }

  // Whether the right side has at most one row for each row of the left one.
  Result<bool> matches_once(const Json& node, const Json& right) {
    const Json* side = &right;
    while (side->operator[]("name").text() == "PROJECTION" &&
           side->operator[]("children").items().size() == 1)
      side = &side->operator[]("children").items()[0];
    if ((*side)["name"].text() == "UNGROUPED_AGGREGATE") return true;
    if (node["name"].text() != "HASH_JOIN" || trim(right["name"].text()) != "SEQ_SCAN")
      return false;
    return has_unique_key(right["extra_info"]["Table"].text(), node["extra_info"]["Conditions"]);
  }

  // Whether the columns that the conditions compare for equality tell the table's rows apart.
  Result<bool> has_unique_key(const std::string& table, const Json& conditions) {
    TRANCHE_ASSIGN(const auto columns, connection_.query_texts(fmt::format(
                                           "SELECT column_name FROM (DESCRIBE {})", table)));
    std::vector<std::string> key;
    const auto compare = [&](const std::string& condition) {
      for (const auto& column : columns)
        if (condition.ends_with(fmt::format(" = {}", column[0])))
          key.push_back(sql_identifier(column[0]));
    };
    if (conditions.is_string()) compare(conditions.text());
    for (const Json& condition : conditions.items()) compare(condition.text());
    if (key.empty()) return false;
    TRANCHE_ASSIGN(const auto found,
                   connection_.query_texts(fmt::format(
                       "SELECT 1 FROM {0} GROUP BY {1} HAVING count(*) > 1 LIMIT 1", table,
                       join(key, ", "))));
    return found.empty();
  }

  DuckConnection& connection_;
  std::string feed_;
};

}  // namespace

Result<std::string> scrambling_operator(DuckConnection& connection, const Json& plan,
                                        const std::string& feed) {
  Plan of(connection, feed);
  for (const Json& root : plan.items()) {
    TRANCHE_ASSIGN(std::string found, of.scrambler(root));
    if (!found.empty()) return found;
  }
  return std::string();
}

}  // namespace tranche
