// Increments of a table: from which value of a column, and up to which, a run reads.
#include <fmt/format.h>

#include "connectors/postgres_relation.h"

namespace tranche::postgres {
namespace {

// What the server's clock says in the type of the column. Times without a zone are those of the
// server's own zone, not of our session.
std::string clock_of(const std::string& type) {
  if (type == "timestamp with time zone") return "now()";
  return "now() AT TIME ZONE (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone')";
}

IncrementColumn::Kind kind_of(const std::string& type) {
  if (type.starts_with("timestamp") || type == "date") return IncrementColumn::Kind::time;
  const bool is_whole = type == "smallint" || type == "integer" || type == "bigint";
  return is_whole ? IncrementColumn::Kind::whole_number : IncrementColumn::Kind::other;
}

bool is_whole_number(const RelationKey& key) {
  return kind_of(key.type) == IncrementColumn::Kind::whole_number;
}

// The end without a look at where the increment begins, in SQL.
Result<std::string> end_sql(const Relation& relation, const IncrementUse& use,
                            const RelationKey& key) {
  TRANCHE_ASSIGN(const std::int64_t lag,
                 increment_lag(use, IncrementColumn{relation.name, key.type, kind_of(key.type)}));
  if (is_whole_number(key)) {
    return fmt::format("(SELECT max({})::bigint + 1 - {} FROM {})", key.expression, lag,
                       relation.from);
  }
  return fmt::format("(({}) - interval '{} milliseconds')::{}", clock_of(key.type), lag, key.type);
}

}  // namespace

Result<std::string> increment_end(PostgresConnection& connection, const Relation& relation,
                                  const IncrementUse& use, const std::string& from) {
  TRANCHE_ASSIGN(const RelationKey key, describe_key(connection, relation, use.column));
  TRANCHE_ASSIGN(const std::string end, end_sql(relation, use, key));
  // Never back, whatever the clock does; of nothing, where the table is empty.
  const std::string least = from.empty() ? std::string()
                                         : fmt::format(", {}::{}", postgres_literal(from),
                                                       is_whole_number(key) ? "bigint" : key.type);
  TRANCHE_ASSIGN(const auto row,
                 connection.query(fmt::format("SELECT greatest({}{})::text", end, least)));
  return row.string(0, 0);
}

Result<std::string> increment_condition(PostgresConnection& connection, const Relation& relation,
                                        const IncrementUse& use, const std::string& from,
                                        const std::string& until) {
  TRANCHE_ASSIGN(RelationKey key, describe_key(connection, relation, use.column));
  if (until.empty()) return std::string("false");
  if (is_whole_number(key)) key.type = "bigint";  // one more than the greatest may not fit
  KeyRange range;
  if (!from.empty()) range.lower = KeyBound{from, true};
  range.upper = KeyBound{until, false};
  return condition(key, range);
}

}  // namespace tranche::postgres
