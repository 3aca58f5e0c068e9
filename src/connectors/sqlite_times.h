// Times in SQLite, which has no type for them: texts such as 2026-01-31 12:34:56. A column of them
// can be cut into windows, and read from a time on, where its texts lie in the order of the times;
// so an index serves both. They do where all are in UTC, or all without a zone, and have one
// separator (a blank or a T) between date and time.
//
// Threads: pure functions of a database that belongs to the caller's thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tranche/base/result.h>
#include <tranche/core/type.h>

#include "drivers/sqlite.h"

namespace tranche::sqlite {

// A condition that all times fulfil but the infinite ones. `column`: quoted.
std::string may_be_time_sql(std::string_view column);

// A column of a table or query, and what it is read as.
struct NamedColumn {
  std::string from;  // behind FROM
  std::string name;  // as people know it
  std::string of;    // the table, for people
  Type type;
};

// How the times of a column are written.
class TimeForm {
 public:
  // By one of the values of a column of dates, timestamps or timestamptzs. `at_least`: a text below
  // which nothing matters; empty: all does.
  static Result<TimeForm> find(SqliteDatabase& database, const NamedColumn& column,
                               const std::string& at_least);
  // Errors: config, when a value is a time and written otherwise, so that it is out of order. What
  // is no time at all may lie where it will. Goes over all that matters.
  Result<void> check(SqliteDatabase& database, const NamedColumn& column,
                     const std::string& at_least) const;

  // A text, the shortest, such that exactly the times before `microseconds` lie below it.
  // REQUIRES whole seconds, of a date a midnight, of the year 0 or later.
  std::string bound(std::int64_t microseconds) const;
  bool is_time(std::string_view text) const;
  Type type() const { return type_; }

 private:
  TimeForm(Type type, char separator) : type_(type), separator_(separator) {}
  Type type_;
  char separator_;
};

}  // namespace tranche::sqlite
