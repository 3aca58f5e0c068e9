#include <tranche/core/type.h>

#include <array>
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
};

constexpr std::string_view types_expected =
    "boolean, tinyint, smallint, integer, bigint, hugeint, real, double, decimal(12,2), date, "
    "time, "
    "timestamp, timestamptz, varchar, blob, uuid";

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
      return PhysicalType::string;
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
      return 16;
  }
  __builtin_unreachable();
}

std::string to_string(Type type) {
  if (type.id == TypeId::decimal) return fmt::format("decimal({},{})", type.width, type.scale);
  for (const TypeName& candidate : type_names)
    if (candidate.id == type.id) return std::string(candidate.name);
  __builtin_unreachable();
}

Result<Type> parse_type(std::string_view text) {
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

bool is_string(Type type) { return type.id == TypeId::varchar || type.id == TypeId::blob; }

bool is_numeric(Type type) { return type.id >= TypeId::tinyint && type.id <= TypeId::decimal; }

}  // namespace tranche
