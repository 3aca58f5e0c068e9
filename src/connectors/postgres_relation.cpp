#include "connectors/postgres_relation.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "connectors/table_query.h"

namespace tranche::postgres {
namespace {

// What is read goes by this name in its SQL: a bare column in ORDER BY would be the one of the
// result, which may have been made a text.
constexpr const char* alias = "tranche_source";
constexpr std::uint32_t numeric_oid = 1700;
constexpr std::uint64_t text_bytes_guess = 32;  // of a text that no statistics speak of

// numeric(p,s) as a decimal; nullopt: it has no bounds, or is wider than ours.
std::optional<Type> decimal_of(std::int32_t modifier) {
  if (modifier < 4) return std::nullopt;
  const int precision = ((modifier - 4) >> 16) & 0xffff;
  const int scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024;
  if (precision > 38 || scale < 0 || scale > precision) return std::nullopt;
  return decimal_type(static_cast<std::uint8_t>(precision), static_cast<std::uint8_t>(scale));
}

std::optional<Type> type_of(PostgresWire wire) {
  switch (wire) {
    case PostgresWire::boolean:
      return Type{TypeId::boolean};
    case PostgresWire::int2:
      return Type{TypeId::smallint};
    case PostgresWire::int4:
      return Type{TypeId::integer};
    case PostgresWire::int8:
      return Type{TypeId::bigint};
    case PostgresWire::float4:
      return Type{TypeId::real};
    case PostgresWire::float8:
      return Type{TypeId::double_};
    case PostgresWire::date:
      return Type{TypeId::date};
    case PostgresWire::time:
      return Type{TypeId::time};
    case PostgresWire::timestamp:
      return Type{TypeId::timestamp};
    case PostgresWire::timestamptz:
      return Type{TypeId::timestamptz};
    case PostgresWire::text:
      return Type{TypeId::varchar};
    case PostgresWire::bytea:
      return Type{TypeId::blob};
    case PostgresWire::uuid:
      return Type{TypeId::uuid};
    case PostgresWire::json:
    case PostgresWire::jsonb:
      return Type{TypeId::json};
    case PostgresWire::numeric:
    case PostgresWire::array:
      break;
  }
  return std::nullopt;
}

// What comes of a column when the job says nothing of it.
struct Mapped {
  Type type;
  PostgresType wire;
  bool is_text_of = false;  // of a type that is ours in text only
};

Result<Mapped> map_column(const ServerColumn& column) {
  if (column.oid == numeric_oid) {
    const auto decimal = decimal_of(column.modifier);
    if (decimal) return Mapped{*decimal, {PostgresWire::numeric, {}, 0}};
    return make_error(
        ErrorKind::config,
        fmt::format("Column \"{}\" is {}, whose values have no bounds that a decimal has. Say as "
                    "what to read it: columns: {{ {}: \"decimal(38,9)\" }} (a value that does not "
                    "fit is a reject), double or varchar.",
                    column.name, column.type, column.name));
  }
  if (const auto wire = postgres_wire(column.oid)) {
    return Mapped{*type_of(*wire), {*wire, {}, 0}};
  }
  if (column.element != 0 && column.type.ends_with("[]")) {
    const auto element = postgres_wire(column.element);
    const auto decimal = decimal_of(column.modifier);
    if (element == PostgresWire::numeric && decimal) {
      return Mapped{list_type(*decimal), {PostgresWire::array, *element, column.element}};
    }
    if (element && type_of(*element)) {
      return Mapped{list_type(*type_of(*element)), {PostgresWire::array, *element, column.element}};
    }
  }
  return Mapped{Type{TypeId::varchar}, {PostgresWire::text, {}, 0}, true};
}

// How a column is read as the type that the job declares; nullopt: it can't be.
std::optional<RelationColumn> read_as(const ServerColumn& column, Type declared) {
  const std::string name = postgres_identifier(column.name);
  const auto wire = postgres_wire(column.oid);
  const auto own = map_column(column);
  if (own && own->type == declared) {
    return RelationColumn{own->is_text_of ? name + "::text" : name, own->wire};
  }
  if (declared.id == TypeId::varchar) {
    return RelationColumn{name + "::text", {PostgresWire::text, {}, 0}};
  }
  if (wire == PostgresWire::numeric && declared.id == TypeId::decimal) {
    return RelationColumn{name, {PostgresWire::numeric, {}, 0}};
  }
  const bool is_number = wire == PostgresWire::int2 || wire == PostgresWire::int4 ||
                         wire == PostgresWire::int8 || wire == PostgresWire::float4 ||
                         wire == PostgresWire::numeric;
  const PostgresType into = postgres_type_for(declared);
  const auto rank = [](PostgresWire of) { return static_cast<int>(of); };  // int2 < int4 < int8
  if (is_number && wire != PostgresWire::numeric && wire != PostgresWire::float4 &&
      (declared.id == TypeId::integer || declared.id == TypeId::bigint) &&
      rank(*wire) < rank(into.wire)) {
    return RelationColumn{fmt::format("{}::{}", name, postgres_type_name(declared)), into};
  }
  if (is_number && declared.id == TypeId::double_) {
    return RelationColumn{name + "::double precision", {PostgresWire::float8, {}, 0}};
  }
  if (declared.id == TypeId::json && wire == PostgresWire::text) {
    return RelationColumn{name + "::json", {PostgresWire::json, {}, 0}};
  }
  return std::nullopt;
}

Result<std::vector<ServerColumn>> server_columns(PostgresConnection& connection,
                                                 const std::string& from) {
  TRANCHE_ASSIGN(const auto head, connection.query(fmt::format("SELECT * FROM {} LIMIT 0", from)));
  std::vector<ServerColumn> columns;
  std::string oids = "{";
  std::string modifiers = "{";
  for (std::size_t i = 0; i < head.column_count(); ++i) {
    ServerColumn column;
    column.name = head.column_name(i);
    column.oid = head.column_type(i);
    column.modifier = head.column_modifier(i);
    oids += fmt::format("{}{}", i == 0 ? "" : ",", column.oid);
    modifiers += fmt::format("{}{}", i == 0 ? "" : ",", column.modifier);
    columns.push_back(std::move(column));
  }
  TRANCHE_ASSIGN(const auto types,
                 connection.query("SELECT t.typelem, format_type(t.oid, c.modifier) FROM "
                                  "unnest($1::oid[], $2::integer[]) WITH ORDINALITY AS c (oid, "
                                  "modifier, number) LEFT JOIN pg_type t ON t.oid = c.oid ORDER BY "
                                  "c.number",
                                  oids + "}", modifiers + "}"));
  for (std::size_t i = 0; i < columns.size() && i < types.size(); ++i) {
    if (types.is_null(i, 0)) continue;
    columns[i].element = static_cast<std::uint32_t>(types.natural(i, 0));
    columns[i].type = types.string(i, 1);
  }
  return columns;
}

const ServerColumn* find(const std::vector<ServerColumn>& columns, std::string_view name) {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const auto& column) { return column.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

Result<void> choose_columns(const std::vector<ServerColumn>& there, const Schema& declared,
                            Relation& relation) {
  Schema schema;
  for (const ServerColumn& column : there) {
    if (!declared.fields.empty()) break;
    TRANCHE_ASSIGN(const Mapped mapped, map_column(column));
    std::string expression = postgres_identifier(column.name);
    if (mapped.is_text_of) {
      expression += "::text";
      relation.notes.push_back(
          fmt::format("Column \"{}\" ({}) is read as text.", column.name, column.type));
    }
    schema.fields.push_back({column.name, mapped.type});
    relation.columns.push_back({std::move(expression), mapped.wire});
  }
  for (const Field& field : declared.fields) {
    const ServerColumn* const column = find(there, field.name);
    if (column == nullptr) {
      std::vector<std::string> names;
      for (const ServerColumn& one : there) names.push_back(one.name);
      return make_error(ErrorKind::config,
                        fmt::format("{} has no column \"{}\"; it has {}.", relation.name,
                                    field.name, join(names, ", ")));
    }
    auto read = read_as(*column, field.type);
    if (!read) {
      return make_error(
          ErrorKind::config,
          fmt::format("Column \"{}\" of {} is {} and can't be read as {}.", field.name,
                      relation.name, column->type, to_string(field.type)));
    }
    schema.fields.push_back(field);
    relation.columns.push_back(*std::move(read));
  }
  relation.schema = std::make_shared<const Schema>(std::move(schema));
  return {};
}

// public.sales -> "public"."sales"; a part in quotes is taken as it is.
std::string quoted_table(std::string_view table) {
  std::string out;
  std::string part;
  bool in_quotes = false;
  for (const char byte : table) {
    if (byte == '"') {
      in_quotes = !in_quotes;
    } else if (byte == '.' && !in_quotes) {
      out += postgres_identifier(part) + ".";
      part.clear();
    } else {
      part += byte;
    }
  }
  return out + postgres_identifier(part);
}

void estimate_records(Relation& relation, double records) {
  std::uint64_t memory = 0;
  for (const Field& field : relation.schema->fields) {
    memory += estimated_bytes(field.type) + (is_string(field.type) ? text_bytes_guess : 0);
  }
  const bool is_known = records > 0 && relation.bytes > 0;
  relation.record_bytes = std::max<std::uint64_t>(
      1, is_known ? static_cast<std::uint64_t>(static_cast<double>(relation.bytes) / records)
                  : memory);
  relation.record_memory_bytes = std::max(memory, relation.record_bytes) + 1;
}

Result<void> find_own_key(PostgresConnection& connection, Relation& relation) {
  TRANCHE_ASSIGN(const auto primary,
                 connection.query("SELECT a.attname FROM pg_index i JOIN pg_attribute a ON "
                                  "a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE "
                                  "i.indrelid = $1::oid AND i.indisprimary",
                                  relation.oid));
  if (primary.size() == 1) {
    TRANCHE_ASSIGN(relation.own_key, describe_key(connection, relation, primary.string(0, 0)));
  } else if (relation.has_addresses) {
    relation.own_key = RelationKey{.expression = fmt::format("{}.ctid", alias),
                                   .type = "tid",
                                   .name = "the place of its rows",
                                   .tie_breaker = {},
                                   .is_address = true};
  }
  return {};
}

Result<Relation> describe_table(PostgresConnection& connection, const RelationUse& use) {
  Relation relation;
  relation.name = use.table;
  const std::string table = quoted_table(use.table);
  relation.from = fmt::format("{} AS {}", table, alias);
  TRANCHE_ASSIGN(const auto found,
                 connection.query("SELECT oid, relkind, reltuples, pg_table_size(oid) FROM "
                                  "pg_class WHERE oid = to_regclass($1)",
                                  table));
  if (found.size() == 0) {
    return make_error(ErrorKind::config, fmt::format("{} has no table or view \"{}\".",
                                                     to_string(connection.place()), use.table));
  }
  relation.oid = static_cast<std::uint32_t>(found.natural(0, 0));
  const std::string kind = found.string(0, 1);
  relation.has_addresses = kind == "r" || kind == "m";
  relation.bytes = relation.has_addresses ? found.natural(0, 3) : 0;
  TRANCHE_ASSIGN(const auto columns, server_columns(connection, relation.from));
  TRANCHE_TRY(choose_columns(columns, use.columns, relation));
  estimate_records(relation, std::strtod(found.string(0, 2).c_str(), nullptr));
  TRANCHE_TRY(find_own_key(connection, relation));
  return relation;
}

}  // namespace

ColumnReading reading_of(const ServerColumn& column) {
  const auto mapped = map_column(column);
  return mapped ? ColumnReading{mapped->type, mapped->is_text_of}
                : ColumnReading{Type{TypeId::varchar}, true};
}

std::vector<PostgresType> Relation::wires() const {
  std::vector<PostgresType> wires;
  for (const RelationColumn& column : columns) wires.push_back(column.wire);
  return wires;
}

Result<Relation> describe_relation(PostgresConnection& connection, const RelationUse& use) {
  if (!use.table.empty()) return describe_table(connection, use);
  Relation relation;
  relation.name = "query";
  const std::string query = without_semicolon(use.query);
  // On lines of its own: it may end with a comment.
  relation.from = fmt::format("(\n{}\n) AS {}", query, alias);
  TRANCHE_ASSIGN(const auto columns, server_columns(connection, relation.from));
  TRANCHE_TRY(choose_columns(columns, use.columns, relation));
  estimate_records(relation, 0);
  return relation;
}

Result<RelationKey> describe_key(PostgresConnection& connection, const Relation& relation,
                                 const std::string& column) {
  TRANCHE_ASSIGN(const auto columns, server_columns(connection, relation.from));
  const ServerColumn* const found = find(columns, column);
  if (found == nullptr) {
    return make_error(ErrorKind::config, fmt::format("{} has no column \"{}\" to divide it by.",
                                                     relation.name, column));
  }
  RelationKey key;
  key.expression = fmt::format("{}.{}", alias, postgres_identifier(column));
  key.type = found->type;
  key.name = column;
  TRANCHE_ASSIGN(
      const auto ordered,
      connection.query("SELECT 1 FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod "
                       "JOIN pg_type t ON t.oid = $1::oid WHERE m.amname = 'btree' AND "
                       "o.opcdefault AND (o.opcintype = t.oid OR t.typtype IN ('e', 'r') "
                       "OR t.typname IN ('varchar', 'name', 'cidr')) LIMIT 1",
                       found->oid));
  if (ordered.size() == 0) {
    return make_error(ErrorKind::config,
                      fmt::format("Column \"{}\" of {} is {}, whose values have no order to divide "
                                  "by; choose another key.",
                                  column, relation.name, found->type));
  }
  key.may_be_null = true;
  key.may_repeat = true;
  if (relation.oid == 0) return key;
  TRANCHE_ASSIGN(
      const auto attribute,
      connection.query("SELECT a.attnotnull, bool_or(i.indisunique AND i.indnkeyatts = "
                       "1), count(i.indrelid) FROM pg_attribute a LEFT JOIN pg_index i "
                       "ON i.indrelid = a.attrelid AND i.indpred IS NULL AND i.indkey[0] "
                       "= a.attnum WHERE a.attrelid = $1::oid AND a.attname = $2 "
                       "GROUP BY a.attnotnull",
                       relation.oid, column));
  if (attribute.size() == 0) return key;
  key.may_be_null = !attribute.boolean(0, 0);
  key.may_repeat = !attribute.boolean(0, 1);
  key.has_index = attribute.integer(0, 2) > 0;
  if (key.may_repeat && relation.has_addresses) key.tie_breaker = fmt::format("{}.ctid", alias);
  return key;
}

std::string condition(const RelationKey& key, const KeyRange& range) {
  if (range.is_nulls) return fmt::format("{} IS NULL", key.expression);
  std::string text;
  const auto add = [&](const std::optional<KeyBound>& bound, const char* sign) {
    if (!bound) return;
    text += fmt::format("{}{} {}{} {}::{}", text.empty() ? "" : " AND ", key.expression, sign,
                        bound->is_inclusive ? "=" : "", postgres_literal(bound->key), key.type);
  };
  add(range.lower, ">");
  add(range.upper, "<");
  if (text.empty()) return key.may_be_null ? fmt::format("{} IS NOT NULL", key.expression) : "true";
  return text;
}

}  // namespace tranche::postgres
