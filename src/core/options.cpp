#include <tranche/core/options.h>

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "base/text.h"
#include "core/option_value.h"

namespace tranche {
namespace option_value {

std::optional<std::uint64_t> parse_count(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    if (__builtin_mul_overflow(value, std::uint64_t{10}, &value) ||
        __builtin_add_overflow(value, static_cast<std::uint64_t>(c - '0'), &value))
      return std::nullopt;
  }
  return value;
}

const OptionTable& column_options() {
  static const OptionTable table{
      Option{.name = "type",
             .kind = OptionKind::text,
             .doc = "The column's type, named as in SQL.",
             .default_text = {},
             .choices = {},
             .children = {},
             .required = true,
             .example = "decimal(12,2)"},
      Option{.name = "null",
             .kind = OptionKind::choice,
             .doc = "What a missing value is: ok, or an error that rejects its record.",
             .default_text = "ok",
             .choices = {"ok", "error"},
             .children = {},
             .required = false,
             .example = "error"},
  };
  return table;
}

Result<Field> parse_field(const std::string& name, const Node& value) {
  const Node* type = value.kind == Node::Kind::map ? value.find("type") : &value;
  if (type == nullptr || type->kind != Node::Kind::scalar)
    return make_error(ErrorKind::config,
                      fmt::format("Column \"{}\" has no type; write it like {}: bigint, or {}: {{ "
                                  "type: bigint, null: error }}.",
                                  excerpt(name), excerpt(name), excerpt(name)));
  Result<Type> parsed = parse_type(type->text);
  if (!parsed)
    return make_error(ErrorKind::config,
                      fmt::format("Column \"{}\": {}", excerpt(name), parsed.error().message));
  Field field{name, *parsed, false};
  if (value.kind != Node::Kind::map) return field;
  Problems problems;
  check_options(value, column_options(), fmt::format("column \"{}\"", excerpt(name)), problems);
  if (!problems.empty()) return make_error(ErrorKind::config, problems.front().message);
  field.required = OptionReader(value, column_options()).text("null") == "error";
  return field;
}

bool takes_null(const Option& option) {
  return option.kind == OptionKind::choice &&
         std::find(option.choices.begin(), option.choices.end(), "null") != option.choices.end();
}

}  // namespace option_value

bool OptionReader::has(std::string_view name) const { return node(name) != nullptr; }

const Node* OptionReader::node(std::string_view name) const {
  const Node* found = node_.find(name);
  return found == nullptr || found->is_null() ? nullptr : found;
}

std::string OptionReader::text_or_default(std::string_view name) const {
  if (const Node* given = node(name)) return given->text;
  const auto option = std::find_if(table_.begin(), table_.end(),
                                   [&](const Option& candidate) { return candidate.name == name; });
  assert(option != table_.end());
  if (option == table_.end()) return {};
  if (option_value::takes_null(*option) && node_.find(name) != nullptr) return "null";
  return option->default_text;
}

std::string OptionReader::text(std::string_view name) const { return text_or_default(name); }

bool OptionReader::boolean(std::string_view name) const { return text_or_default(name) == "true"; }

std::uint64_t OptionReader::count(std::string_view name) const {
  return option_value::parse_count(text_or_default(name)).value_or(0);
}

std::uint64_t OptionReader::size(std::string_view name) const {
  return parse_size(text_or_default(name)).value_or(0);
}

std::chrono::milliseconds OptionReader::duration(std::string_view name) const {
  return parse_duration(text_or_default(name)).value_or(std::chrono::milliseconds{0});
}

std::vector<std::string> OptionReader::texts(std::string_view name) const {
  std::vector<std::string> texts;
  const Node* given = node(name);
  if (given != nullptr && given->kind == Node::Kind::list) {
    for (const Node& item : given->items) texts.push_back(item.text);
    return texts;
  }
  std::string text = text_or_default(name);
  if (given != nullptr || !text.empty()) texts.push_back(std::move(text));
  return texts;
}

Schema OptionReader::columns(std::string_view name) const {
  Schema schema;
  const Node* given = node(name);
  if (given == nullptr) return schema;
  for (const Node::Entry& column : given->entries) {
    Result<Field> field = option_value::parse_field(column.key, column.value);
    assert(field);
    if (field) schema.fields.push_back(std::move(*field));
  }
  return schema;
}

Mark OptionReader::mark(std::string_view name) const {
  const Node* found = node_.find(name);
  return found != nullptr && found->mark.line != 0 ? found->mark : node_.mark;
}

}  // namespace tranche
