#include "formats/jsonl_guess.h"

#include <unordered_map>

#include "formats/csv_guess.h"
#include "formats/jsonl_line.h"

namespace tranche {
namespace {

struct ColumnGuess {
  std::string name;
  TypeGuess of_texts;  // of the strings, or of the numbers: a column of both is varchar
  bool has_booleans = false;
  bool has_numbers = false;
  bool has_strings = false;
  bool has_nested = false;

  void add(const JsonlToken& token) {
    switch (token.kind) {
      case JsonlKind::null: return;
      case JsonlKind::boolean: has_booleans = true; return;
      case JsonlKind::object:
      case JsonlKind::array: has_nested = true; return;
      case JsonlKind::number: has_numbers = true; break;
      case JsonlKind::string: has_strings = true; break;
    }
    of_texts.add(token.text, token.kind == JsonlKind::string);
  }

  Type type() const {
    const int kinds = has_booleans + has_numbers + has_strings + has_nested;
    if (kinds != 1 || has_nested) return Type{TypeId::varchar};
    if (has_booleans) return Type{TypeId::boolean};
    const Type guessed = of_texts.type();
    const bool is_calendar = guessed.id == TypeId::date || guessed.id == TypeId::timestamp;
    return is_calendar == has_strings ? guessed : Type{TypeId::varchar};
  }
};

}  // namespace

struct JsonlGuess::State {
  bool expects(const JsonlKey&) const { return false; }
  bool find(std::string_view name) {
    members.emplace_back(name, JsonlToken());
    return true;
  }
  bool take(const JsonlToken& token) {
    members.back().second = token;
    return true;
  }

  JsonlLine line;
  std::vector<std::pair<std::string_view, JsonlToken>> members;  // of the line
  std::vector<ColumnGuess> columns;
  std::unordered_map<std::string, std::size_t> places;
};

JsonlGuess::JsonlGuess() : state_(std::make_unique<State>()) {}
JsonlGuess::~JsonlGuess() = default;

void JsonlGuess::add(const char* begin, std::size_t bytes) {
  State& state = *state_;
  state.members.clear();
  if (!state.line.read(begin, bytes, state)) return;
  for (const auto& [name, token] : state.members) {
    const auto [place, is_new] = state.places.try_emplace(std::string(name), state.columns.size());
    if (is_new) state.columns.emplace_back().name = name;
    state.columns[place->second].add(token);
  }
}

Schema JsonlGuess::schema() const {
  Schema schema;
  for (const auto& column : state_->columns) {
    schema.fields.push_back(Field{column.name, column.type()});
  }
  return schema;
}

}  // namespace tranche
