// What the values of options mean: one reading, used by the check and by whoever takes the values.
//
// Threads: pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tranche/core/options.h>

namespace tranche::option_value {

// Digits alone; nullopt for anything else, or for what 64 bits do not hold.
std::optional<std::uint64_t> parse_count(std::string_view text);

// The keys of a column that is written as a map: type, null.
const OptionTable& column_options();

// A column of `columns:`, written as a type or as a map. Errors: config, naming the column.
Result<Field> parse_field(const std::string& name, const Node& value);

// A choice that has "null" among its words is given it by a null too: YAML makes one of that word.
bool takes_null(const Option& option);

}  // namespace tranche::option_value
