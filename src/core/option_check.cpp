// Checks what a job says against a table of options, and says what is wrong in sentences.
#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include <tranche/core/options.h>
#include "base/text.h"
#include "core/option_value.h"

namespace tranche {
namespace {

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "empty";
    case Node::Kind::scalar:
      return fmt::format("\"{}\"", excerpt(node.text));
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      return "a map";
  }
  return {};
}

std::string expected_of(const Option& option) {
  switch (option.kind) {
    case OptionKind::text:
      return "a single value";
    case OptionKind::boolean:
      return "true or false";
    case OptionKind::count:
      return "a whole number that is not negative";
    case OptionKind::size:
      return "a size in bytes with a unit";
    case OptionKind::duration:
      return "a duration with a unit (ms, s, m, h, d)";
    case OptionKind::choice:
      return "one of " + join(option.choices, ", ");
    case OptionKind::texts:
      return "a value or a list of values";
    case OptionKind::columns:
      return "a map of column names to types";
    case OptionKind::map:
      return "a map";
    case OptionKind::any:
      return "a value";
  }
  return {};
}

std::string example_of(const Option& option) {
  if (!option.example.empty()) return option.example;
  if (!option.default_text.empty()) return option.default_text;
  switch (option.kind) {
    case OptionKind::text:
      return "text";
    case OptionKind::boolean:
      return "true";
    case OptionKind::count:
      return "1000";
    case OptionKind::size:
      return "64MiB";
    case OptionKind::duration:
      return "30s";
    case OptionKind::choice:
      return option.choices.empty() ? "" : option.choices.front();
    case OptionKind::texts:
      return "[a, b]";
    case OptionKind::columns:
      return "{ id: bigint, name: varchar }";
    case OptionKind::map:
      return option.children.empty() ? "{}"
                                     : fmt::format("{{ {}: {} }}", option.children.front().name,
                                                   example_of(option.children.front()));
    case OptionKind::any:
      return {};
  }
  return {};
}

// An example may show the key already ("mode: append").
std::string example_line(const Option& option) {
  const std::string example = example_of(option);
  if (example.empty() || example.starts_with(option.name + ":")) return example;
  return option.name + ": " + example;
}

std::string keys_of(const OptionTable& table) {
  std::vector<std::string> names;
  for (const Option& option : table) names.push_back(option.name);
  return join(names, ", ");
}

std::string unknown_key(std::string_view key, std::string_view what, const OptionTable& table) {
  std::vector<std::string> names;
  for (const Option& option : table) names.push_back(option.name);
  const std::optional<std::string> near = nearest(key, names);
  if (near)
    return fmt::format("Unknown key \"{}\" in {}; did you mean \"{}\"?", excerpt(key), what, *near);
  if (names.empty())
    return fmt::format("Unknown key \"{}\" in {}, which takes no keys.", excerpt(key), what);
  return fmt::format("Unknown key \"{}\" in {}; it takes {}.", excerpt(key), what, keys_of(table));
}

// Problems of one map: what it is called and where they go.
class Checker {
 public:
  Checker(std::string_view what, Problems& problems) : what_(what), problems_(problems) {}

  void check_map(const Node& node, const OptionTable& table) {
    std::set<std::string_view> seen;
    for (const Node::Entry& entry : node.entries) {
      if (!seen.insert(entry.key).second) {
        report(entry.mark, fmt::format("Key \"{}\" is given twice in {}; keep one of them.",
                                       excerpt(entry.key), what_));
        continue;
      }
      const auto option = std::find_if(table.begin(), table.end(), [&](const Option& candidate) {
        return candidate.name == entry.key;
      });
      if (option == table.end())
        report(entry.mark, unknown_key(entry.key, what_, table));
      else
        check_value(*option, entry.value, entry.mark);
    }
    for (const Option& option : table)
      if (option.required && node.find(option.name) == nullptr)
        report(node.mark,
               fmt::format("Key \"{}\" is missing in {}; expected {}, for example {}.", option.name,
                           what_, expected_of(option), example_line(option)));
  }

 private:
  void report(Mark mark, std::string message) { problems_.push_back({mark, std::move(message)}); }

  void check_value(const Option& option, const Node& value, Mark key_mark) {
    const Mark mark = value.mark.line != 0 ? value.mark : key_mark;
    switch (option.kind) {
      case OptionKind::any:
        return;
      case OptionKind::map:
        if (value.kind != Node::Kind::map) return mismatch(option, value, mark);
        check_options(value, option.children, fmt::format("{} of {}", option.name, what_),
                      problems_);
        return;
      case OptionKind::columns:
        if (value.kind != Node::Kind::map || value.entries.empty())
          return mismatch(option, value, mark);
        return check_columns(value);
      case OptionKind::texts:
        if (has_null_item(value)) return null_item(option, value, mark);
        if (!is_texts(value)) return mismatch(option, value, mark);
        if (value.kind == Node::Kind::scalar) return check_text(option, value, mark);
        for (const Node& item : value.items) check_text(option, item, mark);
        return;
      default:
        if (value.is_null() && option_value::takes_null(option)) return;
        if (value.kind != Node::Kind::scalar || !is_of_kind(option, value.text))
          return mismatch(option, value, mark);
        check_text(option, value, mark);
    }
  }

  void check_text(const Option& option, const Node& value, Mark mark) {
    if (option.fault_of == nullptr) return;
    std::string fault = option.fault_of(value.text);
    if (fault.empty()) return;
    report(value.mark.line != 0 ? value.mark : mark,
           fmt::format("Key \"{}\" in {}: {}", option.name, what_, fault));
  }

  static bool has_null_item(const Node& value) {
    return value.kind == Node::Kind::list &&
           std::any_of(value.items.begin(), value.items.end(),
                       [](const Node& item) { return item.is_null(); });
  }

  // A word that YAML itself takes for nothing.
  void null_item(const Option& option, const Node& value, Mark mark) {
    for (const Node& item : value.items) {
      if (!item.is_null()) continue;
      report(item.mark.line != 0 ? item.mark : mark,
             fmt::format(
                 "An item of \"{}\" in {} is {}; put it in quotes where the text is meant: "
                 "\"{}\".",
                 option.name, what_,
                 item.text.empty() ? "empty" : fmt::format("{}, which is YAML's null", item.text),
                 item.text));
    }
  }

  static bool is_texts(const Node& value) {
    if (value.kind == Node::Kind::scalar) return true;
    const auto is_scalar = [](const Node& item) { return item.kind == Node::Kind::scalar; };
    return value.kind == Node::Kind::list && !value.items.empty() &&
           std::all_of(value.items.begin(), value.items.end(), is_scalar);
  }

  static bool is_of_kind(const Option& option, std::string_view text) {
    switch (option.kind) {
      case OptionKind::boolean:
        return text == "true" || text == "false";
      case OptionKind::count:
        return option_value::parse_count(text).has_value();
      case OptionKind::size:
        return parse_size(text).has_value();
      case OptionKind::duration:
        return parse_duration(text).has_value();
      case OptionKind::choice:
        return std::find(option.choices.begin(), option.choices.end(), text) !=
               option.choices.end();
      default:
        return true;
    }
  }

  void mismatch(const Option& option, const Node& value, Mark mark) {
    std::string written = describe(value);
    if (value.kind == Node::Kind::list || value.kind == Node::Kind::map)
      written += value.items.empty() && value.entries.empty() ? " without entries" : "";
    if (option.kind == OptionKind::choice && value.kind == Node::Kind::scalar) {
      if (const auto near = nearest(value.text, option.choices)) {
        return report(mark, fmt::format("Key \"{}\" in {} is {}; expected {}; did you mean \"{}\"?",
                                        option.name, what_, written, expected_of(option), *near));
      }
    }
    report(mark, fmt::format("Key \"{}\" in {} is {}; expected {}, for example {}.", option.name,
                             what_, written, expected_of(option), example_line(option)));
  }

  void check_columns(const Node& columns) {
    std::set<std::string> seen;
    for (const Node::Entry& column : columns.entries) {
      // SQL does not tell names apart by case, so columns that differ in it alone can't be named.
      if (!seen.insert(to_lower(column.key)).second)
        report(column.mark, fmt::format("Column \"{}\" is given twice in {}; keep one of them.",
                                        excerpt(column.key), what_));
      check_column(column);
    }
  }

  void check_column(const Node::Entry& column) {
    const Result<Field> field = option_value::parse_field(column.key, column.value);
    if (field) return;
    if (column.value.kind != Node::Kind::map)
      return report(column.value.mark.line != 0 ? column.value.mark : column.mark,
                    field.error().message);
    // Inside a map each key has a place of its own.
    const std::size_t before = problems_.size();
    check_options(column.value, option_value::column_options(),
                  fmt::format("column \"{}\"", excerpt(column.key)), problems_);
    if (problems_.size() != before) return;
    const Node* type = column.value.find("type");
    report(type->mark.line != 0 ? type->mark : column.mark, field.error().message);
  }

  std::string what_;
  Problems& problems_;
};

}  // namespace

void check_options(const Node& node, const OptionTable& table, std::string_view what,
                   Problems& problems) {
  if (node.kind == Node::Kind::scalar || node.kind == Node::Kind::list) {
    problems.push_back({node.mark, fmt::format("Expected a map of options for {}, found {}; it "
                                               "takes {}.",
                                               what, describe(node), keys_of(table))});
    return;
  }
  Checker(what, problems).check_map(node, table);
}

}  // namespace tranche
