// `incremental:` of tables, which all databases have alike: the column that rises with every
// change, and how far its last values are left to the next run, since who wrote them may not have
// committed yet. A run reads [from, until): from where the last one ended, up to the clock or the
// greatest value, less the lag. Both are values of the column as text; an empty one is no bound.
//
// Threads: value types and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <tranche/core/options.h>
#include <tranche/core/type.h>

namespace tranche {

struct IncrementUse {
  std::string column;
  std::string lag;  // a duration for times, a number for numbers
};

Option increment_option();
std::optional<IncrementUse> read_increment(const OptionReader& options);

// What a database says of the column.
struct IncrementColumn {
  enum class Kind { time, whole_number, other };
  std::string table;  // for people
  std::string type;   // for people
  Kind kind = Kind::other;
};
IncrementColumn::Kind increment_kind(Type type);

// Milliseconds, or how many numbers. Errors: config, when the column is neither a time nor a whole
// number, or the lag does not go with it.
Result<std::int64_t> increment_lag(const IncrementUse& use, const IncrementColumn& column);

// ---- Of databases in a file, whose clock is that of this machine.

// Whose time a value without a zone tells.
enum class LocalTime { utc, machine };
// The clock less the lag, in whole seconds, since there are columns that hold no more: what is
// written in the second that runs is left to the next run. Never before `from`, whatever the clock
// does.
std::string end_of_times(Type type, LocalTime local_time, std::int64_t lag_milliseconds,
                         const std::string& from);
// Behind the greatest number less the lag; never before `from`. `greatest` is empty where there is
// none.
std::string end_of_numbers(const std::string& greatest, std::int64_t lag, const std::string& from);

}  // namespace tranche
