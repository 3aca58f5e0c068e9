#include <tranche/core/schema.h>

#include "base/text.h"

namespace tranche {

std::optional<std::size_t> Schema::find(std::string_view name) const {
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (fields[i].name == name) return i;
  const std::string wanted = to_lower(name);
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (to_lower(fields[i].name) == wanted) return i;
  return std::nullopt;
}

std::vector<std::string> Schema::names() const {
  std::vector<std::string> names;
  names.reserve(fields.size());
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

std::string to_string(const Schema& schema) {
  std::string text;
  for (const Field& field : schema.fields) {
    if (!text.empty()) text += ", ";
    text += field.name + ' ' + to_string(field.type);
    if (field.required) text += " not null";
  }
  return text;
}

}  // namespace tranche
