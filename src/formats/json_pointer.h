// A JSON Pointer (RFC 6901): where in a text of JSON a value stands.
//
// Threads: a value type. Lifetime: what is found points into the text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/base/result.h>

namespace tranche {

class JsonPointer {
 public:
  JsonPointer() = default;  // to all of it
  // To a member of an object, whatever its name holds.
  static JsonPointer to_member(std::string name);
  // "/a/b/0"; "": all of it. Errors: config, for what is none.
  static Result<JsonPointer> parse(std::string_view text);

  // The value as it is written; nullopt: there is none. Errors: bad_record, for a key on the way
  // that stands there twice. REQUIRES JSON, and search_padding_bytes readable behind it.
  Result<std::optional<std::string_view>> find(std::string_view json) const;
  std::string text() const;

 private:
  std::vector<std::string> steps_;
};

}  // namespace tranche
