// A parameter of a job with its value for one run: typed in SQL ($day), text elsewhere (${day}).
// Threads: a value type.
#pragma once

#include <string>

#include <tranche/core/type.h>

namespace tranche {

struct Parameter {
  std::string name;
  Type type;
  std::string text;      // canonical: ISO 8601 dates, plain numbers, "true"
  bool is_null = false;
  bool operator==(const Parameter&) const = default;
};

// Checks `text` against the type and writes it canonically. Errors: usage, naming parameter and
// type.
Result<Parameter> make_parameter(std::string name, Type type, std::string_view text);

}  // namespace tranche
