// The types of columns, named as DuckDB's SQL names them.
//
// Threads: value types; nested ones may be made by any thread. The physical layout of each type is
// that of DuckDB's flat vectors, so that SQL and Parquet take a column as it is.
// Lifetime: the members of nested types are made once for the whole process and never freed, so a
// Type stays as cheap to copy and to compare as a number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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
  json,       // StringRef, UTF-8 that is one JSON value
  list,       // ListEntry, into a column of elements
  struct_,    // nothing of its own; a column for each member
};

struct TypeMember;

struct Type {
  TypeId id = TypeId::varchar;
  std::uint8_t width = 0;  // of decimal: digits in all, 1 to 38
  std::uint8_t scale = 0;  // of decimal: digits after the point
  // Of a list: its element, without a name. Of a struct: its members, one at least. Else nullptr.
  const std::vector<TypeMember>* members = nullptr;
  bool operator==(const Type&) const = default;  // equal members are the same ones
};

struct TypeMember {
  std::string name;
  Type type;
  bool operator==(const TypeMember&) const = default;
};

Type list_type(Type element);
// REQUIRES at least one member, names that differ, also when case is ignored.
Type struct_type(std::vector<TypeMember> members);
// How deep lists and structs may lie in each other.
inline constexpr std::size_t type_depth_max = 64;

inline Type decimal_type(std::uint8_t width, std::uint8_t scale) {
  return Type{TypeId::decimal, width, scale};
}

// How the values of a type lie in memory.
enum class PhysicalType : std::uint8_t {
  boolean, int8, int16, int32, int64, int128,
  uint8, uint16, uint32, uint64, float32, float64, string, list, structure,
};
PhysicalType physical_type(Type type);
std::size_t physical_bytes(PhysicalType type);  // of one value
// What a value takes in a page on average, its members and a few elements of its lists included;
// the bytes of long strings are not.
std::size_t estimated_bytes(Type type);

// "decimal(12,2)", "varchar[]", "struct(street varchar, zip varchar)"
std::string to_string(Type type);
// Parses DuckDB's names and their usual aliases (int, int64, text, string, numeric, bool, float8,
// datetime, "timestamp with time zone", ...), in any case; lists (varchar[]) and structs
// (struct(street varchar, "zip code" varchar)) of them, in each other too. Errors: config, says
// what was expected and suggests the nearest name.
Result<Type> parse_type(std::string_view text);

bool is_string(Type type);   // varchar, blob or json: values are StringRefs
bool is_numeric(Type type);
bool is_nested(Type type);   // list or struct

}  // namespace tranche
