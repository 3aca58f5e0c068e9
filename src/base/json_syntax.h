// The grammar of JSON (RFC 8259), judged strictly, and its strings.
//
// Threads: pure functions. Lifetime: results point into the text.
#pragma once

#include <cstddef>
#include <string_view>

namespace tranche {

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
// Writes what the inside of a string stands for, and returns the end. REQUIRES a string without a
// fault, and room for as many bytes as it has.
char* unescape_json(std::string_view inside, char* out);

}  // namespace tranche
