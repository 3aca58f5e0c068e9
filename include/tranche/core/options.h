// Options as data: what a connector or a step may be told, checked in one place.
//
// A job file and the C++ builders both become Nodes; a table of Options says which keys exist, of
// which kind, and documents them. The same table checks the file, prints `tranche help csv` and
// writes the JSON Schema for editors.
// Threads: value types.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tranche/base/result.h>
#include <tranche/core/schema.h>

namespace tranche {

// A place in the job file, from 1; line 0: not from a file.
struct Mark {
  int line = 0;
  int column = 0;
};

struct Node {
  enum class Kind { null, scalar, list, map };
  struct Entry;
  Kind kind = Kind::null;
  std::string text;           // of a scalar, as written
  bool quoted = false;        // written in quotes, so it is text whatever it looks like
  // Of a scalar that took values of the environment: the text with ${env:NAME} in their place, and
  // $$ for a dollar. What is kept of it is this, since the values may be secret.
  std::string unresolved;
  std::vector<Node> items;    // of a list
  std::vector<Entry> entries; // of a map, in order
  Mark mark;

  static Node scalar(std::string text, Mark mark = {});
  static Node map();
  static Node map(std::vector<Entry> entries, Mark mark = {});
  static Node list(std::vector<Node> items, Mark mark = {});
  const Node* find(std::string_view key) const;  // of a map
  Node& set(std::string key, Node value);        // of a map (a null becomes one); replaces
  bool is_null() const { return kind == Kind::null; }
};
struct Node::Entry {
  std::string key;
  Node value;
  Mark mark;  // of the key
};
// One line that is equal for equal content (marks and quotes left out): for fingerprints, so it
// holds no secret: of a URL not the password, else of the environment's values only the names.
std::string canonical_text(const Node& node);
std::string text_without_secrets(const Node& scalar);

enum class OptionKind {
  text,       // any scalar
  boolean,    // true | false
  count,      // a whole number, not negative
  size,       // 64MiB
  duration,   // 30s
  choice,     // one of `choices`
  texts,      // a scalar or a list of scalars
  columns,    // map of a name to a type, or to { type:, null: error | ok }
  map,        // a map with the keys of `children`
  any,        // checked by its owner
};

struct Option {
  std::string name;
  OptionKind kind = OptionKind::text;
  std::string doc;                       // one sentence
  std::string default_text = {};         // as it would be written; empty: none
  std::vector<std::string> choices = {};  // of choice; of text: values to suggest to editors
  std::vector<Option> children = {};     // of map
  bool required = false;
  std::string example = {};
  bool names_connection = false;  // of text: a URL, or the name of one in the job's `connections`
  // Of text and texts: a sentence on what is wrong with a value; empty: nothing.
  std::string (*fault_of)(std::string_view value) = nullptr;
};
using OptionTable = std::vector<Option>;

struct Problem {
  Mark mark;
  std::string message;  // what, what was expected, what to do
};
using Problems = std::vector<Problem>;

// Checks a map against a table: unknown keys (with "did you mean"), doubled keys, missing required
// ones, kinds and choices. Every problem is appended; `what` names the thing ("csv", "step").
void check_options(const Node& node, const OptionTable& table, std::string_view what,
                   Problems& problems);

// Reads options of a checked map; defaults come from the table. REQUIRES names that the table has.
class OptionReader {
 public:
  OptionReader(const Node& node, const OptionTable& table) : node_(node), table_(table) {}
  bool has(std::string_view name) const;
  const Node* node(std::string_view name) const;  // nullptr when not given
  std::string text(std::string_view name) const;
  bool boolean(std::string_view name) const;
  std::uint64_t count(std::string_view name) const;
  std::uint64_t size(std::string_view name) const;
  std::chrono::milliseconds duration(std::string_view name) const;
  std::vector<std::string> texts(std::string_view name) const;
  Schema columns(std::string_view name) const;  // empty when not given
  Mark mark(std::string_view name) const;

 private:
  std::string text_or_default(std::string_view name) const;
  const Node& node_;
  const OptionTable& table_;
};

}  // namespace tranche
