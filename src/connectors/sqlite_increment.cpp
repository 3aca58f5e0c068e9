#include "connectors/sqlite_increment.h"

#include <chrono>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "connectors/time_windows.h"

namespace tranche::sqlite {
namespace {

// A text below which no time lies that is not before `from`, however it is written: zones are less
// than a day apart.
std::string text_before(const std::string& from, Type type) {
  if (from.empty()) return "";
  const std::int64_t day = std::chrono::microseconds(std::chrono::days(1)).count();
  const std::int64_t before = time_of_text(from, type) - day;
  std::string text;
  append_value_text(text, Type{TypeId::timestamp}, &before);
  return text.substr(0, text.find('T'));
}

}  // namespace

Result<std::string> increment_end(SqliteDatabase& database, const NamedColumn& column,
                                  const IncrementUse& use, const std::string& from) {
  const auto kind = increment_kind(column.type);
  TRANCHE_ASSIGN(const std::int64_t lag,
                 increment_lag(use, IncrementColumn{column.of, to_string(column.type), kind}));
  if (kind == IncrementColumn::Kind::time) {
    const std::string at_least = text_before(from, column.type);
    TRANCHE_ASSIGN(const TimeForm form, TimeForm::find(database, column, at_least));
    TRANCHE_TRY(form.check(database, column, at_least));
    return end_of_times(column.type, LocalTime::utc, lag, from);
  }
  const std::string name = sqlite_identifier(column.name);
  TRANCHE_ASSIGN(auto greatest,
                 database.prepare(fmt::format("SELECT max({0}) FROM {1} WHERE typeof({0}) = "
                                              "'integer'",
                                              name, column.from)));
  TRANCHE_TRY(greatest.step());
  return end_of_numbers(greatest.is_null(0) ? "" : greatest.string(0), lag, from);
}

Result<std::string> increment_condition(SqliteDatabase& database, const NamedColumn& column,
                                        const std::string& from, const std::string& until) {
  if (until.empty()) return std::string("false");
  std::string lower = from;
  std::string upper = until;
  if (increment_kind(column.type) == IncrementColumn::Kind::time) {
    TRANCHE_ASSIGN(const TimeForm form,
                   TimeForm::find(database, column, text_before(from, column.type)));
    for (std::string* bound : {&lower, &upper}) {
      if (!bound->empty()) *bound = sqlite_literal(form.bound(time_of_text(*bound, column.type)));
    }
  }
  const std::string name = sqlite_identifier(column.name);
  const std::string below = fmt::format("{} < {}", name, upper);
  return lower.empty() ? below : fmt::format("{} AND {} >= {}", below, name, lower);
}

}  // namespace tranche::sqlite
