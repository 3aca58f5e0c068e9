// What the sources of all databases do alike with a query of the user's.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace tranche {

// A query that can stand in parentheses: without blanks around it and the semicolon at its end.
std::string without_semicolon(std::string_view query);

}  // namespace tranche
