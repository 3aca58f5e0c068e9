#include "jobfile/parameters.h"

#include <cstdlib>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "api/step_values.h"
#include "base/text.h"
#include "jobfile/tables.h"

namespace tranche {
namespace {

using Given = std::span<const std::pair<std::string, std::string>>;

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 64 || (text[0] >= '0' && text[0] <= '9')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  const std::optional<std::string> near = nearest(word, candidates);
  return near ? fmt::format("; did you mean \"{}\"?", *near) : std::string();
}

// A value of the type that stands in where none was given.
std::string sample_text(Type type) {
  switch (type.id) {
    case TypeId::boolean:
      return "true";
    case TypeId::date:
      return "2000-01-01";
    case TypeId::time:
      return "00:00:00";
    case TypeId::timestamp:
      return "2000-01-01 00:00:00";
    case TypeId::timestamptz:
      return "2000-01-01 00:00:00+00";
    case TypeId::uuid:
      return "00000000-0000-0000-0000-000000000000";
    case TypeId::json:
      return "null";
    case TypeId::varchar:
    case TypeId::blob:
      return "sample";
    default:
      return "1";
  }
}

struct Declaration {
  std::optional<Type> type;
  const Node* default_value = nullptr;
};

Declaration read_declaration(const Node::Entry& entry, Problems& problems) {
  Declaration made;
  const Node* type = &entry.value;
  if (entry.value.kind == Node::Kind::map) {
    check_options(entry.value, parameter_options(), fmt::format("parameter {}", entry.key),
                  problems);
    type = entry.value.find("type");
    made.default_value = entry.value.find("default");
  } else if (entry.value.kind != Node::Kind::scalar) {
    problems.push_back(
        {entry.value.mark, fmt::format("The parameter \"{}\" needs a type, as in \"{}: date\"",
                                       entry.key, entry.key)});
    return made;
  }
  if (type == nullptr || type->kind != Node::Kind::scalar) return made;
  auto parsed = parse_type(type->text);
  if (parsed)
    made.type = *parsed;
  else
    problems.push_back({type->mark, parsed.error().message});
  return made;
}

Parameter sample_parameter(const std::string& name, Type type) {
  auto made = make_parameter(name, type, sample_text(type));
  return made ? *std::move(made) : Parameter{name, type, sample_text(type), false};
}

bool is_bound(std::string_view word) { return word == "window_start" || word == "window_end"; }

// The bound `word` of the window as a value of this type.
Parameter bound_value(const std::string& name, Type type, std::string_view word, Mark mark,
                      const WindowValues& values, Problems& problems) {
  if (!values.timetable) {
    if (!values.has_schedule)
      problems.push_back(
          {mark, fmt::format("\"{}\" is of a window, and the job has no \"schedule\" "
                             "that makes any; add one, or leave the default out and "
                             "give the value with -p {}=...",
                             word, name)});
    return sample_parameter(name, type);
  }
  const bool is_start = word == "window_start";
  const auto text =
      values.timetable->value_text(is_start ? values.window.begin : values.window.end, type);
  if (text) {
    if (auto made = make_parameter(name, type, *text)) return *std::move(made);
  } else {
    problems.push_back({mark, text.error().message});
  }
  return sample_parameter(name, type);
}

Parameter give_value(const Node::Entry& entry, const Declaration& declared, Given given,
                     const WindowValues& window, Problems& problems) {
  const Type type = *declared.type;
  const std::string* text = nullptr;
  Mark mark;  // none for what the command line gave
  for (const auto& [name, value] : given)
    if (name == entry.key) text = &value;
  const Node* fallback = declared.default_value;
  if (text == nullptr && fallback != nullptr) {
    mark = fallback->mark;
    if (fallback->is_null()) return Parameter{entry.key, type, "", true};
    if (fallback->kind != Node::Kind::scalar) return sample_parameter(entry.key, type);
    text = &fallback->text;
    if (!fallback->quoted && is_bound(*text))
      return bound_value(entry.key, type, *text, mark, window, problems);
  }
  if (text == nullptr && window.has_schedule && is_bound(entry.key))
    return bound_value(entry.key, type, entry.key, entry.mark, window, problems);
  if (text == nullptr) {
    problems.push_back({mark, fmt::format("The parameter \"{}\" ({}) has no value; give it with "
                                          "-p {}=...",
                                          entry.key, to_string(type), entry.key)});
    return sample_parameter(entry.key, type);
  }
  auto made = make_parameter(entry.key, type, *text);
  if (made) return *std::move(made);
  problems.push_back({mark, made.error().message});
  return sample_parameter(entry.key, type);
}

// Replaces inside one text. `where` is the place of the text's beginning.
class Substitution {
 public:
  Substitution(std::span<const Parameter> parameters, Problems& problems)
      : parameters_(parameters), problems_(problems) {}

  void in(Node& node, bool is_sql) {
    for (Node& item : node.items) in(item, is_sql);
    for (Node::Entry& entry : node.entries) {
      if (entry.key == "process")
        in_transforms(entry.value);
      else if (entry.key == "read")
        in_sources(entry.value);
      else
        in(entry.value, entry.key == "sql" || entry.key == "query");
    }
    if (node.kind != Node::Kind::scalar || node.text.find('$') == std::string::npos) return;
    if (is_sql)
      check_sql(node);
    else
      replace_in(node);
  }

 private:
  // Of a web API, what is sent.
  void in_sources(Node& node) {
    for (Node& item : node.items) in_sources(item);
    const bool is_web_api = node.find("http") != nullptr;
    for (Node::Entry& entry : node.entries) {
      are_templates_ = is_web_api && (entry.key == "http" || entry.key == "headers");
      in(entry.value, entry.key == "query");
      are_templates_ = false;
    }
    if (node.kind == Node::Kind::scalar) in(node, false);
  }
  void in_transforms(Node& node) {
    for (Node& item : node.items) {
      are_templates_ = item.find("http") != nullptr;
      in(item, false);
      are_templates_ = false;
    }
    if (node.items.empty()) in(node, false);
  }

  void check_sql(const Node& node) {
    const std::size_t at = node.text.find("${");
    if (at == std::string::npos) return;
    const std::size_t end = node.text.find('}', at);
    std::string name = end == std::string::npos ? "name" : node.text.substr(at + 2, end - at - 2);
    if (!is_name(name)) name = "name";
    problems_.push_back({node.mark, fmt::format("In SQL a parameter is ${0}, a typed value, and "
                                                "\"${{{0}}}\" is not replaced; write ${0}",
                                                name)});
  }
  void replace_in(Node& node) {
    const std::string text = std::exchange(node.text, {});
    std::string unresolved;
    bool has_secrets = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char next = i + 1 < text.size() ? text[i + 1] : '\0';
      if (text[i] != '$' || (next != '$' && next != '{')) {
        node.text += text[i];
        unresolved += text[i];
      } else if (next == '$') {
        node.text += are_templates_ ? "$$" : "$";
        unresolved += "$$";
        ++i;
      } else {
        const std::size_t end = text.find('}', i);
        if (end == std::string::npos) {
          problems_.push_back({node.mark,
                               "A \"${\" is not closed with \"}\"; for a dollar and a brace "
                               "write \"$${\""});
          return;
        }
        const std::string name = text.substr(i + 2, end - i - 2);
        i = end;
        if (const std::size_t dot = name.rfind('.'); name.starts_with("steps.") && dot > 6) {
          const std::string later = step_value(name.substr(6, dot - 6), name.substr(dot + 1));
          node.text += later;
          unresolved += later;
          continue;
        }
        if (are_templates_ && (name == "record" || name.starts_with("record.") ||
                               name == "records" || name.starts_with("records."))) {
          node.text += "${" + name + "}";
          continue;
        }
        const std::string value = value_of(name, node.mark);
        const bool is_secret = name.starts_with("env:");
        if (are_templates_) {
          node.text += is_secret ? "${" + name + "}" : with_dollars_doubled(value);
          continue;
        }
        has_secrets = has_secrets || is_secret;
        node.text += value;
        unresolved += is_secret ? "${" + name + "}" : with_dollars_doubled(value);
      }
    }
    if (has_secrets) node.unresolved = std::move(unresolved);
  }
  static std::string with_dollars_doubled(const std::string& text) {
    std::string out;
    for (const char c : text) out += c == '$' ? "$$" : std::string(1, c);
    return out;
  }
  std::string value_of(const std::string& name, Mark mark) {
    if (name.starts_with("env:")) {
      const std::string variable = name.substr(4);
      const char* value = variable.empty() ? nullptr : std::getenv(variable.c_str());
      if (value != nullptr) return value;
      problems_.push_back({mark, fmt::format("The environment variable {} is not set; set it, or "
                                             "use a parameter",
                                             excerpt(variable))});
      return "unset";
    }
    for (const Parameter& parameter : parameters_)
      if (parameter.name == name) return parameter.text;
    problems_.push_back({mark, fmt::format("There is no parameter \"{}\"{}", excerpt(name),
                                           parameter_hint(name, parameters_))});
    return "unknown";
  }

  std::span<const Parameter> parameters_;
  Problems& problems_;
  // Texts of which something is left to be replaced, record by record: what is of a record, what is
  // secret and must not be kept until then, and dollars.
  bool are_templates_ = false;
};

}  // namespace

std::vector<Parameter> read_parameters(const Node* params, Given given, const WindowValues& window,
                                       Problems& problems) {
  std::vector<Parameter> made;
  std::vector<std::string> names;
  const auto declare = [&](const Node::Entry& entry) {
    names.push_back(entry.key);
    const Declaration declared = read_declaration(entry, problems);
    if (declared.type)
      made.push_back(give_value(entry, declared, given, window, problems));
    else
      made.push_back(Parameter{entry.key, Type{}, "sample", false});
  };
  const auto is_declared = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (params != nullptr && params->kind == Node::Kind::map) {
    for (const Node::Entry& entry : params->entries) {
      if (!is_name(entry.key))
        problems.push_back({entry.mark, fmt::format("\"{}\" can't name a parameter; use letters, "
                                                    "digits and _",
                                                    excerpt(entry.key))});
      if (is_declared(entry.key))
        problems.push_back({entry.mark, fmt::format("The parameter \"{}\" is declared twice",
                                                    excerpt(entry.key))});
      declare(entry);
    }
  } else if (params != nullptr && !params->is_null()) {
    problems.push_back({params->mark,
                        "\"params\" was expected to be a map, as in "
                        "\"params: { day: date }\""});
  }
  for (const char* bound : {"window_start", "window_end"})
    if (window.has_schedule && !is_declared(bound))
      declare({bound, Node::scalar("timestamptz"), {}});
  for (const auto& [name, value] : given) {
    if (is_declared(name)) continue;
    std::string hint = did_you_mean(name, names);
    if (hint.empty())
      hint = names.empty() ? "; the job has none" : "; the job has " + join(names, ", ");
    problems.push_back({{}, fmt::format("The job has no parameter \"{}\"{}", excerpt(name), hint)});
  }
  return made;
}

std::string parameter_hint(const std::string& name, std::span<const Parameter> parameters) {
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters) names.push_back(parameter.name);
  std::string hint = did_you_mean(name, names);
  if (!hint.empty()) return hint;
  return fmt::format("; declare it, as in \"params: {{ {}: date }}\"",
                     is_name(name) ? name : std::string("day"));
}

void substitute_parameters(Node& node, std::span<const Parameter> parameters, Problems& problems) {
  Substitution(parameters, problems).in(node, false);
}

}  // namespace tranche
