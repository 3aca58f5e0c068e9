// Values -> text.
#include <charconv>
#include <cmath>
#include <cstring>

#include <tranche/core/value.h>

namespace tranche {
namespace {

constexpr std::int64_t microseconds_per_second = 1'000'000;
constexpr std::int64_t microseconds_per_day = 86'400 * microseconds_per_second;

char* put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// Exactly `digits` digits, with zeros in front.
char* put_padded(char* out, std::uint64_t value, unsigned digits) {
  for (unsigned i = digits; i-- > 0; value /= 10) out[i] = static_cast<char>('0' + value % 10);
  return out + digits;
}

template <class T>
T load(const void* value) {
  T loaded;
  std::memcpy(&loaded, value, sizeof(T));
  return loaded;
}

template <class T>
char* put_integer(char* out, T value) {
  return std::to_chars(out, out + value_text_bytes_max, value).ptr;
}

char* put_unsigned128(char* out, UInt128 value) {
  constexpr std::uint64_t limb = 10'000'000'000'000'000'000ULL;  // 10^19
  if (value <= UINT64_MAX) return put_integer(out, static_cast<std::uint64_t>(value));
  out = put_unsigned128(out, value / limb);
  return put_padded(out, static_cast<std::uint64_t>(value % limb), 19);
}

char* put_integer128(char* out, Int128 value) {
  if (value >= 0) return put_unsigned128(out, static_cast<UInt128>(value));
  *out++ = '-';
  return put_unsigned128(out, UInt128{0} - static_cast<UInt128>(value));
}

Int128 load_decimal(Type type, const void* value) {
  switch (physical_type(type)) {
    case PhysicalType::int16: return load<std::int16_t>(value);
    case PhysicalType::int32: return load<std::int32_t>(value);
    case PhysicalType::int64: return load<std::int64_t>(value);
    default: return load<Int128>(value);
  }
}

char* put_decimal(char* out, Type type, const void* value) {
  const Int128 scaled = load_decimal(type, value);
  if (scaled < 0) *out++ = '-';
  const UInt128 magnitude =
      scaled < 0 ? UInt128{0} - static_cast<UInt128>(scaled) : static_cast<UInt128>(scaled);
  if (type.scale == 0) return put_unsigned128(out, magnitude);
  if (magnitude <= UINT64_MAX && type.scale <= 18) {
    const std::uint64_t unit = value_detail::powers_of_10[type.scale];
    const auto small = static_cast<std::uint64_t>(magnitude);
    out = put_integer(out, small / unit);
    *out++ = '.';
    return put_padded(out, small % unit, type.scale);
  }
  char digits[48];
  const auto count = static_cast<std::size_t>(put_unsigned128(digits, magnitude) - digits);
  const std::size_t scale = type.scale;
  if (count > scale) {
    out = put(out, {digits, count - scale});
    *out++ = '.';
    return put(out, {digits + count - scale, scale});
  }
  out = put(out, "0.");
  for (std::size_t i = count; i < scale; ++i) *out++ = '0';
  return put(out, {digits, count});
}

template <class T>
char* put_float(char* out, T value) {
  if (std::isnan(value)) return put(out, "nan");
  if (std::isinf(value)) return put(out, value < 0 ? "-inf" : "inf");
  return put_integer(out, value);  // std::to_chars: shortest that parses back
}

char* put_date(char* out, std::int64_t days) {
  const CivilDay civil = civil_from_days(days);
  const auto year = static_cast<std::uint64_t>(civil.year < 0 ? -civil.year : civil.year);
  if (civil.year < 0) *out++ = '-';
  if (civil.year > 9999) *out++ = '+';
  out = year > 9999 ? put_integer(out, year) : put_padded(out, year, 4);
  *out++ = '-';
  out = put_padded(out, civil.month, 2);
  *out++ = '-';
  return put_padded(out, civil.day, 2);
}

char* put_time(char* out, std::int64_t microseconds) {
  const auto rest = static_cast<std::uint64_t>(microseconds % microseconds_per_second);
  const auto seconds = static_cast<std::uint64_t>(microseconds / microseconds_per_second);
  out = put_padded(out, seconds / 3600, 2);
  *out++ = ':';
  out = put_padded(out, seconds / 60 % 60, 2);
  *out++ = ':';
  out = put_padded(out, seconds % 60, 2);
  if (rest == 0) return out;
  *out++ = '.';
  return rest % 1000 == 0 ? put_padded(out, rest / 1000, 3) : put_padded(out, rest, 6);
}

char* put_timestamp(char* out, std::int64_t microseconds) {
  std::int64_t days = microseconds / microseconds_per_day;
  std::int64_t of_day = microseconds % microseconds_per_day;
  if (of_day < 0) --days, of_day += microseconds_per_day;
  out = put_date(out, days);
  *out++ = 'T';
  return put_time(out, of_day);
}

template <class T>
bool is_infinity(T value) {
  return value == std::numeric_limits<T>::max() || value == -std::numeric_limits<T>::max();
}

char* put_infinity(char* out, bool negative) {
  return put(out, negative ? "-infinity" : "infinity");
}

char* put_uuid(char* out, Int128 value) {
  const UInt128 bits = static_cast<UInt128>(value) ^ (UInt128{1} << 127);
  for (unsigned i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) *out++ = '-';
    *out++ = "0123456789abcdef"[static_cast<unsigned>(bits >> (124 - 4 * i)) & 15];
  }
  return out;
}

void append_blob(std::string& out, std::string_view bytes) {
  for (const char c : bytes) {
    if (c >= 0x20 && c < 0x7f && c != '\\' && c != '"' && c != '\'') {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += "\\x";
    out += "0123456789ABCDEF"[byte >> 4];
    out += "0123456789ABCDEF"[byte & 15];
  }
}

}  // namespace

char* write_value_text(char* out, Type type, const void* value) {
  switch (type.id) {
    case TypeId::boolean: return put(out, load<std::uint8_t>(value) != 0 ? "true" : "false");
    case TypeId::tinyint: return put_integer(out, load<std::int8_t>(value));
    case TypeId::smallint: return put_integer(out, load<std::int16_t>(value));
    case TypeId::integer: return put_integer(out, load<std::int32_t>(value));
    case TypeId::bigint: return put_integer(out, load<std::int64_t>(value));
    case TypeId::hugeint: return put_integer128(out, load<Int128>(value));
    case TypeId::utinyint: return put_integer(out, load<std::uint8_t>(value));
    case TypeId::usmallint: return put_integer(out, load<std::uint16_t>(value));
    case TypeId::uinteger: return put_integer(out, load<std::uint32_t>(value));
    case TypeId::ubigint: return put_integer(out, load<std::uint64_t>(value));
    case TypeId::real: return put_float(out, load<float>(value));
    case TypeId::double_: return put_float(out, load<double>(value));
    case TypeId::decimal: return put_decimal(out, type, value);
    case TypeId::date: {
      const auto days = load<std::int32_t>(value);
      return is_infinity(days) ? put_infinity(out, days < 0) : put_date(out, days);
    }
    case TypeId::time: return put_time(out, load<std::int64_t>(value));
    case TypeId::timestamp:
    case TypeId::timestamptz: {
      const auto microseconds = load<std::int64_t>(value);
      if (is_infinity(microseconds)) return put_infinity(out, microseconds < 0);
      out = put_timestamp(out, microseconds);
      if (type.id == TypeId::timestamptz) *out++ = 'Z';
      return out;
    }
    case TypeId::uuid: return put_uuid(out, load<Int128>(value));
    case TypeId::varchar:
    case TypeId::blob:
    case TypeId::json:
    case TypeId::list:
    case TypeId::struct_: break;
  }
  return out;
}

void append_value_text(std::string& out, Type type, const void* value) {
  if (is_string(type)) {
    const std::string_view bytes = static_cast<const StringRef*>(value)->view();
    if (type.id == TypeId::blob) return append_blob(out, bytes);
    out += bytes;
    return;
  }
  char text[value_text_bytes_max];
  out.append(text, static_cast<std::size_t>(write_value_text(text, type, value) - text));
}

void append_value_text(std::string& out, const Column& column, std::size_t row) {
  if (!column.is_valid(row)) return;
  if (is_nested(column.type())) return append_json_value(out, column, row);
  append_value_text(out, column.type(), column.bytes() + row * column.stride());
}

}  // namespace tranche
