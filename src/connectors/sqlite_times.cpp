#include "connectors/sqlite_times.h"

#include <array>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/text.h"

namespace tranche::sqlite {
namespace {

constexpr std::string_view date_pattern = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]";
constexpr std::string_view time_pattern = "[0-9][0-9]:[0-9][0-9]:[0-9][0-9]*";
constexpr std::size_t date_length = 10;
constexpr std::size_t time_end = 20;  // from here, counted from 1, come fraction and zone

std::string candidates(const NamedColumn& column, const std::string& at_least) {
  const std::string name = sqlite_identifier(column.name);
  std::string sql = may_be_time_sql(name);
  if (at_least.empty()) return sql;
  return fmt::format("{0} AND ({1} >= {2} OR {1} < ',')", sql, name, sqlite_literal(at_least));
}

std::string in_form(const NamedColumn& column, char separator) {
  const std::string name = sqlite_identifier(column.name);
  if (column.type.id == TypeId::date) return fmt::format("{} GLOB '{}'", name, date_pattern);
  const std::string sql =
      fmt::format("{} GLOB '{}{}{}'", name, date_pattern, separator, time_pattern);
  if (column.type.id == TypeId::timestamp) return sql;
  return fmt::format("{} AND substr({}, {}) NOT GLOB '*[+-]*[1-9]*'", sql, name, time_end);
}

const char* advice(Type type) {
  if (type.id == TypeId::date)
    return "Write dates as 2026-01-31, or read them by a query that leaves others out";
  if (type.id == TypeId::timestamp)
    return "Write all as 2026-01-31 12:34:56, or read them by a query: SELECT strftime('%Y-%m-%d "
           "%H:%M:%f', ...)";
  return "Write all in UTC, as in 2026-01-31T12:34:56Z, or read them by a query: SELECT "
         "strftime('%Y-%m-%dT%H:%M:%fZ', ...)";
}

}  // namespace

// A time before the year 0 begins with a minus and lies below all others; one beyond 9999 begins
// with a plus and lies below them too, where it does not belong.
std::string may_be_time_sql(std::string_view column) {
  return fmt::format("typeof({0}) = 'text' AND {0} >= '+' AND {0} < ':'", column);
}

Result<TimeForm> TimeForm::find(SqliteDatabase& database, const NamedColumn& column,
                                const std::string& at_least) {
  TimeForm form(column.type, ' ');
  if (column.type.id == TypeId::date) return form;
  TRANCHE_ASSIGN(auto first, database.prepare(fmt::format(
                                 "SELECT substr({0}, {1}, 1) FROM {2} WHERE {3} AND {0} GLOB "
                                 "'{4}[ T]{5}' LIMIT 1",
                                 sqlite_identifier(column.name), date_length + 1, column.from,
                                 candidates(column, at_least), date_pattern, time_pattern)));
  TRANCHE_ASSIGN(const bool found, first.step());
  if (found) form.separator_ = first.text(0).front();
  return form;
}

Result<void> TimeForm::check(SqliteDatabase& database, const NamedColumn& column,
                             const std::string& at_least) const {
  TRANCHE_ASSIGN(auto others,
                 database.prepare(fmt::format(
                     "SELECT {0} FROM {1} WHERE {2} AND NOT ({3}) AND {0} NOT GLOB '-*'",
                     sqlite_identifier(column.name), column.from, candidates(column, at_least),
                     in_form(column, separator_))));
  while (true) {
    TRANCHE_ASSIGN(const bool more, others.step());
    if (!more) return {};
    if (!is_time(others.text(0))) continue;
    return make_error(ErrorKind::config,
                      fmt::format("Column \"{}\" of {} holds '{}' among times that are written in "
                                  "another form, so its texts do not lie in the order of the "
                                  "times. {}.",
                                  column.name, column.of, excerpt(others.text(0)), advice(type_)));
  }
}

std::string TimeForm::bound(std::int64_t microseconds) const {
  std::array<char, value_text_bytes_max> text;
  std::string bound(text.data(), write_timestamp(text.data(), microseconds));
  if (bound.front() == '+') return ":";  // behind 9999 and before "infinity"
  if (bound.ends_with("T00:00:00")) return bound.substr(0, date_length);
  bound[date_length] = separator_;
  return bound;
}

bool TimeForm::is_time(std::string_view text) const {
  Arena arena;
  std::int64_t value = 0;  // has room for a date, too
  return parse_value(type_, text, &value, arena) == ParseStatus::ok;
}

}  // namespace tranche::sqlite
