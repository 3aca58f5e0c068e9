#include "formats/jsonl_convert.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

// What a column of a type takes.
enum class Takes { boolean, number, float_, decimal, any, string, array, object };

Takes takes(Type type) {
  switch (type.id) {
    case TypeId::boolean: return Takes::boolean;
    case TypeId::real:
    case TypeId::double_: return Takes::float_;
    case TypeId::decimal: return Takes::decimal;
    case TypeId::varchar:
    case TypeId::json: return Takes::any;
    case TypeId::list: return Takes::array;
    case TypeId::struct_: return Takes::object;
    case TypeId::blob:
    case TypeId::date:
    case TypeId::time:
    case TypeId::timestamp:
    case TypeId::timestamptz:
    case TypeId::uuid: return Takes::string;
    default: return Takes::number;
  }
}

JsonlStatus of(ParseStatus status) {
  switch (status) {
    case ParseStatus::ok: return JsonlStatus::ok;
    case ParseStatus::malformed: return JsonlStatus::malformed;
    case ParseStatus::out_of_range: return JsonlStatus::out_of_range;
    case ParseStatus::too_precise: return JsonlStatus::too_precise;
  }
  return JsonlStatus::malformed;
}

// Whether a string names a float that JSON has no number for.
bool is_no_number(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// 12.5e-3 as 0.0125: the same number, exactly. REQUIRES is_json_number(text) with an exponent.
std::string without_exponent(std::string_view text) {
  constexpr int shift_max = 1000;  // far beyond any decimal: the answer stays "out of range"
  const std::size_t e = text.find_first_of("eE");
  std::string_view power = text.substr(e + 1);
  if (power.front() == '+') power.remove_prefix(1);
  int shift = 0;
  if (std::from_chars(power.data(), power.data() + power.size(), shift).ec != std::errc()) {
    shift = power.front() == '-' ? -shift_max : shift_max;
  }
  shift = std::clamp(shift, -shift_max, shift_max);
  std::string number(text.substr(0, e));
  const std::string sign = number.front() == '-' ? "-" : "";
  number.erase(0, sign.size());
  std::size_t point = number.find('.');
  if (point == std::string::npos) point = number.size();
  else number.erase(point, 1);
  if (number.find_first_not_of('0') == std::string::npos) return "0";
  const auto place = static_cast<std::ptrdiff_t>(point) + shift;  // of the point in `number`
  if (place <= 0) return sign + "0." + std::string(static_cast<std::size_t>(-place), '0') + number;
  const auto whole = static_cast<std::size_t>(place);
  if (whole >= number.size()) return sign + number + std::string(whole - number.size(), '0');
  return sign + number.substr(0, whole) + "." + number.substr(whole);
}

JsonlStatus convert_decimal(Type type, const JsonlToken& token, void* out, Arena& arena) {
  if (token.kind == JsonKind::number && token.text.find_first_of("eE") != std::string_view::npos) {
    return of(parse_value(type, without_exponent(token.text), out, arena));
  }
  return of(parse_value(type, token.text, out, arena));
}

JsonlStatus convert_blob(std::string_view text, StringRef& out, Arena& arena) {
  if (text.size() % 2 != 0) return JsonlStatus::malformed;
  char* const bytes = arena.allocate(text.size() / 2);
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return JsonlStatus::malformed;
    bytes[i / 2] = static_cast<char>(high * 16 + low);
  }
  out = StringRef::make({bytes, text.size() / 2});
  return JsonlStatus::ok;
}

std::string_view name_of(JsonKind kind) {
  switch (kind) {
    case JsonKind::null: return "null";
    case JsonKind::boolean: return "a boolean";
    case JsonKind::number: return "a number";
    case JsonKind::string: return "a string";
    case JsonKind::object: return "an object";
    case JsonKind::array: return "an array";
  }
  return "";
}

std::string_view what_is_taken(Type type) {
  switch (takes(type)) {
    case Takes::boolean: return "true or false";
    case Takes::number:
    case Takes::float_: return "a number";
    case Takes::decimal: return "a number or a string";
    case Takes::array: return "an array";
    case Takes::object: return "an object";
    default: return "a string";
  }
}

}  // namespace

JsonlStatus convert_json(Type type, const JsonlToken& token, void* out, Arena& arena) {
  const bool is_number = token.kind == JsonKind::number;
  const bool is_string = token.kind == JsonKind::string;
  switch (takes(type)) {
    case Takes::boolean:
      if (token.kind != JsonKind::boolean) return JsonlStatus::wrong_kind;
      *static_cast<std::uint8_t*>(out) = token.text == "true" ? 1 : 0;
      return JsonlStatus::ok;
    case Takes::number:
      if (!is_number) return JsonlStatus::wrong_kind;
      return of(parse_value(type, token.text, out, arena));
    case Takes::float_:
      if (!is_number && !(is_string && is_no_number(token.text))) return JsonlStatus::wrong_kind;
      return of(parse_value(type, token.text, out, arena));
    case Takes::decimal:
      if (!is_number && !is_string) return JsonlStatus::wrong_kind;
      return convert_decimal(type, token, out, arena);
    case Takes::string:
      if (!is_string) return JsonlStatus::wrong_kind;
      if (type.id == TypeId::blob) {
        return convert_blob(token.text, *static_cast<StringRef*>(out), arena);
      }
      return of(parse_value(type, token.text, out, arena));
    case Takes::any:
      *static_cast<StringRef*>(out) = StringRef::make(token.text);
      return JsonlStatus::ok;
    case Takes::array:
    case Takes::object: break;
  }
  return JsonlStatus::wrong_kind;
}

std::string describe_json(JsonlStatus status, Type type, const JsonlToken& token) {
  switch (status) {
    case JsonlStatus::out_of_range:
      return describe_parse(ParseStatus::out_of_range, type, token.text);
    case JsonlStatus::too_precise:
      return describe_parse(ParseStatus::too_precise, type, token.text);
    case JsonlStatus::wrong_kind:
      return fmt::format("{} was expected for {}, and it is {}: {}", what_is_taken(type),
                         to_string(type), name_of(token.kind), excerpt(token.text));
    default: break;
  }
  if (type.id == TypeId::blob) {
    return fmt::format("\"{}\" is no blob in hexadecimal digits", excerpt(token.text));
  }
  return describe_parse(ParseStatus::malformed, type, token.text);
}

}  // namespace tranche
