// Values -> text.
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include <tranche/core/value.h>

#include "core/digits.h"
#include "core/timestamp_writer.h"

namespace tranche {
namespace {

constexpr std::int64_t microseconds_per_second = 1'000'000;
constexpr std::int64_t microseconds_per_day = 86'400 * microseconds_per_second;

char* put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// The two digits of a number below 100.
char* put_pair(char* out, std::uint64_t value) {
  static constexpr char pairs[] =
      "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
      "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
      "8081828384858687888990919293949596979899";
  std::memcpy(out, pairs + 2 * value, 2);
  return out + 2;
}

template <class T>
T load(const void* value) {
  T loaded;
  std::memcpy(&loaded, value, sizeof(T));
  return loaded;
}

char* put_unsigned128(char* out, UInt128 value) {
  constexpr std::uint64_t limb = 10'000'000'000'000'000'000ULL;  // 10^19
  if (value <= UINT64_MAX) return put_unsigned(out, static_cast<std::uint64_t>(value));
  out = put_unsigned128(out, value / limb);
  return put_padded(out, static_cast<std::uint64_t>(value % limb), 19);
}

char* put_integer128(char* out, Int128 value) {
  if (value >= 0) return put_unsigned128(out, static_cast<UInt128>(value));
  *out++ = '-';
  return put_unsigned128(out, UInt128{0} - static_cast<UInt128>(value));
}

char* put_decimal128(char* out, Int128 scaled, std::size_t scale) {
  if (scaled < 0) *out++ = '-';
  const UInt128 magnitude =
      scaled < 0 ? UInt128{0} - static_cast<UInt128>(scaled) : static_cast<UInt128>(scaled);
  if (scale == 0) return put_unsigned128(out, magnitude);
  char digits[56];
  const auto count = static_cast<std::size_t>(put_unsigned128(digits, magnitude) - digits);
  if (count > scale) {
    out = put(out, {digits, count - scale});
    *out++ = '.';
    return put(out, {digits + count - scale, scale});
  }
  out = put(out, "0.");
  for (std::size_t i = count; i < scale; ++i) *out++ = '0';
  return put(out, {digits, count});
}

char* put_decimal(char* out, Type type, const void* value) {
  switch (physical_type(type)) {
    case PhysicalType::int16: return write_decimal(out, load<std::int16_t>(value), type.scale);
    case PhysicalType::int32: return write_decimal(out, load<std::int32_t>(value), type.scale);
    case PhysicalType::int64: return write_decimal(out, load<std::int64_t>(value), type.scale);
    default: return put_decimal128(out, load<Int128>(value), type.scale);
  }
}

template <class T>
char* put_float(char* out, T value) {
  if (std::isnan(value)) return put(out, "nan");
  if (std::isinf(value)) return put(out, value < 0 ? "-inf" : "inf");
  return std::to_chars(out, out + value_text_bytes_max, value).ptr;  // shortest that parses back
}

char* put_date(char* out, std::int64_t days) {
  const CivilDay civil = civil_from_days(days);
  const auto year = static_cast<std::uint64_t>(civil.year < 0 ? -civil.year : civil.year);
  if (civil.year < 0) *out++ = '-';
  if (year > 9999) {
    if (civil.year > 0) *out++ = '+';
    out = put_unsigned(out, year);
  } else {
    out = put_pair(put_pair(out, year / 100), year % 100);
  }
  *out++ = '-';
  out = put_pair(out, civil.month);
  *out++ = '-';
  return put_pair(out, civil.day);
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

char* write_integer(char* out, std::int64_t value) { return put_integer(out, value); }

char* write_decimal(char* out, std::int64_t scaled, unsigned scale) {
  return scale == 0 ? put_integer(out, scaled) : put_decimal64(out, scaled, scale);
}

char* write_timestamp(char* out, std::int64_t microseconds) {
  if (is_infinity(microseconds)) return put_infinity(out, microseconds < 0);
  return put_timestamp(out, microseconds);
}

const TimestampWriter::Day* TimestampWriter::name_day(std::int64_t number) {
  char text[value_text_bytes_max];
  char* const end = put_date(text, number);
  if (end - text + 1 != day_bytes) return nullptr;
  *end = 'T';
  Day& day = days_[static_cast<std::uint64_t>(number) % days_count];
  day.number = number;
  std::memcpy(day.text, text, day_bytes);
  return &day;
}

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
    case TypeId::ubigint: return put_unsigned(out, load<std::uint64_t>(value));
    case TypeId::real: return put_float(out, load<float>(value));
    case TypeId::double_: return put_float(out, load<double>(value));
    case TypeId::decimal: return put_decimal(out, type, value);
    case TypeId::date: {
      const auto days = load<std::int32_t>(value);
      return is_infinity(days) ? put_infinity(out, days < 0) : put_date(out, days);
    }
    case TypeId::time: return put_time(out, load<std::int64_t>(value));
    case TypeId::timestamp: return write_timestamp(out, load<std::int64_t>(value));
    case TypeId::timestamptz: {
      const auto microseconds = load<std::int64_t>(value);
      out = write_timestamp(out, microseconds);
      if (!is_infinity(microseconds)) *out++ = 'Z';
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
