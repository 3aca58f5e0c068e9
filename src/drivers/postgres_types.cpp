// Which of PostgreSQL's types stands for which of ours.
#include <fmt/format.h>

#include "drivers/postgres_copy.h"

namespace tranche {
namespace {

struct Known {
  TypeId id;
  PostgresWire wire;
  std::uint32_t oid;  // of pg_type, fixed for built-in types
  const char* name;
};

// The type of a column that is made for ours: the smallest one that holds all its values.
constexpr Known known_types[] = {
    {TypeId::boolean, PostgresWire::boolean, 16, "boolean"},
    {TypeId::tinyint, PostgresWire::int2, 21, "smallint"},
    {TypeId::smallint, PostgresWire::int2, 21, "smallint"},
    {TypeId::integer, PostgresWire::int4, 23, "integer"},
    {TypeId::bigint, PostgresWire::int8, 20, "bigint"},
    {TypeId::hugeint, PostgresWire::numeric, 1700, "numeric(39,0)"},
    {TypeId::utinyint, PostgresWire::int2, 21, "smallint"},
    {TypeId::usmallint, PostgresWire::int4, 23, "integer"},
    {TypeId::uinteger, PostgresWire::int8, 20, "bigint"},
    {TypeId::ubigint, PostgresWire::numeric, 1700, "numeric(20,0)"},
    {TypeId::real, PostgresWire::float4, 700, "real"},
    {TypeId::double_, PostgresWire::float8, 701, "double precision"},
    {TypeId::decimal, PostgresWire::numeric, 1700, "numeric"},
    {TypeId::date, PostgresWire::date, 1082, "date"},
    {TypeId::time, PostgresWire::time, 1083, "time"},
    {TypeId::timestamp, PostgresWire::timestamp, 1114, "timestamp"},
    {TypeId::timestamptz, PostgresWire::timestamptz, 1184, "timestamp with time zone"},
    {TypeId::varchar, PostgresWire::text, 25, "text"},
    {TypeId::blob, PostgresWire::bytea, 17, "bytea"},
    {TypeId::uuid, PostgresWire::uuid, 2950, "uuid"},
    // Not jsonb, which would change the text: the order of keys, doubled ones, blanks.
    {TypeId::json, PostgresWire::json, 114, "json"},
};
constexpr const char* nested_name = "jsonb";

const Known* find(Type type) {
  for (const Known& known : known_types) {
    if (known.id == type.id) return &known;
  }
  return nullptr;
}

bool is_array(Type type) { return type.id == TypeId::list && !is_nested((*type.members)[0].type); }

}  // namespace

std::optional<PostgresWire> postgres_wire(std::uint32_t oid) {
  switch (oid) {
    case 19:    // name
    case 1042:  // char(n)
    case 1043:  // varchar
      return PostgresWire::text;
    case 3802:
      return PostgresWire::jsonb;
    default:
      break;
  }
  for (const Known& known : known_types) {
    if (known.oid == oid) return known.wire;
  }
  return std::nullopt;
}

PostgresType postgres_type_for(Type type) {
  if (is_array(type)) {
    const Known& element = *find((*type.members)[0].type);
    return PostgresType{PostgresWire::array, element.wire, element.oid};
  }
  const Known* const known = find(type);
  return PostgresType{known != nullptr ? known->wire : PostgresWire::jsonb, {}, 0};
}

std::string postgres_type_name(Type type) {
  if (is_array(type)) return postgres_type_name((*type.members)[0].type) + "[]";
  if (type.id == TypeId::decimal) return fmt::format("numeric({},{})", type.width, type.scale);
  const Known* const known = find(type);
  return known != nullptr ? known->name : nested_name;
}

}  // namespace tranche
