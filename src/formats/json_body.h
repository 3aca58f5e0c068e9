// The body of an answer as JSON, judged before anybody looks for something in it.
//
// Threads: pure functions. Lifetime: what is given points into the body.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tranche/base/result.h>

namespace tranche {

// Its one value, with search_padding_bytes readable behind it: the body is made longer by them.
// Errors: bad_record, as a sentence part: ", but in something that is not UTF-8".
Result<std::string_view> json_of_body(std::string& body);
// The elements of an array as they are written. REQUIRES JSON that begins with a bracket, and
// search_padding_bytes readable behind it.
std::vector<std::string_view> elements_of_array(std::string_view array);

}  // namespace tranche
