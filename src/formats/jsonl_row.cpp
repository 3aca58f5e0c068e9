#include "formats/jsonl_row.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "formats/jsonl_walk.h"
#include "formats/number_kernels.h"
#include "formats/record_reader.h"

namespace tranche {
namespace {

void add_member(JsonMembers& members, const std::string& name, JsonSlot slot) {
  members.places.emplace(name, members.slots.size());
  slot.is_plain = std::none_of(name.begin(), name.end(), [](char c) {
    return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
  });
  members.slots.push_back(std::move(slot));
}

// Before the first record: as the columns stand.
void expect_in_order(JsonMembers& members) {
  const std::size_t count = members.slots.size();
  const auto comparable = [&](std::size_t place) {
    return place < count && members.slots[place].is_plain ? place : count;
  };
  members.first = comparable(0);
  for (std::size_t i = 0; i < count; ++i) members.slots[i].follower = comparable(i + 1);
}

JsonSlot make_slot(Type type, std::string_view name, std::string path) {
  JsonSlot slot(name);
  slot.type = type;
  slot.path = std::move(path);
  if (type.id == TypeId::list) {
    slot.elements.push_back(make_slot(type.members->front().type, "", slot.path + "[]"));
  } else if (type.id == TypeId::struct_) {
    for (const TypeMember& member : *type.members) {
      add_member(slot.members, member.name,
                 make_slot(member.type, member.name,
                           fmt::format("{}.{}", slot.path, member.name)));
    }
    expect_in_order(slot.members);
  }
  return slot;
}

constexpr double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

}  // namespace

JsonlRow::Walk::Walk(const SchemaPtr& schema, JsonRules rules) : rules_(rules) {
  for (const Field& field : schema->fields) {
    JsonSlot slot = make_slot(field.type, field.name, field.name);
    slot.required = field.required;
    order_.push_back(order_.size());
    add_member(record_, field.name, std::move(slot));
  }
  expect_in_order(record_);
}

bool JsonlRow::Walk::read(std::string_view record, Page& page, std::size_t row) {
  whole_ = record;
  text_ = JsonText(record.data(), record.data() + record.size());
  arena_ = &page.arena;
  malformed_ = false;
  text_.skip_blanks();
  if (rules_.is_any_value) {
    if (!value(record_.slots[0], page.column(0), row)) return false;
  } else if (text_.peek() != '{') {
    return no_json();
  } else if (!object(record_, row, [&page](std::size_t i) -> Column& { return page.column(i); })) {
    return false;
  }
  text_.skip_blanks();
  return text_.at() == text_.end() || no_json();
}

template <class ColumnAt>
bool JsonlRow::Walk::object(JsonMembers& members, std::size_t row, ColumnAt at) {
  const std::size_t count = members.slots.size();
  Progress progress{.number = ++objects_, .follower = &members.first};
  text_.take('{');
  text_.skip_blanks();
  bool more = !text_.take('}');
  while (more) {
    if (!take_usual(members, row, at, progress) && !take_any(members, row, at, progress))
      return false;
    text_.skip_blanks();
    if (!text_.take(',')) break;
    text_.skip_blanks();
    if (text_.peek() != '"') return no_json();
  }
  if (more && !text_.take('}')) return no_json();
  for (std::size_t i = 0; progress.taken < count && i < count; ++i) {
    if (members.slots[i].seen == progress.number) continue;
    if (members.slots[i].required) return refuse_null(members.slots[i], "is missing");
    at(i).set_null(row);
  }
  return true;
}

// Takes members as long as each has the key that is expected and a value in its usual form, with at
// most a blank around them. The place in the text is a variable here, since a member of the class
// would be stored and loaded again for each step. True: it is behind a value, and no such member
// follows. False: at a key, which is for take_any.
template <class ColumnAt>
bool JsonlRow::Walk::take_usual(JsonMembers& members, std::size_t row, ColumnAt at,
                                Progress& progress) {
  JsonSlot* const slots = members.slots.data();
  const std::size_t count = members.slots.size();
  const std::uint64_t number = progress.number;
  const char* const end = text_.end();
  const char* p = text_.at();
  std::size_t* follower = progress.follower;
  std::size_t taken = progress.taken;
  bool behind_value = false;
  while (*follower != count) {
    const std::size_t place = *follower;
    JsonSlot& slot = slots[place];
    if (slot.seen == number) break;
    const char* const behind_key = slot.key.end_at(p, end);
    if (behind_key == nullptr) break;
    const char* const begin = behind_key + (*behind_key == ' ' ? 1 : 0);
    Column& column = at(place);
    const char* stop = nullptr;
    if (*begin == 'n') {
      stop = usual_null(slot, column, row, begin, end);
    } else {
      column.set_valid(row);
      stop = usual_value(slot.type.id, slot, column, row, begin, end);
    }
    if (stop == nullptr) break;
    slot.seen = number;
    follower = &slot.follower;
    ++taken;
    p = stop + (stop[1] == ' ' ? 2 : 1);
    behind_value = *stop != ',' || p >= end || *p != '"';
    if (!behind_value) continue;
    p = stop;
    break;
  }
  text_ = JsonText(p, end);
  progress.follower = follower;
  progress.taken = taken;
  return behind_value;
}

// Takes one member, whatever it is.
template <class ColumnAt>
bool JsonlRow::Walk::take_any(JsonMembers& members, std::size_t row, ColumnAt at,
                              Progress& progress) {
  const std::size_t count = members.slots.size();
  std::size_t place = *progress.follower;
  if (place == count || !text_.take(members.slots[place].key)) {
    if (!find_key(members, place)) return false;
    if (place != count && members.slots[place].is_plain) *progress.follower = place;
  }
  text_.skip_blanks();
  if (place == count) return text_.skip_value() || no_json();  // a key that is no column
  JsonSlot& slot = members.slots[place];
  if (slot.seen == progress.number) [[unlikely]]
    return refuse(fmt::format("The key \"{}\" comes twice.", excerpt(slot.path)));
  slot.seen = progress.number;
  progress.follower = &slot.follower;
  ++progress.taken;
  return value(slot, at(place), row);
}

// From a key to behind its colon. `place` is that of the key, or the number of members.
bool JsonlRow::Walk::find_key(const JsonMembers& members, std::size_t& place) {
  JsonString key;
  if (text_.peek() != '"' || !text_.take_string(key)) return no_json();
  text_.skip_blanks();
  if (!text_.take(':')) return no_json();
  unescaped_ = key.inside;
  if (key.escaped) {
    unescaped_.resize(static_cast<std::size_t>(unescape_json(key.inside, unescaped_.data()) -
                                               unescaped_.data()));
  }
  const auto found = members.places.find(unescaped_);
  place = found == members.places.end() ? members.slots.size() : found->second;
  return found != members.places.end() || rules_.unknown_keys_ignored ||
         refuse_key(members, unescaped_);
}

bool JsonlRow::Walk::value(JsonSlot& slot, Column& column, std::size_t row) {
  if (text_.peek() == 'n') return null(slot, column, row);
  column.set_valid(row);
  switch (slot.type.id) {
    case TypeId::boolean: return boolean(slot, column, row);
    case TypeId::tinyint: return integer<std::int8_t>(slot, column, row);
    case TypeId::smallint: return integer<std::int16_t>(slot, column, row);
    case TypeId::integer: return integer<std::int32_t>(slot, column, row);
    case TypeId::bigint: return integer<std::int64_t>(slot, column, row);
    case TypeId::utinyint: return integer<std::uint8_t>(slot, column, row);
    case TypeId::usmallint: return integer<std::uint16_t>(slot, column, row);
    case TypeId::uinteger: return integer<std::uint32_t>(slot, column, row);
    case TypeId::ubigint: return integer<std::uint64_t>(slot, column, row);
    case TypeId::double_: return float64(slot, column, row);
    case TypeId::decimal:
      switch (column.stride()) {
        case 2: return decimal<std::int16_t>(slot, column, row);
        case 4: return decimal<std::int32_t>(slot, column, row);
        case 8: return decimal<std::int64_t>(slot, column, row);
        default: return convert(slot, column, row);
      }
    case TypeId::date: return from_string<std::int32_t>(slot, column, row, parse_date);
    case TypeId::timestamp: return from_string<std::int64_t>(slot, column, row, parse_timestamp);
    case TypeId::varchar: return varchar(column, row);
    case TypeId::json: return json(column, row);
    case TypeId::list:
      return text_.peek() == '[' ? list(slot, column, row) : convert(slot, column, row);
    case TypeId::struct_:
      if (text_.peek() != '{') return convert(slot, column, row);
      return object(slot.members, row,
                    [&column](std::size_t i) -> Column& { return column.child(i); });
    default: return convert(slot, column, row);
  }
}

bool JsonlRow::Walk::null(const JsonSlot& slot, Column& column, std::size_t row) {
  if (!text_.take("null")) return no_json();
  if (slot.required) return refuse_null(slot, "is null");
  column.set_null(row);
  return true;
}

bool JsonlRow::Walk::list(JsonSlot& slot, Column& column, std::size_t row) {
  const std::size_t first = column.elements();
  std::size_t count = 0;
  text_.take('[');
  text_.skip_blanks();
  if (!text_.take(']')) {
    do {
      text_.skip_blanks();
      column.set_elements(first + ++count);
      if (!value(slot.elements[0], column.child(0), first + count - 1)) return false;
      text_.skip_blanks();
    } while (text_.take(','));
    if (!text_.take(']')) return no_json();
  }
  column.values<ListEntry>()[row] = {first, count};
  return true;
}

template <class T>
bool JsonlRow::Walk::integer(const JsonSlot& slot, Column& column, std::size_t row) {
  const char first = text_.peek();
  if (first != '-' && (first < '0' || first > '9')) [[unlikely]] return convert(slot, column, row);
  JsonNumber number;
  if (!text_.take_number(number)) return no_json();
  if (number.digit_count <= 18 && !number.has_point && !number.has_exponent) [[likely]] {
    const auto magnitude = static_cast<std::int64_t>(number.digits);
    const std::int64_t value = number.negative ? -magnitude : magnitude;
    if (std::in_range<T>(value)) [[likely]] {
      column.values<T>()[row] = static_cast<T>(value);
      return true;
    }
  }
  return convert(slot, {JsonKind::number, number.text}, column, row);
}

template <class T>
bool JsonlRow::Walk::decimal(const JsonSlot& slot, Column& column, std::size_t row) {
  const char first = text_.peek();
  if (first != '-' && (first < '0' || first > '9')) [[unlikely]] return convert(slot, column, row);
  JsonNumber number;
  if (!text_.take_number(number)) return no_json();
  const unsigned scale = slot.type.scale;
  if (!number.has_exponent && number.fraction_count <= scale &&
      number.digit_count + (scale - number.fraction_count) <= 18) [[likely]] {
    const std::uint64_t value =
        number.digits * value_detail::powers_of_10[scale - number.fraction_count];
    if (value < value_detail::powers_of_10[slot.type.width]) [[likely]] {
      const auto magnitude = static_cast<std::int64_t>(value);
      column.values<T>()[row] = static_cast<T>(number.negative ? -magnitude : magnitude);
      return true;
    }
  }
  return convert(slot, {JsonKind::number, number.text}, column, row);
}

bool JsonlRow::Walk::float64(const JsonSlot& slot, Column& column, std::size_t row) {
  const char first = text_.peek();
  if (first != '-' && (first < '0' || first > '9')) [[unlikely]] return convert(slot, column, row);
  JsonNumber number;
  if (!text_.take_number(number)) return no_json();
  // Both the digits and the power are exact doubles: one division rounds once, and so rightly.
  constexpr std::uint64_t exact_max = std::uint64_t{1} << 53;
  if (!number.has_exponent && number.digit_count <= 19 && number.digits <= exact_max &&
      number.fraction_count <= 22) [[likely]] {
    const double magnitude =
        static_cast<double>(number.digits) / exact_powers[number.fraction_count];
    column.values<double>()[row] = number.negative ? -magnitude : magnitude;
    return true;
  }
  return convert(slot, {JsonKind::number, number.text}, column, row);
}

bool JsonlRow::Walk::boolean(const JsonSlot& slot, Column& column, std::size_t row) {
  const bool is_true = text_.take("true");
  if (!is_true && !text_.take("false")) [[unlikely]] return convert(slot, column, row);
  column.values<std::uint8_t>()[row] = is_true ? 1 : 0;
  return true;
}

bool JsonlRow::Walk::varchar(Column& column, std::size_t row) {
  StringRef& out = column.values<StringRef>()[row];
  if (text_.peek() != '"') [[unlikely]] return json(column, row);
  JsonString string;
  if (!text_.take_string(string)) return no_json();
  if (!string.escaped) [[likely]] {
    out = StringRef::make(string.inside);
    return true;
  }
  char* const plain = arena_->allocate(string.inside.size());
  out = StringRef::make(
      {plain, static_cast<std::size_t>(unescape_json(string.inside, plain) - plain)});
  return true;
}

bool JsonlRow::Walk::json(Column& column, std::size_t row) {
  const char* const begin = text_.at();
  if (!text_.skip_value()) return no_json();
  column.values<StringRef>()[row] =
      StringRef::make({begin, static_cast<std::size_t>(text_.at() - begin)});
  return true;
}

template <class T, class Parse>
bool JsonlRow::Walk::from_string(const JsonSlot& slot, Column& column, std::size_t row,
                                 Parse parse) {
  if (text_.peek() != '"') [[unlikely]] return convert(slot, column, row);
  JsonString string;
  const char* const begin = text_.at();
  if (!text_.take_string(string)) return no_json();
  if (!string.escaped &&
      parse(string.inside, column.values<T>()[row]) == ParseStatus::ok) [[likely]] {
    return true;
  }
  text_ = JsonText(begin, text_.end());
  return convert(slot, column, row);
}

// Any value for any type, the slow way; what does not fit is refused here.
bool JsonlRow::Walk::convert(const JsonSlot& slot, Column& column, std::size_t row) {
  JsonlToken token;
  bool escaped = false;
  if (!text_.take_any(token.kind, token.text, escaped)) return no_json();
  if (escaped) {
    char* const plain = arena_->allocate(token.text.size());
    token.text = {plain, static_cast<std::size_t>(unescape_json(token.text, plain) - plain)};
  }
  return convert(slot, token, column, row);
}

bool JsonlRow::Walk::convert(const JsonSlot& slot, const JsonlToken& token, Column& column,
                             std::size_t row) {
  const JsonlStatus status =
      convert_json(slot.type, token, column.bytes() + row * column.stride(), *arena_);
  if (status == JsonlStatus::ok) [[likely]] return true;
  if (!says_why_) return false;
  return refuse(fmt::format("Column \"{}\": {}.{}", excerpt(slot.path),
                            describe_json(status, slot.type, token),
                            rules_.guessed ? guessed_hint : ""));
}

// Something is wrong with the text; what and where, a second look tells.
bool JsonlRow::Walk::no_json() {
  if (!says_why_) return false;
  malformed_ = true;
  const JsonFault fault = find_json_fault(whole_);
  error_ = fault.what != nullptr ? fault.what : "it is no object, as in {\"key\": 1}";
  error_at_ = fault.what != nullptr ? static_cast<std::size_t>(fault.at - whole_.data()) : 0;
  return false;
}

bool JsonlRow::Walk::refuse(std::string why) {
  error_ = std::move(why);
  return false;
}

bool JsonlRow::Walk::refuse_null(const JsonSlot& slot, std::string_view what) {
  return refuse(
      fmt::format("Column \"{}\" {}, but a value is required.", excerpt(slot.path), what));
}

bool JsonlRow::Walk::refuse_key(const JsonMembers& members, std::string_view name) {
  std::vector<std::string> names;
  for (const auto& [known, place] : members.places) names.push_back(known);
  std::sort(names.begin(), names.end());
  std::string text = fmt::format("The key \"{}\" is no column", excerpt(name));
  if (const auto near = nearest(name, names)) text += fmt::format(" (\"{}\"?)", *near);
  text += fmt::format("; {}.", rules_.unknown_key_hint);
  if (rules_.guessed) text += " The columns were guessed from a sample; `columns:` declares them.";
  return refuse(std::move(text));
}

std::string_view copy_to_read(std::string_view text, Arena& arena) {
  char* const room =
      arena.allocate(number_padding_bytes + text.size() + search_padding_bytes);
  std::memset(room, 0, number_padding_bytes);
  char* const begin = room + number_padding_bytes;
  std::memcpy(begin, text.data(), text.size());
  std::memset(begin + text.size(), 0, search_padding_bytes);
  return {begin, text.size()};
}

JsonlRow::JsonlRow(SchemaPtr schema, JsonRules rules)
    : walk_(std::make_unique<Walk>(schema, rules)) {}
JsonlRow::~JsonlRow() = default;

bool JsonlRow::read(std::string_view record, Page& page, std::size_t row) {
  return walk_->read(record, page, row);
}
void JsonlRow::read_usual(std::span<const std::string_view> records, Page& page, std::size_t row,
                          bool* is_read) {
  walk_->read_usual(records, page, row, is_read);
}
const std::string& JsonlRow::error() const { return walk_->error(); }
bool JsonlRow::is_malformed() const { return walk_->is_malformed(); }
std::size_t JsonlRow::error_at() const { return walk_->error_at(); }

}  // namespace tranche
