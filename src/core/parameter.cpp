#include <tranche/core/parameter.h>

#include <fmt/format.h>

#include <tranche/core/value.h>
#include "base/text.h"

namespace tranche {
namespace {

std::string_view example_of(Type type) {
  switch (type.id) {
    case TypeId::boolean:
      return "true";
    case TypeId::real:
    case TypeId::double_:
      return "0.5";
    case TypeId::decimal:
      return type.scale == 0 ? "12" : "12.5";
    case TypeId::date:
      return "2026-01-31";
    case TypeId::time:
      return "12:34:56";
    case TypeId::timestamp:
      return "2026-01-31T12:34:56";
    case TypeId::timestamptz:
      return "2026-01-31T12:34:56Z";
    case TypeId::varchar:
      return "text";
    case TypeId::blob:
      return "\\xFF";
    case TypeId::uuid:
      return "01234567-89ab-cdef-0123-456789abcdef";
    case TypeId::json:
      return R"({"a": 1})";
    default:
      return "12";
  }
}

}  // namespace

Result<Parameter> make_parameter(std::string name, Type type, std::string_view text) {
  if (is_nested(type))
    return make_error(ErrorKind::config,
                      fmt::format("Parameter \"{}\" can't be of the nested type {}; give it as "
                                  "json, and cast it in SQL.", name, to_string(type)));
  alignas(16) char value[16];
  Arena arena;
  const ParseStatus status = parse_value(type, text, value, arena);
  if (status != ParseStatus::ok)
    return make_error(ErrorKind::usage,
                      fmt::format("Parameter \"{}\": {}; write it like {}.", name,
                                  describe_parse(status, type, text), example_of(type)));
  if ((type.id == TypeId::varchar || type.id == TypeId::json) && !is_utf8(text))
    return make_error(
        ErrorKind::usage,
        fmt::format("Parameter \"{}\": \"{}\" is not UTF-8; text must be.", name, excerpt(text)));
  Parameter parameter{std::move(name), type, {}, false};
  append_value_text(parameter.text, type, value);
  return parameter;
}

}  // namespace tranche
