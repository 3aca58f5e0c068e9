// The grammar of JSON (RFC 8259) for what simdjson passes over: numbers, literals, nested values.
//
// Threads: pure functions. Lifetime: results point into the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tranche {

enum class JsonlKind : std::uint8_t { null, boolean, number, string, object, array };

struct JsonlToken {
  JsonlKind kind = JsonlKind::null;
  std::string_view text;  // of a string: what it stands for; else as it is written
  bool escaped = false;   // a string whose text lies in the parser's buffer, not in the line
};

bool is_json_number(std::string_view text);

// How deep objects and arrays may lie in each other.
inline constexpr std::size_t json_depth_max = 512;

// What is wrong with a text; nullptr: nothing. UTF-8 is not checked.
struct JsonFault {
  const char* what = nullptr;  // no full stop
  const char* at = nullptr;
};
// Of a text that should be one value, maybe with blanks around it.
JsonFault find_json_fault(std::string_view text);
// The same of the string at the beginning of `text`; what stands behind it is not looked at.
JsonFault find_json_string_fault(std::string_view text);

}  // namespace tranche
