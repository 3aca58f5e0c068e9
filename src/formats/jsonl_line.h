// One line of JSON -> the members of its object, by simdjson's On-Demand parser (simdjson.org;
// Keiser and Lemire, "On-Demand JSON: A Better Way to Parse Documents?"). What that parser skips
// without judging it, scalars and nested values, is judged here: whatever comes out well is strict
// JSON (RFC 8259) from the first byte to the last.
//
// Threads: a JsonlLine belongs to one thread. Lifetime: texts of members point into the line, those
// with escapes into a buffer that the next line overwrites.
#pragma once

#include <simdjson.h>

#include <cstring>
#include <string>
#include <string_view>

#include "formats/byte_search.h"
#include "formats/jsonl_syntax.h"

namespace tranche {

static_assert(search_padding_bytes >= simdjson::SIMDJSON_PADDING);

// The name of a member, as it stands in the line.
class JsonlKey {
 public:
  explicit JsonlKey(simdjson::ondemand::raw_json_string raw) : raw_(raw) {}
  // Whether it is `name` without an escape. REQUIRES of `name` that it has nothing that JSON
  // escapes, and fewer than search_padding_bytes bytes.
  bool is(std::string_view name) const {
    return std::memcmp(raw_.raw(), name.data(), name.size()) == 0 && raw_.raw()[name.size()] == '"';
  }

 private:
  simdjson::ondemand::raw_json_string raw_;
};

class JsonlLine {
 public:
  // Calls, for each member, visitor.expects(JsonlKey) -> bool; where that is false,
  // visitor.find(std::string_view name) -> bool; then visitor.take(JsonlToken) -> bool. When find
  // or take says false, reading ends. True: all of the line is one JSON object, and nobody
  // refused. False: error() says what is wrong with the line, or is empty when the visitor refused.
  // REQUIRES search_padding_bytes readable behind the line.
  template <class Visitor>
  bool read(const char* begin, std::size_t bytes, Visitor& visitor);

  const std::string& error() const { return error_; }
  // Where the error is, in bytes from the beginning of the line.
  std::size_t error_at() const { return error_at_; }

 private:
  using Document = simdjson::ondemand::document;
  bool fail(simdjson::error_code code);
  bool fail_at(const char* at, std::string_view what);
  bool open(Document& document, simdjson::ondemand::object& object);
  bool name_of(simdjson::ondemand::field& field, std::string_view& name);
  bool token_of(simdjson::ondemand::value value, JsonlToken& token);
  bool nested_of(simdjson::ondemand::value value, JsonlToken& token);
  bool check_end(Document& document);

  simdjson::ondemand::parser parser_;
  const char* begin_ = nullptr;
  std::size_t bytes_ = 0;
  std::string error_;
  std::size_t error_at_ = 0;
};

template <class Visitor>
bool JsonlLine::read(const char* begin, std::size_t bytes, Visitor& visitor) {
  begin_ = begin;
  bytes_ = bytes;
  error_.clear();
  Document document;
  simdjson::ondemand::object object;
  if (!open(document, object)) return false;
  for (simdjson::simdjson_result<simdjson::ondemand::field> result : object) {
    simdjson::ondemand::field field;
    if (const auto code = std::move(result).get(field)) return fail(code);
    if (!visitor.expects(JsonlKey(field.key()))) {
      std::string_view name;
      if (!name_of(field, name) || !visitor.find(name)) return false;
    }
    JsonlToken token;
    if (!token_of(field.value(), token) || !visitor.take(token)) return false;
  }
  return check_end(document);
}

}  // namespace tranche
