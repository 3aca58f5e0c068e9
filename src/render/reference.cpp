#include "render/reference.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

constexpr std::size_t page_columns = 80;
constexpr std::size_t name_columns = 18;

std::string takes(const Option& option) {
  switch (option.kind) {
    case OptionKind::text:
      return option.choices.empty() ? "text" : "text, such as " + join(option.choices, " ");
    case OptionKind::boolean:
      return "true | false";
    case OptionKind::count:
      return "a whole number";
    case OptionKind::size:
      return "a size, as in 64MiB";
    case OptionKind::duration:
      return "a duration, as in 30s";
    case OptionKind::choice:
      return join(option.choices, " | ");
    case OptionKind::texts:
      return "a text or a list of them";
    case OptionKind::columns:
      return "name: type, or name: { type:, null: error }";
    case OptionKind::map:
    case OptionKind::any:
      return "";
  }
  return "";
}

std::string facts(const Option& option) {
  std::string out = takes(option);
  const auto add = [&out](const std::string& text) { out += (out.empty() ? "" : "; ") + text; };
  if (option.required) add("required");
  if (!option.default_text.empty()) add("default " + option.default_text);
  if (!option.example.empty()) add("as in: " + option.example);
  return out;
}

}  // namespace

std::string render_options(const OptionTable& table, const Look& look, std::size_t indent) {
  std::string out;
  const std::string margin(indent, ' ');
  const std::size_t text_at = indent + name_columns;
  for (const Option& option : table) {
    const std::string name = pad_right(option.name, name_columns);
    out += margin + paint(look, Colour::bold, name);
    if (display_width(name) > name_columns) out += "\n" + std::string(text_at, ' ');
    out += wrap(option.doc, page_columns, text_at) + "\n";
    if (const std::string more = facts(option); !more.empty())
      out += std::string(text_at, ' ') +
             paint(look, Colour::dim, wrap(more, page_columns, text_at)) + "\n";
    if (!option.children.empty()) out += render_options(option.children, look, indent + 2);
  }
  return out;
}

std::string render_connector(const Connector& connector, const Look& look) {
  std::string out = paint(look, Colour::bold, connector.name) + "  " +
                    wrap(connector.summary, page_columns, connector.name.size() + 2) + "\n";
  const auto part = [&](std::string_view title, const OptionTable& table) {
    if (table.empty()) return;
    out += "\n" + paint(look, Colour::bold, title) + "\n" + render_options(table, look);
  };
  part(fmt::format("read: {{ {}: ... }}", connector.name), connector.read_options);
  part(fmt::format("write: {{ {}: ... }}", connector.name), connector.write_options);
  part(fmt::format("execute: {{ {}: ... }}", connector.name), connector.execute_options);
  return out;
}

}  // namespace tranche
