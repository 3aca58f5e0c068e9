#include "connectors/catalog_types.h"

#include <fmt/format.h>

#include "base/text.h"
#include "drivers/duckdb_database.h"
#include "drivers/postgres_copy.h"

namespace tranche {
namespace {

// More digits are kept as text: SQLite's numbers would lose some.
constexpr unsigned sqlite_decimal_digits = 15;

// Names that tell more than SQLite's own, and have an affinity that keeps the values as they are.
std::string sqlite_type(Type type) {
  switch (type.id) {
    case TypeId::boolean:
      return "BOOLEAN";
    case TypeId::tinyint:
      return "INT1";
    case TypeId::smallint:
      return "INT2";
    case TypeId::integer:
      return "INT4";
    case TypeId::utinyint:
      return "UINT8";
    case TypeId::usmallint:
      return "UINT16";
    case TypeId::uinteger:
      return "UINT32";
    case TypeId::bigint:
    case TypeId::hugeint:
    case TypeId::ubigint:
      return "INTEGER";
    case TypeId::real:
      return "FLOAT4";
    case TypeId::double_:
      return "DOUBLE";
    case TypeId::decimal:
      return fmt::format("{}({},{})",
                         type.width > sqlite_decimal_digits ? "DECIMAL_TEXT" : "DECIMAL",
                         type.width, type.scale);
    case TypeId::date:
      return "DATE";
    case TypeId::time:
      return "TIME";
    case TypeId::timestamp:
      return "TIMESTAMP";
    case TypeId::timestamptz:
      return "TIMESTAMPTZ";
    case TypeId::blob:
      return "BLOB";
    case TypeId::uuid:
      return "UUID_TEXT";
    case TypeId::json:
    case TypeId::list:
    case TypeId::struct_:
      return "JSON_TEXT";
    case TypeId::varchar:
      break;
  }
  return "TEXT";
}

std::string sqlite_change(Type type) {
  switch (type.id) {
    case TypeId::date:
    case TypeId::time:
    case TypeId::timestamp:
    case TypeId::timestamptz:
      return "dates and times become ISO 8601 text";
    case TypeId::decimal:
      return type.width > sqlite_decimal_digits
                 ? "decimals of more than 15 digits become text, which sorts as text"
                 : "";
    case TypeId::list:
    case TypeId::struct_:
      return "lists and structs become JSON text";
    default:
      return "";
  }
}

bool is_nested_list(Type type) {
  return type.id == TypeId::struct_ ||
         (type.id == TypeId::list && is_nested((*type.members)[0].type));
}

}  // namespace

bool is_whole_number(Type type) {
  return is_numeric(type) && type.id != TypeId::real && type.id != TypeId::double_ &&
         type.id != TypeId::decimal;
}

std::string column_type(const CatalogColumn& column, const std::string& from,
                        const std::string& to) {
  if (from == to && !column.declared.empty()) return column.declared;
  if (from == to && from == "sqlite") return "";  // a column without a type
  if (to == "postgres") return postgres_type_name(column.type);
  return to == "sqlite" ? sqlite_type(column.type) : sql_type(column.type);
}

std::string class_names(const CatalogColumn& column) {
  std::string names;
  for (const CatalogClass& one : column.classes) names += (names.empty() ? "" : ", ") + one.name;
  return names;
}

std::string type_change(const CatalogColumn& column, const std::string& to) {
  if (column.needs_literals())
    return fmt::format("what SQLite holds as {} becomes text, SQL literals as in 5, 'x', x'00ff'",
                       class_names(column));
  if (column.classes.size() > 1 && column.type.id == TypeId::varchar)
    return fmt::format("what SQLite holds as {} becomes text", class_names(column));
  if (column.is_text_of && column.declared == "numeric")
    return "numeric without bounds becomes text (--cast can give it some)";
  if (column.is_text_of) return fmt::format("{} becomes text", to_lower(column.declared));
  if (to == "sqlite") return sqlite_change(column.type);
  if (to == "postgres" && is_nested_list(column.type)) return "structs and lists become jsonb";
  return {};
}

bool loads_as_text(const CatalogColumn& column, const std::string& system) {
  if (!column.is_text_of || column.declared.empty()) return false;
  // Enumerations and their like come and go as text by themselves.
  const bool is_array = column.declared.ends_with("[]");
  if (system == "duckdb") return is_array || !column.declared.starts_with("ENUM(");
  const bool is_enumeration = !column.sql_name.empty() && !is_array;
  return system == "postgres" && !is_enumeration && !column.declared.ends_with("citext");
}

}  // namespace tranche
