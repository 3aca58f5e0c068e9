// Keys of SQLite's tables: their text in a plan, the ranges of them in SQL, and the walk over them.
//
// Threads: a KeyWalk belongs to the thread of its database. Lifetime: the database outlives it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <tranche/core/calendar.h>

#include "connectors/key_ranges.h"
#include "connectors/sqlite_times.h"
#include "drivers/sqlite.h"

namespace tranche::sqlite {

// What is read, in pieces of SQL.
struct ReadShape {
  std::string from;        // the table's name, quoted, or the query in parentheses
  std::string columns;     // what is selected of it
  std::string rowid;       // by which a row can be named; empty: none
  std::string key;         // quoted
  std::string tie_breaks;  // behind the key in ORDER BY, with a comma in front; may be empty
  bool is_unique = false;  // no two records have one key
  std::string filter;      // a condition on all records; empty: none
};

// A value of any kind, as text that is read back as the same value: 17, 1.5, 'text, x6162.
std::string key_text(const SqliteStatement& from, int column);
// Binds one to a parameter. Errors: failed, when the text is none.
Result<void> bind_key(SqliteStatement& statement, int parameter, std::string_view text);

// " WHERE ..." for the range, with ? for its bounds; and what is bound to them, from parameter 1.
std::string where_sql(const ReadShape& shape, const KeyRange& range);
Result<void> bind_range(SqliteStatement& statement, const KeyRange& range);

// Walks over the keys from `begin` on; nullopt: there is nothing more. `times`: the key's, where
// windows of it are cut; a value that is none stays with its neighbours in the order of the keys.
std::unique_ptr<KeyCursor> walk_keys(SqliteDatabase& database, ReadShape shape,
                                     std::optional<KeyRange> begin, std::optional<TimeForm> times);
// Where the window of such a key ends, as a key.
WindowEnd window_end_of(const TimeForm& times, const Calendar& calendar);

}  // namespace tranche::sqlite
