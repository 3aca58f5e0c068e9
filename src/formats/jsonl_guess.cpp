#include "formats/jsonl_guess.h"

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "formats/csv_guess.h"
#include "formats/json_text.h"

namespace tranche {
namespace {

// Of objects with more different keys, the keys are data, as in { "2026-01-31": 5 }.
constexpr std::size_t struct_members_max = 100;
constexpr std::size_t guessed_depth_max = 8;

}  // namespace

// What was seen at one place: as a column, an element or a member.
struct JsonlGuess::Value {
  bool has_booleans = false;
  bool has_numbers = false;
  bool has_strings = false;
  bool has_objects = false;
  bool has_arrays = false;
  TypeGuess of_texts;  // of the strings, or of the numbers: both together are no type
  std::unique_ptr<Value> element;
  std::vector<std::pair<std::string, std::unique_ptr<Value>>> members;
  std::unordered_map<std::string, std::size_t> places;

  // REQUIRES a value that is JSON. From its beginning to behind its end.
  void add(JsonText& text, std::size_t depth);
  void add_object(JsonText& text, std::size_t depth);
  void add_array(JsonText& text, std::size_t depth);

  bool is_seen() const {
    return has_booleans || has_numbers || has_strings || has_objects || has_arrays;
  }
  Type type() const;
  Type of_objects() const;
};

void JsonlGuess::Value::add(JsonText& text, std::size_t depth) {
  switch (text.peek()) {
    case '{': return add_object(text, depth);
    case '[': return add_array(text, depth);
    default: break;
  }
  JsonKind kind = JsonKind::null;
  std::string_view token;
  bool escaped = false;
  text.take_any(kind, token, escaped);
  switch (kind) {
    case JsonKind::boolean: has_booleans = true; return;
    case JsonKind::number: has_numbers = true; break;
    case JsonKind::string: has_strings = true; break;
    default: return;
  }
  std::string plain;
  if (escaped) {
    plain.resize(token.size());
    plain.resize(static_cast<std::size_t>(unescape_json(token, plain.data()) - plain.data()));
    token = plain;
  }
  of_texts.add(token, kind == JsonKind::string);
}

void JsonlGuess::Value::add_object(JsonText& text, std::size_t depth) {
  has_objects = true;
  // A record itself may have any number of keys.
  if (depth == guessed_depth_max || (depth > 0 && members.size() > struct_members_max)) {
    text.skip_value();
    return;
  }
  text.take('{');
  text.skip_blanks();
  if (text.take('}')) return;
  do {
    text.skip_blanks();
    JsonString key;
    text.take_string(key);
    std::string name(key.inside);
    if (key.escaped)
      name.resize(static_cast<std::size_t>(unescape_json(key.inside, name.data()) - name.data()));
    text.skip_blanks();
    text.take(':');
    text.skip_blanks();
    const auto [place, is_new] = places.try_emplace(name, members.size());
    if (is_new) members.emplace_back(std::move(name), std::make_unique<Value>());
    members[place->second].second->add(text, depth + 1);
    text.skip_blanks();
  } while (text.take(','));
  text.take('}');
}

void JsonlGuess::Value::add_array(JsonText& text, std::size_t depth) {
  has_arrays = true;
  if (depth == guessed_depth_max) {
    text.skip_value();
    return;
  }
  if (element == nullptr) element = std::make_unique<Value>();
  text.take('[');
  text.skip_blanks();
  if (text.take(']')) return;
  do {
    text.skip_blanks();
    element->add(text, depth + 1);
    text.skip_blanks();
  } while (text.take(','));
  text.take(']');
}

Type JsonlGuess::Value::type() const {
  const bool has_nested = has_objects || has_arrays;
  const int kinds = has_booleans + has_numbers + has_strings + has_objects + has_arrays;
  if (has_nested && kinds > 1) return Type{TypeId::json};
  if (has_objects) return of_objects();
  if (has_arrays) {
    if (element == nullptr || !element->is_seen()) return Type{TypeId::json};
    const Type type = element->type();
    const bool is_mixed = element->has_booleans + element->has_numbers + element->has_strings > 1;
    return type.id == TypeId::json || is_mixed ? Type{TypeId::json} : list_type(type);
  }
  if (kinds != 1) return Type{TypeId::varchar};
  if (has_booleans) return Type{TypeId::boolean};
  const Type guessed = of_texts.type();
  const bool is_calendar = guessed.id == TypeId::date || guessed.id == TypeId::timestamp;
  return is_calendar == has_strings ? guessed : Type{TypeId::varchar};
}

Type JsonlGuess::Value::of_objects() const {
  if (members.empty() || members.size() > struct_members_max) return Type{TypeId::json};
  std::vector<TypeMember> types;
  std::vector<std::string> names;
  for (const auto& [name, value] : members) {
    names.push_back(to_lower(name));
    types.push_back({name, value->type()});
  }
  std::sort(names.begin(), names.end());
  const bool is_double = std::adjacent_find(names.begin(), names.end()) != names.end();
  return is_double || names.front().empty() ? Type{TypeId::json} : struct_type(std::move(types));
}

JsonlGuess::JsonlGuess() : record_(std::make_unique<Value>()) {}
JsonlGuess::~JsonlGuess() = default;

void JsonlGuess::add(std::string_view record) {
  if (!is_utf8(record) || find_json_fault(record).what != nullptr) return;
  JsonText text(record.data(), record.data() + record.size());
  text.skip_blanks();
  if (text.peek() == '{') record_->add_object(text, 0);
}

Schema JsonlGuess::schema() const {
  Schema schema;
  for (const auto& [name, value] : record_->members)
    schema.fields.push_back(Field{name, value->type()});
  return schema;
}

}  // namespace tranche
