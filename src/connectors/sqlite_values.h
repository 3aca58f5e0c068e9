// Values that SQLite stores, as values of columns: what a type can't hold exactly is refused, since
// a column of SQLite may hold anything, whatever it was declared as.
//
// Threads: pure functions of a statement that belongs to the caller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tranche/core/page.h>
#include <tranche/core/type.h>

#include "drivers/sqlite.h"

namespace tranche::sqlite {

// The type of a column declared so: by name where it is one of ours (DATE, DECIMAL(12,2), BOOLEAN),
// else by SQLite's rules of affinity. nullopt: declared without a type, so that only its values
// tell.
std::optional<Type> type_of_declaration(std::string_view declared);

// How the values of a column are taken.
enum class Taken : std::uint8_t {
  as_typed,  // only what the type holds
  as_text,   // numbers are their text, too; REQUIRES a varchar
  literal,   // everything is its literal (sqlite_literals.h); REQUIRES a varchar
};

// Puts the value of column `at` of the statement's row into row `row` of the column; false when the
// type can't hold it. REQUIRES room; nothing is kept of what the row held before.
bool take_value(const SqliteStatement& from, int at, Column& to, std::size_t row, Arena& arena,
                Taken taken = Taken::as_typed);

// "the text 'abc'", "the number 1.5", "null"; shortened.
std::string describe_value(const SqliteStatement& from, int at);
// All columns of the statement's row as one JSON object; blobs, and text that is no UTF-8, in
// hexadecimal. `columns`: how many.
std::string row_as_json(const SqliteStatement& from, int columns);

}  // namespace tranche::sqlite
