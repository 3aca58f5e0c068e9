// Values of SQLite as the literals of its SQL, which keep a value's storage class: 5, 2.0, '5',
// x'00ff', and CAST(x'ff' AS TEXT) of text that is no UTF-8 or holds a zero byte. The same value
// always has the same literal.
//
// Threads: pure functions of what belongs to the caller.
#pragma once

#include <string>
#include <string_view>

#include "drivers/sqlite.h"

namespace tranche::sqlite {

// Appends the literal of column `at` of the statement's row. REQUIRES that it is not null.
void append_literal(std::string& to, const SqliteStatement& from, int at);

// Binds what the literal says; false when it is none. `buffer` holds its bytes until the statement
// is stepped.
bool bind_literal(SqliteStatement& to, int parameter, std::string_view literal,
                  std::string& buffer);

}  // namespace tranche::sqlite
