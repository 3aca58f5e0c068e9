#include "connectors/sqlite_values.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/json.h"
#include "base/text.h"
#include "connectors/sqlite_literals.h"
#include "connectors/sqlite_shape.h"

namespace tranche::sqlite {
namespace {

constexpr std::size_t described_bytes_max = 60;
constexpr double integers_begin = -9223372036854775808.0;  // -2^63
constexpr double integers_end = 9223372036854775808.0;     // 2^63

template <class T> void put(Column& to, std::size_t row, T value) { to.values<T>()[row] = value; }

template <class T> bool put_integer(Column& to, std::size_t row, std::int64_t value) {
  if constexpr (std::is_unsigned_v<T>) {
    if (value < 0 || static_cast<std::uint64_t>(value) > std::numeric_limits<T>::max())
      return false;
  } else if constexpr (sizeof(T) < sizeof value) {
    if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max())
      return false;
  }
  put(to, row, static_cast<T>(value));
  return true;
}

// Through its text, which says exactly what a decimal holds.
bool put_text(Column& to, std::size_t row, std::string_view text, Arena& arena) {
  return parse_value(to.type(), text, to.bytes() + row * to.stride(), arena) == ParseStatus::ok;
}

bool take_integer(std::int64_t value, Column& to, std::size_t row, Arena& arena) {
  switch (to.type().id) {
    case TypeId::boolean:
      return (value == 0 || value == 1) && put_integer<std::uint8_t>(to, row, value);
    case TypeId::tinyint:
      return put_integer<std::int8_t>(to, row, value);
    case TypeId::smallint:
      return put_integer<std::int16_t>(to, row, value);
    case TypeId::integer:
      return put_integer<std::int32_t>(to, row, value);
    case TypeId::bigint:
      return put_integer<std::int64_t>(to, row, value);
    case TypeId::hugeint:
      put(to, row, Int128{value});
      return true;
    case TypeId::utinyint:
      return put_integer<std::uint8_t>(to, row, value);
    case TypeId::usmallint:
      return put_integer<std::uint16_t>(to, row, value);
    case TypeId::uinteger:
      return put_integer<std::uint32_t>(to, row, value);
    case TypeId::ubigint:
      return put_integer<std::uint64_t>(to, row, value);
    case TypeId::real:
    case TypeId::double_: {
      // A whole number that the float only comes near to would be another one.
      const bool is_double = to.type().id == TypeId::double_;
      const double wide =
          is_double ? static_cast<double>(value) : static_cast<double>(static_cast<float>(value));
      if (wide >= integers_end || static_cast<std::int64_t>(wide) != value) return false;
      if (is_double) put(to, row, wide);
      if (!is_double) put(to, row, static_cast<float>(value));
      return true;
    }
    case TypeId::decimal: {
      std::array<char, value_text_bytes_max> text;
      const char* const end = write_integer(text.data(), value);
      return put_text(to, row, {text.data(), static_cast<std::size_t>(end - text.data())}, arena);
    }
    default:
      return false;  // a date as a number may count days, seconds or milliseconds
  }
}

// Without an exponent, which a decimal's text has not.
std::string shortest_decimal(double value) {
  std::array<char, 400> text;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  return {text.data(), end.ptr};
}

bool take_real(double value, Column& to, std::size_t row, Arena& arena) {
  switch (to.type().id) {
    case TypeId::double_:
      put(to, row, value);
      return true;
    case TypeId::real:
      put(to, row, static_cast<float>(value));
      return true;
    case TypeId::decimal: {
      // The shortest text that gives the same double: what was meant by whoever wrote it.
      if (!std::isfinite(value)) return false;
      return put_text(to, row, shortest_decimal(value), arena);
    }
    case TypeId::boolean:
      return false;
    default:
      if (!is_numeric(to.type())) return false;
      if (!(value >= integers_begin && value < integers_end) || std::trunc(value) != value)
        return false;
      return take_integer(static_cast<std::int64_t>(value), to, row, arena);
  }
}

bool take_text(std::string_view text, Column& to, std::size_t row, Arena& arena) {
  switch (to.type().id) {
    case TypeId::blob:
      return false;
    case TypeId::varchar:
    case TypeId::json:
      if (!is_utf8(text)) return false;
      // SQLite's bytes are gone with the next row.
      return put_text(to, row, text.size() <= 12 ? text : arena.copy(text), arena);
    default:
      return put_text(to, row, text, arena);
  }
}

// Whether it is taken as its literal; that of a number is its text.
bool is_spelled(SqliteKind kind, Taken taken) {
  const bool is_number = kind == SqliteKind::integer || kind == SqliteKind::real;
  return is_number || (taken == Taken::literal && kind != SqliteKind::null);
}

// "decimal(12,2)" and "numeric (12, 2)" alike.
std::optional<Type> decimal_of(const std::string& declared) {
  if (!declared.starts_with("decimal") && !declared.starts_with("numeric")) return std::nullopt;
  if (declared.find('(') == std::string::npos) return std::nullopt;
  const auto type = parse_type(declared);
  if (!type || type->id != TypeId::decimal) return std::nullopt;
  return *type;
}

}  // namespace

std::optional<Type> type_of_declaration(std::string_view declared) {
  const std::string name = to_lower(trim(declared));
  if (name.empty()) return std::nullopt;
  for (const std::string_view ours : {"boolean", "bool", "date", "time", "timestamp", "datetime",
                                      "timestamptz", "timestamp with time zone", "uuid", "json"}) {
    if (name == ours) return *parse_type(name);
  }
  if (const auto decimal = decimal_of(name)) return decimal;
  TableColumn column;
  column.declared = name;
  switch (affinity_of(column, false)) {
    case Affinity::integer:
      return Type{TypeId::bigint};
    case Affinity::text:
      return Type{TypeId::varchar};
    case Affinity::blob:
      return Type{TypeId::blob};
    case Affinity::real:
    case Affinity::numeric:
      break;
  }
  return name == "any" ? std::nullopt : std::optional(Type{TypeId::double_});
}

bool take_value(const SqliteStatement& from, int at, Column& to, std::size_t row, Arena& arena,
                Taken taken) {
  if (taken != Taken::as_typed && is_spelled(from.kind(at), taken)) {
    thread_local std::string text;  // none is allocated for each value
    text.clear();
    append_literal(text, from, at);
    to.set_valid(row);
    return put_text(to, row, text.size() <= 12 ? std::string_view(text) : arena.copy(text), arena);
  }
  switch (from.kind(at)) {
    case SqliteKind::null:
      to.set_null(row);
      return true;
    case SqliteKind::integer:
      to.set_valid(row);
      return take_integer(from.integer(at), to, row, arena);
    case SqliteKind::real:
      to.set_valid(row);
      return take_real(from.real(at), to, row, arena);
    case SqliteKind::text:
      to.set_valid(row);
      return take_text(from.text(at), to, row, arena);
    case SqliteKind::blob:
      break;
  }
  to.set_valid(row);
  if (to.type().id != TypeId::blob) return false;
  const std::string_view bytes = from.blob(at);
  to.values<StringRef>()[row] = StringRef::make(bytes.size() <= 12 ? bytes : arena.copy(bytes));
  return true;
}

std::string describe_value(const SqliteStatement& from, int at) {
  switch (from.kind(at)) {
    case SqliteKind::null:
      return "null";
    case SqliteKind::integer:
      return fmt::format("the number {}", from.integer(at));
    case SqliteKind::real:
      return fmt::format("the number {}", from.real(at));
    case SqliteKind::text:
      if (is_utf8(from.text(at)))
        return fmt::format("the text '{}'", excerpt(from.text(at), described_bytes_max));
      return fmt::format("text that is no UTF-8, x'{}'",
                         hex(from.text(at).substr(0, described_bytes_max / 2)));
    case SqliteKind::blob:
      break;
  }
  return fmt::format("the blob x'{}'", hex(from.blob(at).substr(0, described_bytes_max / 2)));
}

std::string row_as_json(const SqliteStatement& from, int columns) {
  Json::Object row;
  for (int at = 0; at < columns; ++at) {
    Json value;
    const SqliteKind kind = from.kind(at);
    if (kind == SqliteKind::integer) value = from.integer(at);
    if (kind == SqliteKind::real) value = from.real(at);
    if (kind == SqliteKind::text && is_utf8(from.text(at))) value = from.text(at);
    if (kind == SqliteKind::text && !is_utf8(from.text(at))) value = hex(from.text(at));
    if (kind == SqliteKind::blob) value = hex(from.blob(at));
    row.emplace_back(from.column_name(at), std::move(value));
  }
  return Json(std::move(row)).dump();
}

}  // namespace tranche::sqlite
