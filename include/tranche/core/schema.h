// The columns of a source, a transform's result or a sink: names and types, in order.
// Threads: a value type; shared as std::shared_ptr<const Schema> once made.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/type.h>

namespace tranche {

struct Field {
  std::string name;
  Type type;
  bool required = false;  // a null is an error of its record
  bool operator==(const Field&) const = default;
};

struct Schema {
  std::vector<Field> fields;
  std::optional<std::size_t> find(std::string_view name) const;  // exact, then ignoring ASCII case
  std::vector<std::string> names() const;
  bool operator==(const Schema&) const = default;
};

using SchemaPtr = std::shared_ptr<const Schema>;

std::string to_string(const Schema& schema);  // "id bigint, name varchar not null"

}  // namespace tranche
