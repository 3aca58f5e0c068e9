// Text -> any other value, and the choice of the parser by type.
#include <algorithm>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/json_syntax.h"

namespace tranche {
namespace {

unsigned hex_digit(char c) {  // 16 or more: none
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? static_cast<unsigned>(lower - 'a') + 10 : 16;
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != lower[i]) return false;
  }
  return true;
}

// A text for a message on one line.
std::string shorten(std::string_view text) {
  constexpr std::size_t bytes_max = 60;
  std::size_t end = std::min(text.size(), bytes_max);
  if (end < text.size()) {  // a character is not cut in two
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  }
  std::string out;
  for (const char c : text.substr(0, end)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') out += "\\n";
    else if (c == '\r') out += "\\r";
    else if (c == '\t') out += "\\t";
    else if (byte < 0x20 || byte == 0x7f) out += fmt::format("\\x{:02X}", byte);
    else out += c;
  }
  if (end < text.size()) out += "...";
  return out;
}

template <class T>
ParseStatus integer(std::string_view text, void* out) {
  return parse_integer(text, *static_cast<T*>(out));
}

ParseStatus decimal(Type type, std::string_view text, void* out) {
  switch (physical_type(type)) {
    case PhysicalType::int16:
      return parse_decimal(text, type.width, type.scale, *static_cast<std::int16_t*>(out));
    case PhysicalType::int32:
      return parse_decimal(text, type.width, type.scale, *static_cast<std::int32_t*>(out));
    case PhysicalType::int64:
      return parse_decimal(text, type.width, type.scale, *static_cast<std::int64_t*>(out));
    default: return parse_decimal128(text, type.width, type.scale, *static_cast<Int128*>(out));
  }
}

}  // namespace

ParseStatus parse_boolean(std::string_view text, std::uint8_t& out) {
  for (const std::string_view yes : {"true", "1", "t", "yes", "y"}) {
    if (equals_ignoring_case(text, yes)) return out = 1, ParseStatus::ok;
  }
  for (const std::string_view no : {"false", "0", "f", "no", "n"}) {
    if (equals_ignoring_case(text, no)) return out = 0, ParseStatus::ok;
  }
  return ParseStatus::malformed;
}

ParseStatus parse_uuid(std::string_view text, Int128& out) {
  if (text.size() != 36) return ParseStatus::malformed;
  UInt128 value = 0;
  for (std::size_t i = 0; i < 36; ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return ParseStatus::malformed;
      continue;
    }
    const unsigned d = hex_digit(text[i]);
    if (d > 15) return ParseStatus::malformed;
    value = (value << 4) | d;
  }
  out = static_cast<Int128>(value ^ (UInt128{1} << 127));  // DuckDB's order: signed compare sorts
  return ParseStatus::ok;
}

ParseStatus parse_blob(std::string_view text, Arena& arena, StringRef& out) {
  const std::size_t first = text.find('\\');
  if (first == std::string_view::npos) return out = StringRef::make(text), ParseStatus::ok;
  char* const bytes = arena.allocate(text.size());
  std::size_t length = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes[length++] = text[i];
      continue;
    }
    if (text.size() - i < 4 || text[i + 1] != 'x') return ParseStatus::malformed;
    const unsigned high = hex_digit(text[i + 2]);
    const unsigned low = hex_digit(text[i + 3]);
    if (high > 15 || low > 15) return ParseStatus::malformed;
    bytes[length++] = static_cast<char>(high * 16 + low);
    i += 3;
  }
  out = StringRef::make({bytes, length});
  return ParseStatus::ok;
}

ParseStatus parse_json(std::string_view text, StringRef& out) {
  if (find_json_fault(text).what != nullptr) return ParseStatus::malformed;
  out = StringRef::make(text);
  return ParseStatus::ok;
}

ParseStatus parse_value(Type type, std::string_view text, void* out, Arena& arena) {
  switch (type.id) {
    case TypeId::boolean: return parse_boolean(text, *static_cast<std::uint8_t*>(out));
    case TypeId::tinyint: return integer<std::int8_t>(text, out);
    case TypeId::smallint: return integer<std::int16_t>(text, out);
    case TypeId::integer: return integer<std::int32_t>(text, out);
    case TypeId::bigint: return integer<std::int64_t>(text, out);
    case TypeId::hugeint: return integer<Int128>(text, out);
    case TypeId::utinyint: return integer<std::uint8_t>(text, out);
    case TypeId::usmallint: return integer<std::uint16_t>(text, out);
    case TypeId::uinteger: return integer<std::uint32_t>(text, out);
    case TypeId::ubigint: return integer<std::uint64_t>(text, out);
    case TypeId::real: return parse_float(text, *static_cast<float*>(out));
    case TypeId::double_: return parse_float(text, *static_cast<double*>(out));
    case TypeId::decimal: return decimal(type, text, out);
    case TypeId::date: return parse_date(text, *static_cast<std::int32_t*>(out));
    case TypeId::time: return parse_time(text, *static_cast<std::int64_t*>(out));
    case TypeId::timestamp: return parse_timestamp(text, *static_cast<std::int64_t*>(out));
    case TypeId::timestamptz: return parse_timestamptz(text, *static_cast<std::int64_t*>(out));
    case TypeId::varchar:
      *static_cast<StringRef*>(out) = StringRef::make(text);
      return ParseStatus::ok;
    case TypeId::blob: return parse_blob(text, arena, *static_cast<StringRef*>(out));
    case TypeId::uuid: return parse_uuid(text, *static_cast<Int128*>(out));
    case TypeId::json: return parse_json(text, *static_cast<StringRef*>(out));
    case TypeId::list:
    case TypeId::struct_: break;
  }
  return ParseStatus::malformed;
}

std::string describe_parse(ParseStatus status, Type type, std::string_view text) {
  const std::string name = to_string(type);
  const std::string shown = shorten(text);
  switch (status) {
    case ParseStatus::out_of_range: return fmt::format("\"{}\" is out of range of {}", shown, name);
    case ParseStatus::too_precise:
      if (type.id == TypeId::decimal) {
        return fmt::format("\"{}\" has more than {} digit{} after the point: {}", shown, type.scale,
                           type.scale == 1 ? "" : "s", name);
      }
      return fmt::format("\"{}\" is finer than the microseconds of {}", shown, name);
    default: {
      if (type.id == TypeId::json) return fmt::format("\"{}\" is not JSON", shown);
      const bool vowel = type.id == TypeId::integer;
      return fmt::format("\"{}\" is not {} {}", shown, vowel ? "an" : "a", name);
    }
  }
}

}  // namespace tranche
