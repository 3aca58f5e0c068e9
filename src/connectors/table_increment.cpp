#include "connectors/table_increment.h"

#include <algorithm>

#include <fmt/format.h>

#include <tranche/core/calendar.h>
#include <tranche/core/value.h>

#include "base/clock.h"
#include "base/text.h"
#include "connectors/time_windows.h"

namespace tranche {
namespace {

constexpr std::int64_t microseconds_of_second = 1'000'000;
constexpr std::int64_t microseconds_of_day = 86'400 * microseconds_of_second;

const OptionTable& increment_options() {
  static const OptionTable table = {
      Option{.name = "column",
             .kind = OptionKind::text,
             .doc = "The column that rises with every change: a time, or a whole number.",
             .required = true,
             .example = "updated_at"},
      Option{.name = "lag",
             .kind = OptionKind::text,
             .doc = "How far the newest values are left to the next run: as long as the longest "
                    "transaction that writes them, or for numbers how many.",
             .default_text = "0",
             .example = "5m"},
  };
  return table;
}

Error wrong_lag(const IncrementUse& use, const IncrementColumn& column, const char* expected) {
  return make_error(ErrorKind::config,
                    fmt::format("lag: {} does not go with column \"{}\", which is {}; {} was "
                                "expected.",
                                use.lag, use.column, column.type, expected));
}

std::string integer_text(Int128 value) {
  std::string text;
  append_value_text(text, Type{TypeId::hugeint}, &value);
  return text;
}

Int128 integer_of(const std::string& text) {
  Int128 value = 0;
  parse_integer(text, value);  // what was written as one
  return value;
}

}  // namespace

Option increment_option() {
  return Option{.name = "incremental",
                .kind = OptionKind::map,
                .doc = "Only records are read that are newer than those of the last completed run.",
                .children = increment_options()};
}

std::optional<IncrementUse> read_increment(const OptionReader& options) {
  const Node* const increment = options.node("incremental");
  if (increment == nullptr) return std::nullopt;
  const OptionReader of_it(*increment, increment_options());
  return IncrementUse{of_it.text("column"), of_it.text("lag")};
}

IncrementColumn::Kind increment_kind(Type type) {
  switch (type.id) {
    case TypeId::date:
    case TypeId::timestamp:
    case TypeId::timestamptz:
      return IncrementColumn::Kind::time;
    case TypeId::real:
    case TypeId::double_:
    case TypeId::decimal:
      return IncrementColumn::Kind::other;
    default:
      return is_numeric(type) ? IncrementColumn::Kind::whole_number : IncrementColumn::Kind::other;
  }
}

Result<std::int64_t> increment_lag(const IncrementUse& use, const IncrementColumn& column) {
  if (column.kind == IncrementColumn::Kind::time) {
    if (use.lag == "0") return 0;
    const auto lag = parse_duration(use.lag);
    if (!lag) return wrong_lag(use, column, "a duration such as 5m");
    return lag->count();
  }
  if (column.kind == IncrementColumn::Kind::whole_number) {
    std::int64_t lag = 0;
    if (parse_integer(use.lag, lag) != ParseStatus::ok || lag < 0)
      return wrong_lag(use, column, "a number such as 1000");
    return lag;
  }
  return make_error(
      ErrorKind::config,
      fmt::format("Column \"{}\" of {} is {}; incremental needs a column of times, or "
                  "of whole numbers, that rises with every change.",
                  use.column, column.table, column.type));
}

std::string end_of_times(Type type, LocalTime local_time, std::int64_t lag_milliseconds,
                         const std::string& from) {
  const bool is_instant = type.id == TypeId::timestamptz || local_time == LocalTime::utc;
  const std::int64_t utc = system_clock().now_microseconds();
  const std::int64_t now = is_instant ? utc : local_microseconds(utc);
  std::int64_t end = (now / 1000 - std::min(lag_milliseconds, now / 1000)) * 1000;
  end -= end % microseconds_of_second;
  if (!from.empty()) end = std::max(end, time_of_text(from, type));
  std::string text;
  if (type.id == TypeId::date) {
    const auto days = static_cast<std::int32_t>(end / microseconds_of_day);
    append_value_text(text, type, &days);
  } else {
    append_value_text(text, type, &end);
  }
  return text;
}

std::string end_of_numbers(const std::string& greatest, std::int64_t lag, const std::string& from) {
  if (greatest.empty()) return from;
  Int128 end = integer_of(greatest);
  if (__builtin_add_overflow(end, Int128{1} - lag, &end)) return greatest;
  return integer_text(from.empty() ? end : std::max(end, integer_of(from)));
}

}  // namespace tranche
