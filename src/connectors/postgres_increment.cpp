// Increments of a table: from which value of a column, and up to which, a run reads.
#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/text.h"
#include "connectors/postgres_relation.h"

namespace tranche::postgres {
namespace {

// What the server's clock says in the type of the column. Times without a zone are those of the
// server's own zone, not of our session.
std::string clock_of(const std::string& type) {
  if (type == "timestamp with time zone") return "now()";
  return "now() AT TIME ZONE (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone')";
}

bool is_time(const std::string& type) { return type.starts_with("timestamp") || type == "date"; }

bool is_whole_number(const std::string& type) {
  return type == "smallint" || type == "integer" || type == "bigint";
}

Error wrong_lag(const IncrementUse& use, const RelationKey& key, const char* expected) {
  return make_error(ErrorKind::config,
                    fmt::format("lag: {} does not go with column \"{}\", which is {}; {} was "
                                "expected.",
                                use.lag, use.column, key.type, expected));
}

// The end without a look at where the increment begins, in SQL.
Result<std::string> end_sql(const Relation& relation, const IncrementUse& use,
                            const RelationKey& key) {
  if (is_time(key.type)) {
    const auto lag =
        use.lag == "0" ? std::optional(std::chrono::milliseconds(0)) : parse_duration(use.lag);
    if (!lag) return wrong_lag(use, key, "a duration such as 5m");
    return fmt::format("(({}) - interval '{} milliseconds')::{}", clock_of(key.type), lag->count(),
                       key.type);
  }
  if (is_whole_number(key.type)) {
    std::int64_t lag = 0;
    if (parse_integer(use.lag, lag) != ParseStatus::ok || lag < 0)
      return wrong_lag(use, key, "a number such as 1000");
    return fmt::format("(SELECT max({})::bigint + 1 - {} FROM {})", key.expression, lag,
                       relation.from);
  }
  return make_error(
      ErrorKind::config,
      fmt::format("Column \"{}\" of {} is {}; incremental needs a column of times, or "
                  "of whole numbers, that rises with every change.",
                  use.column, relation.name, key.type));
}

}  // namespace

Result<std::string> increment_end(PostgresConnection& connection, const Relation& relation,
                                  const IncrementUse& use, const std::string& from) {
  TRANCHE_ASSIGN(const RelationKey key, describe_key(connection, relation, use.column));
  TRANCHE_ASSIGN(const std::string end, end_sql(relation, use, key));
  // Never back, whatever the clock does; of nothing, where the table is empty.
  const std::string least = from.empty()
                                ? std::string()
                                : fmt::format(", {}::{}", postgres_literal(from),
                                              is_whole_number(key.type) ? "bigint" : key.type);
  TRANCHE_ASSIGN(const auto row,
                 connection.query(fmt::format("SELECT greatest({}{})::text", end, least)));
  return row.string(0, 0);
}

Result<std::string> increment_condition(PostgresConnection& connection, const Relation& relation,
                                        const IncrementUse& use, const std::string& from,
                                        const std::string& until) {
  TRANCHE_ASSIGN(RelationKey key, describe_key(connection, relation, use.column));
  if (until.empty()) return std::string("false");
  if (is_whole_number(key.type)) key.type = "bigint";  // one more than the greatest may not fit
  KeyRange range;
  if (!from.empty()) range.lower = KeyBound{from, true};
  range.upper = KeyBound{until, false};
  return condition(key, range);
}

}  // namespace tranche::postgres
