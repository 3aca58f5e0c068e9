// A value of JSON -> a value of a column.
//
// Numbers go to numbers from their own text, never through a double unless the column is one.
// Strings go to dates, times, timestamps, UUIDs, decimals and, as hexadecimal digits, to blobs; in
// a float column only the words for what is no number (nan, inf, -inf). A varchar takes any value:
// a string as what it stands for, everything else as it is written. A json takes any value as it is
// written. Lists and structs are not for here: they have columns of their own.
//
// Threads: pure functions. Lifetime: strings point into the token's text or into the arena.
#pragma once

#include <string>

#include <tranche/core/page.h>
#include <tranche/core/value.h>

#include "formats/json_text.h"

namespace tranche {

enum class JsonlStatus : std::uint8_t {
  ok,
  wrong_kind,    // a string where a number belongs, ...
  malformed,     // those of ParseStatus
  out_of_range,
  too_precise,
};

struct JsonlToken {
  JsonKind kind = JsonKind::null;
  std::string_view text;  // of a string: what it stands for; else as it is written
};

// Converts a token that is not null. `out` has room for a value of the column's type.
// REQUIRES of json that the text is that of the file, quotes included.
JsonlStatus convert_json(Type type, const JsonlToken& token, void* out, Arena& arena);
// What is wrong, for a person; no full stop. REQUIRES a status that is not ok.
std::string describe_json(JsonlStatus status, Type type, const JsonlToken& token);

}  // namespace tranche
