#include <tranche/core/type.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

struct TypeName {
  std::string_view name;  // in lower case, words one blank apart
  TypeId id;
};

// The first name of each type is the one that to_string writes. int1 to int8 and uint8 to uint64
// are DuckDB's: the former count bytes, the latter bits.
constexpr std::array type_names{
    TypeName{"boolean", TypeId::boolean},
    TypeName{"bool", TypeId::boolean},
    TypeName{"logical", TypeId::boolean},
    TypeName{"tinyint", TypeId::tinyint},
    TypeName{"int1", TypeId::tinyint},
    TypeName{"smallint", TypeId::smallint},
    TypeName{"int2", TypeId::smallint},
    TypeName{"int16", TypeId::smallint},
    TypeName{"short", TypeId::smallint},
    TypeName{"integer", TypeId::integer},
    TypeName{"int", TypeId::integer},
    TypeName{"int4", TypeId::integer},
    TypeName{"int32", TypeId::integer},
    TypeName{"signed", TypeId::integer},
    TypeName{"bigint", TypeId::bigint},
    TypeName{"int8", TypeId::bigint},
    TypeName{"int64", TypeId::bigint},
    TypeName{"long", TypeId::bigint},
    TypeName{"hugeint", TypeId::hugeint},
    TypeName{"int128", TypeId::hugeint},
    TypeName{"utinyint", TypeId::utinyint},
    TypeName{"uint8", TypeId::utinyint},
    TypeName{"usmallint", TypeId::usmallint},
    TypeName{"uint16", TypeId::usmallint},
    TypeName{"uinteger", TypeId::uinteger},
    TypeName{"uint32", TypeId::uinteger},
    TypeName{"ubigint", TypeId::ubigint},
    TypeName{"uint64", TypeId::ubigint},
    TypeName{"real", TypeId::real},
    TypeName{"float", TypeId::real},
    TypeName{"float4", TypeId::real},
    TypeName{"double", TypeId::double_},
    TypeName{"float8", TypeId::double_},
    TypeName{"double precision", TypeId::double_},
    TypeName{"decimal", TypeId::decimal},
    TypeName{"numeric", TypeId::decimal},
    TypeName{"dec", TypeId::decimal},
    TypeName{"date", TypeId::date},
    TypeName{"time", TypeId::time},
    TypeName{"time without time zone", TypeId::time},
    TypeName{"timestamp", TypeId::timestamp},
    TypeName{"datetime", TypeId::timestamp},
    TypeName{"timestamp without time zone", TypeId::timestamp},
    TypeName{"timestamptz", TypeId::timestamptz},
    TypeName{"timestamp with time zone", TypeId::timestamptz},
    TypeName{"varchar", TypeId::varchar},
    TypeName{"text", TypeId::varchar},
    TypeName{"string", TypeId::varchar},
    TypeName{"char", TypeId::varchar},
    TypeName{"bpchar", TypeId::varchar},
    TypeName{"character varying", TypeId::varchar},
    TypeName{"blob", TypeId::blob},
    TypeName{"bytea", TypeId::blob},
    TypeName{"binary", TypeId::blob},
    TypeName{"varbinary", TypeId::blob},
    TypeName{"uuid", TypeId::uuid},
    TypeName{"json", TypeId::json},
};

constexpr std::string_view types_expected =
    "boolean, tinyint, smallint, integer, bigint, hugeint, real, double, decimal(12,2), date, "
    "time, timestamp, timestamptz, varchar, blob, uuid, json, a list as in varchar[], "
    "struct(name varchar, ...)";

// In lower case, runs of white space made one blank.
std::string normalise(std::string_view text) {
  std::string words;
  for (const char c : to_lower(trim(text))) {
    const bool is_blank = c == ' ' || c == '\t';
    if (is_blank && !words.empty() && words.back() == ' ') continue;
    words += is_blank ? ' ' : c;
  }
  return words;
}

// The one place where the members of nested types live: a list that only grows, at its head.
const std::vector<TypeMember>* intern(std::vector<TypeMember> members) {
  struct Link {
    std::vector<TypeMember> members;
    Link* next;
  };
  static std::atomic<Link*> head{nullptr};
  Link* const made = new Link{std::move(members), nullptr};
  const Link* searched = nullptr;  // from here on
  Link* first = head.load();
  do {
    for (const Link* link = first; link != searched; link = link->next) {
      if (link->members != made->members) continue;
      delete made;
      return &link->members;
    }
    searched = made->next = first;
  } while (!head.compare_exchange_weak(first, made));
  return &made->members;
}

std::optional<TypeId> find_type(std::string_view name) {
  for (const TypeName& candidate : type_names)
    if (candidate.name == name) return candidate.id;
  return std::nullopt;
}

Error unknown_type(std::string_view text, std::string_view name) {
  std::vector<std::string> names;
  for (const TypeName& candidate : type_names) names.emplace_back(candidate.name);
  const std::optional<std::string> near = nearest(name, names);
  if (near)
    return make_error(ErrorKind::config, fmt::format("\"{}\" is not a type; did you mean \"{}\"?",
                                                     excerpt(text), *near));
  return make_error(ErrorKind::config, fmt::format("\"{}\" is not a type; expected one of {}.",
                                                   excerpt(text), types_expected));
}

// A whole number of one or two digits; nullopt for anything else.
std::optional<unsigned> parse_small(std::string_view text) {
  text = trim(text);
  if (text.empty() || text.size() > 2) return std::nullopt;
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

Result<Type> parse_decimal_type(std::string_view text, std::string_view arguments) {
  const std::vector<std::string> parts = split(arguments, ',');
  const std::optional<unsigned> width = parse_small(parts.front());
  std::optional<unsigned> scale = 0;
  if (parts.size() == 2) scale = parse_small(parts[1]);
  if (parts.size() > 2 || !width || !scale || *width < 1 || *width > 38 || *scale > *width)
    return make_error(
        ErrorKind::config,
        fmt::format("\"{}\" is not a type; expected decimal(width,scale) with a width "
                    "of 1 to 38 digits and a scale of 0 to the width.",
                    excerpt(text)));
  return decimal_type(static_cast<std::uint8_t>(*width), static_cast<std::uint8_t>(*scale));
}

Result<Type> parse_scalar_type(std::string_view text) {
  const std::string words = normalise(text);
  const std::size_t open = words.find('(');
  const std::string_view name = trim(std::string_view(words).substr(0, open));
  const std::optional<TypeId> id = find_type(name);
  if (!id) return unknown_type(text, name);
  if (open == std::string::npos) {
    if (*id == TypeId::decimal) return decimal_type(18, 3);  // DuckDB's and so ours
    return Type{*id, 0, 0};
  }
  if (words.back() != ')')
    return make_error(
        ErrorKind::config,
        fmt::format("\"{}\" is not a type; its closing parenthesis is missing.", excerpt(text)));
  if (*id != TypeId::decimal)
    return make_error(ErrorKind::config,
                      fmt::format("\"{}\" is not a type; {} has no length, write {} alone.",
                                  excerpt(text), name, name));
  return parse_decimal_type(text,
                            std::string_view(words).substr(open + 1, words.size() - open - 2));
}

// A name of a member as it is written in a type: in quotes where it is no plain word.
std::string member_name(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  const bool plain = !name.empty() && (name[0] < '0' || name[0] > '9') &&
                     std::all_of(name.begin(), name.end(), is_plain);
  if (plain) return std::string(name);
  std::string quoted = "\"";
  for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

// Where the member that begins at `at` ends: at a comma outside of parentheses and quotes, or at
// the end.
std::size_t member_end(std::string_view text, std::size_t at) {
  bool quoted = false;
  std::size_t depth = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '(') ++depth;
    if (c == ')' && depth > 0) --depth;
    if (c == ',' && depth == 0) break;
  }
  return at;
}

// Takes the name from the front of `member`; what is left is the type. Empty: there is none.
std::string take_member_name(std::string_view& member) {
  std::string name;
  std::size_t at = 0;
  if (!member.starts_with('"')) {
    at = std::min(member.find_first_of(" \t"), member.size());
    name = member.substr(0, at);
  } else {
    for (at = 1; at < member.size(); ++at) {
      if (member[at] == '"' && (at + 1 == member.size() || member[at + 1] != '"')) break;
      at += member[at] == '"' ? 1 : 0;
      name += member[at];
    }
    if (at == member.size()) return {};
    ++at;
  }
  member = trim(member.substr(at));
  return name;
}

Error bad_struct(std::string_view text, std::string_view why) {
  return make_error(ErrorKind::config,
                    fmt::format("\"{}\" is not a type; {}, as in struct(street varchar, zip "
                                "varchar).", excerpt(text), why));
}

Result<Type> parse_type_within(std::string_view text, std::size_t depth);

Result<Type> parse_struct_type(std::string_view text, std::string_view members, std::size_t depth) {
  std::vector<TypeMember> made;
  for (std::size_t at = 0; at <= members.size();) {
    const std::size_t end = member_end(members, at);
    std::string_view member = trim(members.substr(at, end - at));
    at = end + 1;
    std::string name = take_member_name(member);
    if (name.empty() || member.empty())
      return bad_struct(text, "each member has a name and a type");
    for (const TypeMember& other : made) {
      if (to_lower(other.name) == to_lower(name))
        return bad_struct(text, fmt::format("\"{}\" comes twice", excerpt(name)));
    }
    TRANCHE_ASSIGN(const Type type, parse_type_within(member, depth));
    made.push_back({std::move(name), type});
  }
  return struct_type(std::move(made));
}

Result<Type> parse_type_within(std::string_view text, std::size_t depth) {
  if (depth > type_depth_max)
    return make_error(ErrorKind::config,
                      fmt::format("Lists and structs lie more than {} deep in each other.",
                                  type_depth_max));
  const std::string_view whole = trim(text);
  if (whole.ends_with(']')) {
    const std::size_t open = whole.rfind('[');
    if (open == std::string_view::npos ||
        !trim(whole.substr(open + 1, whole.size() - open - 2)).empty())
      return make_error(ErrorKind::config,
                        fmt::format("\"{}\" is not a type; a list is its element's type and [], as "
                                    "in varchar[].", excerpt(text)));
    TRANCHE_ASSIGN(const Type element, parse_type_within(whole.substr(0, open), depth + 1));
    return list_type(element);
  }
  const std::size_t open = whole.find('(');
  const std::string word = to_lower(trim(whole.substr(0, open)));
  if (word != "struct" && word != "row") return parse_scalar_type(whole);
  if (open == std::string_view::npos || whole.back() != ')')
    return bad_struct(text, "a struct has its members in parentheses");
  return parse_struct_type(text, whole.substr(open + 1, whole.size() - open - 2), depth + 1);
}

}  // namespace

PhysicalType physical_type(Type type) {
  switch (type.id) {
    case TypeId::boolean:
      return PhysicalType::boolean;
    case TypeId::tinyint:
      return PhysicalType::int8;
    case TypeId::smallint:
      return PhysicalType::int16;
    case TypeId::integer:
    case TypeId::date:
      return PhysicalType::int32;
    case TypeId::bigint:
    case TypeId::time:
    case TypeId::timestamp:
    case TypeId::timestamptz:
      return PhysicalType::int64;
    case TypeId::hugeint:
    case TypeId::uuid:
      return PhysicalType::int128;
    case TypeId::utinyint:
      return PhysicalType::uint8;
    case TypeId::usmallint:
      return PhysicalType::uint16;
    case TypeId::uinteger:
      return PhysicalType::uint32;
    case TypeId::ubigint:
      return PhysicalType::uint64;
    case TypeId::real:
      return PhysicalType::float32;
    case TypeId::double_:
      return PhysicalType::float64;
    case TypeId::decimal:
      if (type.width <= 4) return PhysicalType::int16;
      if (type.width <= 9) return PhysicalType::int32;
      return type.width <= 18 ? PhysicalType::int64 : PhysicalType::int128;
    case TypeId::varchar:
    case TypeId::blob:
    case TypeId::json:
      return PhysicalType::string;
    case TypeId::list:
      return PhysicalType::list;
    case TypeId::struct_:
      return PhysicalType::structure;
  }
  __builtin_unreachable();
}

std::size_t physical_bytes(PhysicalType type) {
  switch (type) {
    case PhysicalType::boolean:
    case PhysicalType::int8:
    case PhysicalType::uint8:
      return 1;
    case PhysicalType::int16:
    case PhysicalType::uint16:
      return 2;
    case PhysicalType::int32:
    case PhysicalType::uint32:
    case PhysicalType::float32:
      return 4;
    case PhysicalType::int64:
    case PhysicalType::uint64:
    case PhysicalType::float64:
      return 8;
    case PhysicalType::int128:
    case PhysicalType::string:
    case PhysicalType::list:
      return 16;
    case PhysicalType::structure:
      return 0;
  }
  __builtin_unreachable();
}

std::size_t estimated_bytes(Type type) {
  constexpr std::size_t elements = 4;
  std::size_t bytes = physical_bytes(physical_type(type));
  if (!is_nested(type)) return bytes;
  const std::size_t times = type.id == TypeId::list ? elements : 1;
  for (const TypeMember& member : *type.members) bytes += times * estimated_bytes(member.type);
  return bytes;
}

std::string to_string(Type type) {
  if (type.id == TypeId::decimal) return fmt::format("decimal({},{})", type.width, type.scale);
  if (type.id == TypeId::list) return to_string(type.members->front().type) + "[]";
  if (type.id == TypeId::struct_) {
    std::string text = "struct(";
    for (const TypeMember& member : *type.members) {
      if (text.back() != '(') text += ", ";
      text += member_name(member.name) + ' ' + to_string(member.type);
    }
    return text + ')';
  }
  for (const TypeName& candidate : type_names)
    if (candidate.id == type.id) return std::string(candidate.name);
  __builtin_unreachable();
}

Result<Type> parse_type(std::string_view text) { return parse_type_within(text, 0); }

bool is_string(Type type) {
  return type.id == TypeId::varchar || type.id == TypeId::blob || type.id == TypeId::json;
}

bool is_numeric(Type type) { return type.id >= TypeId::tinyint && type.id <= TypeId::decimal; }

bool is_nested(Type type) { return type.members != nullptr; }

Type list_type(Type element) { return Type{TypeId::list, 0, 0, intern({{"", element}})}; }

Type struct_type(std::vector<TypeMember> members) {
  return Type{TypeId::struct_, 0, 0, intern(std::move(members))};
}

}  // namespace tranche
