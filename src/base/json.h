// A small JSON document: what the ledger, manifests, summaries and reject lines are made of.
// Objects keep their order of insertion, so that equal content gives equal bytes.
// Threads: a value type. Only json.cpp includes the JSON library (slow to compile).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <tranche/base/result.h>

namespace tranche {

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  Json() : held_(nullptr) {}
  Json(std::nullptr_t) : held_(nullptr) {}                      // NOLINT(implicit)
  Json(bool value) : held_(value) {}                            // NOLINT(implicit)
  Json(int value) : held_(std::int64_t{value}) {}               // NOLINT(implicit)
  Json(std::int64_t value) : held_(value) {}                    // NOLINT(implicit)
  Json(std::uint64_t value) : held_(value) {}                   // NOLINT(implicit)
  Json(std::uint32_t value) : held_(std::uint64_t{value}) {}    // NOLINT(implicit)
  Json(double value) : held_(value) {}                          // NOLINT(implicit)
  Json(const char* value) : held_(std::string(value)) {}        // NOLINT(implicit)
  Json(std::string value) : held_(std::move(value)) {}          // NOLINT(implicit)
  Json(std::string_view value) : held_(std::string(value)) {}   // NOLINT(implicit)
  Json(Array value) : held_(std::move(value)) {}                // NOLINT(implicit)
  Json(Object value) : held_(std::move(value)) {}               // NOLINT(implicit)

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(held_); }
  bool is_object() const { return std::holds_alternative<Object>(held_); }
  bool is_array() const { return std::holds_alternative<Array>(held_); }
  bool is_string() const { return std::holds_alternative<std::string>(held_); }
  bool is_bool() const { return std::holds_alternative<bool>(held_); }

  // The value, or the fallback when it is of another kind.
  bool boolean(bool fallback = false) const;
  std::int64_t integer(std::int64_t fallback = 0) const;
  std::uint64_t natural(std::uint64_t fallback = 0) const;
  double number(double fallback = 0) const;
  const std::string& text() const;  // empty when it is no string
  const Array& items() const;       // empty when it is no array
  const Object& entries() const;    // empty when it is no object

  // The member `key`, or a null. REQUIRES nothing of the kind.
  const Json& operator[](std::string_view key) const;
  // Sets a member of an object: in its place when it has the key, else at the end. Returns *this.
  // REQUIRES an object, or a null, which becomes one.
  Json& set(std::string key, Json value);
  // Appends an element. Returns *this. REQUIRES an array, or a null, which becomes one.
  Json& push(Json value);
  // As set, without looking for the key. REQUIRES an object that does not have it.
  Json& append_member(std::string key, Json value);

  // Calls `visitor` with the value: nullptr_t, bool, int64_t, uint64_t, double, string, Array or
  // Object.
  template <class Visitor>
  decltype(auto) visit(Visitor&& visitor) const {
    return std::visit(std::forward<Visitor>(visitor), held_);
  }

  // `indent` < 0: one line without spaces. Bytes that are not UTF-8 become U+FFFD; a double that is
  // no number becomes null; all others are read back as the same double.
  std::string dump(int indent = -1) const;
  // Errors: failed, with the byte offset. Beside what is no JSON, it refuses what it would have to
  // guess at: a key that comes twice, an integer beyond 64 bits.
  static Result<Json> parse(std::string_view text);

 private:
  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array,
               Object>
      held_;
};

// Appends `text` to `out` as a JSON string with its quotes. REQUIRES valid UTF-8.
void append_json_string(std::string& out, std::string_view text);

}  // namespace tranche
