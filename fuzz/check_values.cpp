#include <cstring>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/text.h"
#include "checks.h"
#include "core/time_format.h"
#include "formats/value_reference.h"

namespace tranche {
namespace {

// Parses a text as a value of the type, compares with the reference, and writes it back.
std::string check_value(Type type, std::string_view text) {
  alignas(16) char value[16] = {};
  Arena arena;
  const ParseStatus status = parse_value(type, text, value, arena);
  const auto expected = reference::parse(type, text);
  const std::string what = fmt::format("\"{}\" as {}", excerpt(text), to_string(type));
  if ((status == ParseStatus::ok) != expected.has_value()) {
    return fmt::format("{} is {}, not {}", what, status == ParseStatus::ok ? "taken" : "refused",
                       expected ? "taken" : "refused");
  }
  if (!expected) return {};
  const std::size_t bytes = physical_bytes(physical_type(type));
  const bool is_float = type.id == TypeId::real || type.id == TypeId::double_;
  const bool is_nan = is_float && reference::lower(text).ends_with("nan");
  if (std::memcmp(value, expected->data(), bytes) != 0 && !is_nan) {
    return fmt::format("{} has another value than the reference", what);
  }
  char written[value_text_bytes_max];
  const char* const end = write_value_text(written, type, value);
  const std::string_view again(written, static_cast<std::size_t>(end - written));
  const auto back = reference::parse(type, again);
  if (!back || (std::memcmp(back->data(), value, bytes) != 0 && !is_nan)) {
    return fmt::format("{} is written as \"{}\", which is another value", what, again);
  }
  return {};
}

// A text read by a format: what is taken is written and read as the same again.
template <class T>
std::string check_format(std::string_view format, std::string_view text, TimeFormat::Use read_use,
                         TimeFormat::Use write_use) {
  const auto in = TimeFormat::compile(format, read_use);
  const auto out = TimeFormat::compile(format, write_use);
  if (in && !out) return fmt::format("format \"{}\" reads, but does not write", excerpt(format));
  if (out) {  // any value can be written
    char written[TimeFormat::written_bytes_max];
    T any = 0;
    std::memcpy(&any, text.data(), std::min(sizeof(any), text.size()));
    const Type type{sizeof(T) == 4 ? TypeId::date : TypeId::timestamp};
    if (write_time_by(*out, written, type, &any) > written + sizeof(written)) return "too long";
  }
  T value = 0;
  if (!in || in->parse(text, value) != ParseStatus::ok) return {};
  char written[TimeFormat::written_bytes_max];
  const Type type{sizeof(T) == 4 ? TypeId::date : TypeId::timestamp};
  const char* const end = write_time_by(*out, written, type, &value);
  const std::string_view again(written, static_cast<std::size_t>(end - written));
  T back = 0;
  const bool is_read = in->parse(again, back) == ParseStatus::ok;
  // An offset that no hours and minutes of the format can take up is lost with them; what is left
  // is written as itself.
  bool is_same = back == value;
  if (!is_same && format.find("%z") != std::string_view::npos) {
    char last[TimeFormat::written_bytes_max];
    const char* const last_end = write_time_by(*out, last, type, &back);
    is_same = std::string_view(last, static_cast<std::size_t>(last_end - last)) == again;
  }
  if (!is_read || !is_same) {
    return fmt::format("\"{}\" by \"{}\" is written as \"{}\", which is another value",
                       excerpt(text), excerpt(format), excerpt(again));
  }
  return {};
}

}  // namespace

std::string check_numbers(std::string_view input) {
  static const Type types[] = {
      {TypeId::boolean}, {TypeId::tinyint}, {TypeId::smallint}, {TypeId::integer},
      {TypeId::bigint}, {TypeId::hugeint}, {TypeId::utinyint}, {TypeId::usmallint},
      {TypeId::uinteger}, {TypeId::ubigint}, {TypeId::real}, {TypeId::double_},
      decimal_type(4, 2), decimal_type(9, 0), decimal_type(12, 2), decimal_type(18, 18),
      decimal_type(19, 5), decimal_type(38, 10), decimal_type(38, 38), {TypeId::uuid}};
  for (const Type type : types) {
    std::string wrong = check_value(type, input);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

std::string check_dates(std::string_view input) {
  const std::size_t line_end = input.find('\n');
  const std::string_view text = input.substr(0, line_end);
  static const Type types[] = {
      {TypeId::date}, {TypeId::time}, {TypeId::timestamp}, {TypeId::timestamptz}};
  for (const Type type : types) {
    std::string wrong = check_value(type, text);
    if (!wrong.empty()) return wrong;
  }
  if (line_end == std::string_view::npos) return {};
  const std::string_view format = input.substr(line_end + 1);
  std::string wrong = check_format<std::int32_t>(format, text, TimeFormat::Use::read_date,
                                                 TimeFormat::Use::write_date);
  if (wrong.empty()) {
    wrong = check_format<std::int64_t>(format, text, TimeFormat::Use::read_timestamp,
                                       TimeFormat::Use::write_timestamp);
  }
  return wrong;
}

}  // namespace tranche
