#include "connectors/postgres_shape.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche::postgres {
namespace {

// A domain is followed down to the type that it is made of.
constexpr const char* columns_sql = R"(
SELECT a.attname, format_type(a.atttypid, a.atttypmod), b.oid, b.typtype, b.typname, b.modifier,
       b.typelem, e.typtype, e.typname, a.attnotnull OR b.not_null, a.atthasdef,
       a.attidentity <> '', a.attgenerated <> ''
FROM pg_attribute a
CROSS JOIN LATERAL (
  WITH RECURSIVE chain(oid, modifier, not_null) AS (
    SELECT a.atttypid, a.atttypmod, false
    UNION ALL
    SELECT t.typbasetype, t.typtypmod, c.not_null OR t.typnotnull
    FROM chain c JOIN pg_type t ON t.oid = c.oid WHERE t.typtype = 'd')
  SELECT t.oid, t.typtype, t.typname, c.modifier, c.not_null,
         CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END AS typelem
  FROM chain c JOIN pg_type t ON t.oid = c.oid WHERE t.typtype <> 'd') b
LEFT JOIN pg_type e ON e.oid = b.typelem
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum)";

constexpr const char* relation_sql = R"(
SELECT c.oid, c.relkind, has_table_privilege(c.oid, 'INSERT'), row_security_active(c.oid),
       EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conrelid = c.oid AND k.condeferred)
FROM pg_class c WHERE c.oid = to_regclass($1))";

std::optional<PostgresWire> wire_of(std::uint32_t oid, std::string_view kind,
                                    std::string_view name) {
  if (kind == "e" || name == "citext") return PostgresWire::text;
  return kind == "b" ? postgres_wire(oid) : std::nullopt;
}

TableColumn read_column(const PostgresRows& rows, std::size_t row) {
  TableColumn column;
  column.name = rows.string(row, 0);
  column.declared = rows.string(row, 1);
  const auto oid = static_cast<std::uint32_t>(rows.natural(row, 2));
  const auto element = static_cast<std::uint32_t>(rows.natural(row, 6));
  if (element != 0) {
    const auto wire = wire_of(element, rows.text(row, 7), rows.text(row, 8));
    if (wire) column.type = PostgresType{PostgresWire::array, *wire, element};
  } else if (const auto wire = wire_of(oid, rows.text(row, 3), rows.text(row, 4))) {
    column.type = PostgresType{*wire, {}, 0};
  }
  column.modifier = static_cast<int>(rows.integer(row, 5));
  column.not_null = rows.boolean(row, 9);
  column.is_identity = rows.boolean(row, 11);
  column.has_default = rows.boolean(row, 10) || column.is_identity;
  column.is_generated = rows.boolean(row, 12);
  return column;
}

// A precision that would round what it is given: numeric(8,1), timestamp(0).
bool rounds(const TableColumn& column, Type type) {
  if (column.modifier == -1) return false;
  switch (column.type->wire) {
    case PostgresWire::numeric: {
      // The scale is in the low 11 bits, negative ones too.
      const int scale = (((column.modifier - 4) & 0x7ff) ^ 1024) - 1024;
      return scale < (type.id == TypeId::decimal ? type.scale : 0);
    }
    case PostgresWire::time:
    case PostgresWire::timestamp:
    case PostgresWire::timestamptz:
      return column.modifier < 6;
    default:
      return false;
  }
}

std::string describe(const TableShape& shape) {
  std::string text;
  for (const TableColumn& column : shape.columns) {
    if (!text.empty()) text += ", ";
    text += column.name + " " + column.declared;
    if (column.not_null) text += " not null";
  }
  return text;
}

Error other_shape(const std::string& named, const std::string& what, const Schema& schema,
                  const TableShape& shape) {
  return make_error(ErrorKind::config,
                    fmt::format("{} has another shape: {}. The table is ({}); the records are "
                                "({}).",
                                named, what, describe(shape), to_string(schema)));
}

std::string kind_name(char kind) {
  switch (kind) {
    case 'v':
      return "a view";
    case 'm':
      return "a materialized view";
    case 'f':
      return "a foreign table";
    default:
      return "no table";
  }
}

// What is wrong with the column for the field; empty: nothing.
std::string fault_of(const TableColumn* column, const Field& field) {
  if (column == nullptr) return fmt::format("it has no column \"{}\"", field.name);
  if (column->is_generated) {
    return fmt::format("its column \"{}\" is computed and can't be written", field.name);
  }
  if (!column->type || !postgres_takes(field.type, *column->type)) {
    return fmt::format("its column \"{}\" is {}, which does not hold {} ({} would)", field.name,
                       column->declared, to_string(field.type), postgres_type_name(field.type));
  }
  if (rounds(*column, field.type)) {
    return fmt::format("its column \"{}\" is {}, which would round {} ({} would not)", field.name,
                       column->declared, to_string(field.type), postgres_type_name(field.type));
  }
  return {};
}

}  // namespace

bool contains_name(std::span<const std::string> names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& one) { return to_lower(one) == to_lower(name); });
}

const TableColumn* TableShape::find(std::string_view column) const {
  for (const TableColumn& one : columns) {
    if (one.name == column) return &one;
  }
  for (const TableColumn& one : columns) {
    if (to_lower(one.name) == to_lower(column)) return &one;
  }
  return nullptr;
}

Result<std::optional<TableShape>> read_shape(PostgresConnection& connection,
                                             const TableName& name) {
  TRANCHE_ASSIGN(const auto relation, connection.query(relation_sql, name.sql()));
  if (relation.size() == 0) return std::optional<TableShape>{};
  TableShape shape;
  shape.oid = relation.string(0, 0);
  shape.kind = relation.text(0, 1)[0];
  shape.may_insert = relation.boolean(0, 2);
  shape.has_row_security = relation.boolean(0, 3);
  shape.has_deferred = relation.boolean(0, 4);
  TRANCHE_ASSIGN(const auto columns, connection.query(columns_sql, shape.oid));
  for (std::size_t row = 0; row < columns.size(); ++row) {
    shape.columns.push_back(read_column(columns, row));
  }
  return std::optional<TableShape>{std::move(shape)};
}

Result<bool> are_rows_independent(PostgresConnection& connection, const TableName& name) {
  TRANCHE_ASSIGN(
      const auto row,
      connection.query("SELECT relkind = 'r' AND NOT EXISTS (SELECT 1 FROM pg_index WHERE indrelid "
                       "= c.oid AND (indisunique OR indisexclusion)) AND NOT EXISTS (SELECT 1 FROM "
                       "pg_trigger WHERE tgrelid = c.oid) FROM pg_class c WHERE oid = "
                       "to_regclass($1)",
                       name.sql()));
  return row.size() == 1 && row.boolean(0, 0);
}

Result<bool> may_change_rows(PostgresConnection& connection, const TableName& name) {
  TRANCHE_ASSIGN(const auto row,
                 connection.query(
                     "SELECT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass($1) AND "
                     "NOT tgisinternal) OR EXISTS (SELECT 1 FROM pg_rewrite WHERE ev_class = "
                     "to_regclass($1)) OR EXISTS (SELECT 1 FROM pg_attribute JOIN pg_type ON "
                     "pg_type.oid = atttypid WHERE attrelid = to_regclass($1) AND "
                     "'bpchar'::regtype IN (atttypid, typbasetype))",
                     name.sql()));
  return row.boolean(0, 0);
}

std::string create_table_sql(const Schema& schema, const TableName& table,
                             std::span<const std::string> key) {
  std::string sql = fmt::format("CREATE TABLE {} (", table.sql());
  for (const Field& field : schema.fields) {
    if (sql.back() != '(') sql += ", ";
    sql += postgres_identifier(field.name) + " " + postgres_type_name(field.type);
    if (field.required || contains_name(key, field.name)) sql += " NOT NULL";
  }
  std::string columns;
  for (const std::string& column : key) {
    const auto index = schema.find(column);
    if (!index) continue;
    if (!columns.empty()) columns += ", ";
    columns += postgres_identifier(schema.fields[*index].name);
  }
  if (!columns.empty()) sql += fmt::format(", PRIMARY KEY ({})", columns);
  return sql + ")";
}

Result<void> check_shape(const Schema& schema, const TableShape& shape, const std::string& named) {
  const auto refuse = [&](const std::string& why) -> Result<void> {
    return make_error(ErrorKind::config, fmt::format("{} {}.", named, why));
  };
  if (shape.kind != 'r' && shape.kind != 'p') {
    return refuse(
        fmt::format("is {}; rows can be written into tables only", kind_name(shape.kind)));
  }
  if (!shape.may_insert) return refuse("can't be written by this user: GRANT INSERT on it");
  if (shape.has_row_security) {
    return refuse(
        "has row security for this user, which keeps COPY from it; write as its owner, "
        "or as a user with BYPASSRLS");
  }
  std::vector<const TableColumn*> taken;
  for (const Field& field : schema.fields) {
    const TableColumn* const column = shape.find(field.name);
    std::string fault = fault_of(column, field);
    if (std::find(taken.begin(), taken.end(), column) != taken.end()) {
      fault =
          fmt::format("two columns of the records would go into its column \"{}\"", column->name);
    }
    if (!fault.empty()) return other_shape(named, fault, schema, shape);
    taken.push_back(column);
  }
  for (const TableColumn& column : shape.columns) {
    if (schema.find(column.name) || column.has_default || column.is_generated || !column.not_null)
      continue;
    return other_shape(named,
                       fmt::format("its column \"{}\" must not be null, has no default, and the "
                                   "records lack it",
                                   column.name),
                       schema, shape);
  }
  return {};
}

std::vector<PostgresType> types_of(const Schema& schema, const TableShape* shape) {
  std::vector<PostgresType> types;
  for (const Field& field : schema.fields) {
    const TableColumn* const column = shape != nullptr ? shape->find(field.name) : nullptr;
    types.push_back(column != nullptr && column->type ? *column->type
                                                      : postgres_type_for(field.type));
  }
  return types;
}

std::vector<std::string> column_names(const Schema& schema, const TableShape& shape) {
  std::vector<std::string> names;
  for (const Field& field : schema.fields) {
    const TableColumn* const column = shape.find(field.name);
    names.push_back(column != nullptr ? column->name : field.name);
  }
  return names;
}

std::string column_list(const Schema& schema, const TableShape& shape) {
  std::vector<std::string> list = column_names(schema, shape);
  for (std::string& name : list) name = postgres_identifier(name);
  return join(list, ", ");
}

Result<bool> has_unique_key(PostgresConnection& connection, const TableShape& shape,
                            std::span<const std::string> key) {
  TRANCHE_ASSIGN(
      const auto rows,
      connection.query("SELECT i.indexrelid, a.attname FROM pg_index i JOIN pg_attribute a ON "
                       "a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[]) AND "
                       "array_position(i.indkey::int2[], a.attnum) < i.indnkeyatts WHERE "
                       "i.indrelid = $1::oid AND i.indisunique AND i.indimmediate AND "
                       "i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL ORDER BY 1",
                       shape.oid));
  for (std::size_t first = 0; first < rows.size();) {
    std::size_t end = first;
    bool is_key = true;
    for (; end < rows.size() && rows.text(end, 0) == rows.text(first, 0); ++end) {
      is_key = is_key && contains_name(key, rows.text(end, 1));
    }
    if (is_key && end - first == key.size()) return true;
    first = end;
  }
  return false;
}

}  // namespace tranche::postgres
