// What a job file or a C++ builder says, before anything is known about its meaning.
#include <algorithm>
#include <utility>

#include <tranche/core/options.h>
#include "base/json.h"
#include "base/text.h"

namespace tranche {

std::string text_without_secrets(const Node& scalar) {
  if (scalar.text.find("://") != std::string::npos) return url_without_password(scalar.text);
  return scalar.unresolved.empty() ? scalar.text : scalar.unresolved;
}

namespace {

void append_canonical(std::string& out, const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      out += "null";
      return;
    case Node::Kind::scalar:
      append_json_string(out, text_without_secrets(node));
      return;
    case Node::Kind::list:
      out += '[';
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        if (i != 0) out += ',';
        append_canonical(out, node.items[i]);
      }
      out += ']';
      return;
    case Node::Kind::map:
      // In the order of the file: that of columns has a meaning.
      out += '{';
      for (std::size_t i = 0; i < node.entries.size(); ++i) {
        if (i != 0) out += ',';
        append_json_string(out, node.entries[i].key);
        out += ':';
        append_canonical(out, node.entries[i].value);
      }
      out += '}';
      return;
  }
}

}  // namespace

Node Node::scalar(std::string text, Mark mark) {
  Node node;
  node.kind = Kind::scalar;
  node.text = std::move(text);
  node.mark = mark;
  return node;
}

Node Node::map() { return map({}, {}); }

Node Node::map(std::vector<Entry> entries, Mark mark) {
  Node node;
  node.kind = Kind::map;
  node.entries = std::move(entries);
  node.mark = mark;
  return node;
}

Node Node::list(std::vector<Node> items, Mark mark) {
  Node node;
  node.kind = Kind::list;
  node.items = std::move(items);
  node.mark = mark;
  return node;
}

const Node* Node::find(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &found->value;
}

Node& Node::set(std::string key, Node value) {
  if (kind == Kind::null) kind = Kind::map;
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  if (found != entries.end())
    found->value = std::move(value);
  else
    entries.push_back(Entry{std::move(key), std::move(value), {}});
  return *this;
}

std::string canonical_text(const Node& node) {
  std::string text;
  append_canonical(text, node);
  return text;
}

}  // namespace tranche
