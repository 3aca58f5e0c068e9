// The types of columns, named as DuckDB's SQL names them.
//
// Threads: value types. The physical layout of each type is that of DuckDB's flat vectors, so that
// SQL and Parquet take a column as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <tranche/base/result.h>

namespace tranche {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;

enum class TypeId : std::uint8_t {
  boolean,    // uint8_t, 0 or 1
  tinyint,    // int8_t
  smallint,   // int16_t
  integer,    // int32_t
  bigint,     // int64_t
  hugeint,    // Int128, whose bytes on little-endian machines are DuckDB's
  utinyint,
  usmallint,
  uinteger,
  ubigint,
  real,       // float
  double_,    // double
  decimal,    // scaled by 10^scale; width <= 4: int16_t, <= 9: int32_t, <= 18: int64_t, else Int128
  date,       // int32_t, days since 1970-01-01
  time,       // int64_t, microseconds since midnight
  timestamp,  // int64_t, microseconds since 1970-01-01 00:00:00, no zone
  timestamptz,  // int64_t, microseconds since 1970-01-01 00:00:00 UTC
  varchar,    // StringRef, UTF-8
  blob,       // StringRef, any bytes
  uuid,       // Int128 in DuckDB's order (top bit flipped)
};

struct Type {
  TypeId id = TypeId::varchar;
  std::uint8_t width = 0;  // of decimal: digits in all, 1 to 38
  std::uint8_t scale = 0;  // of decimal: digits after the point
  bool operator==(const Type&) const = default;
};

inline Type decimal_type(std::uint8_t width, std::uint8_t scale) {
  return Type{TypeId::decimal, width, scale};
}

// How the values of a type lie in memory.
enum class PhysicalType : std::uint8_t {
  boolean, int8, int16, int32, int64, int128,
  uint8, uint16, uint32, uint64, float32, float64, string,
};
PhysicalType physical_type(Type type);
std::size_t physical_bytes(PhysicalType type);  // of one value

std::string to_string(Type type);  // "decimal(12,2)"
// Parses DuckDB's names and their usual aliases (int, int64, text, string, numeric, bool, float8,
// datetime, "timestamp with time zone", ...), in any case. Errors: config, says what was expected
// and suggests the nearest name.
Result<Type> parse_type(std::string_view text);

bool is_string(Type type);   // varchar or blob
bool is_numeric(Type type);

}  // namespace tranche
