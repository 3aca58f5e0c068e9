#include "connectors/sqlite_shape.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche::sqlite {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Doubles keep every decimal of so many digits apart.
constexpr unsigned decimal_digits_of_a_double = 15;

bool is_integer_like(Type type) {
  switch (type.id) {
    case TypeId::boolean:
    case TypeId::tinyint:
    case TypeId::smallint:
    case TypeId::integer:
    case TypeId::bigint:
    case TypeId::hugeint:
    case TypeId::utinyint:
    case TypeId::usmallint:
    case TypeId::uinteger:
    case TypeId::ubigint:
      return true;
    case TypeId::decimal:
      return type.scale == 0;
    default:
      return false;
  }
}

std::string declared_or_none(const TableColumn& column) {
  return column.declared.empty() ? "no type" : column.declared;
}

Error other_shape(const std::string& place, const std::string& what, const Schema& schema,
                  const TableShape& shape) {
  return make_error(ErrorKind::config,
                    fmt::format("{} has another shape: {}. The table is ({}); the records are "
                                "({}).",
                                place, what, describe(shape), to_string(schema)));
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) { return to_lower(a) == to_lower(b); }

bool contains_name(std::span<const std::string> names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& one) { return same_name(one, name); });
}

const TableColumn* TableShape::find(std::string_view column) const {
  for (const auto& one : columns) {
    if (same_name(one.name, column)) return &one;
  }
  return nullptr;
}

const TableColumn* TableShape::rowid_alias() const {
  const TableColumn* alias = nullptr;
  for (const auto& one : columns) {
    if (one.key_position == 0) continue;
    if (alias != nullptr) return nullptr;
    alias = &one;
  }
  const bool is_alias = has_rowid && alias != nullptr && to_lower(alias->declared) == "integer";
  return is_alias ? alias : nullptr;
}

Result<std::optional<TableShape>> read_shape(SqliteDatabase& database, const std::string& table) {
  TRANCHE_ASSIGN(auto list, database.query("SELECT name, type, wr, strict FROM pragma_table_list "
                                           "WHERE schema = 'main' AND name = ? COLLATE NOCASE",
                                           table));
  TRANCHE_ASSIGN(const bool found, list.step());
  if (!found) return std::optional<TableShape>{};
  TableShape shape;
  shape.name = list.string(0);
  shape.kind = list.string(1);
  shape.has_rowid = list.integer(2) == 0;
  shape.is_strict = list.integer(3) != 0;
  TRANCHE_ASSIGN(
      auto rows,
      database.query("SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk, hidden "
                     "FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid",
                     table));
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return std::optional<TableShape>{std::move(shape)};
    shape.columns.push_back(TableColumn{.name = rows.string(0),
                                        .declared = rows.string(1),
                                        .not_null = rows.integer(2) != 0,
                                        .has_default = rows.integer(3) != 0,
                                        .is_generated = rows.integer(5) != 0,
                                        .key_position = static_cast<int>(rows.integer(4))});
  }
}

Affinity affinity_of(const TableColumn& column, bool table_is_strict) {
  const std::string declared = to_lower(column.declared);
  if (table_is_strict && declared == "any") return Affinity::blob;
  if (contains(declared, "int")) return Affinity::integer;
  if (contains(declared, "char") || contains(declared, "clob") || contains(declared, "text")) {
    return Affinity::text;
  }
  if (contains(declared, "blob") || declared.empty()) return Affinity::blob;
  if (contains(declared, "real") || contains(declared, "floa") || contains(declared, "doub")) {
    return Affinity::real;
  }
  return Affinity::numeric;
}

bool keeps(Affinity affinity, Type type) {
  if (affinity == Affinity::blob) return true;  // "none": nothing is converted
  if (is_integer_like(type)) {
    return affinity == Affinity::integer || affinity == Affinity::numeric;
  }
  switch (type.id) {
    case TypeId::real:
    case TypeId::double_:
      return affinity == Affinity::real || affinity == Affinity::numeric;
    case TypeId::decimal:
      return affinity == Affinity::text ||
             (type.width <= decimal_digits_of_a_double &&
              (affinity == Affinity::numeric || affinity == Affinity::real));
    case TypeId::date:
    case TypeId::time:
    case TypeId::timestamp:
    case TypeId::timestamptz:
      // DATE and DATETIME are numeric to SQLite; ISO 8601 text is no number and stays text there.
      return affinity == Affinity::text || affinity == Affinity::numeric;
    case TypeId::varchar:
    case TypeId::uuid:
    case TypeId::json:
    case TypeId::list:
    case TypeId::struct_:
      return affinity == Affinity::text;
    default:
      return false;
  }
}

std::string_view declared_type(Type type) {
  if (is_integer_like(type)) return "INTEGER";
  if (type.id == TypeId::real || type.id == TypeId::double_) return "REAL";
  return type.id == TypeId::blob ? "BLOB" : "TEXT";
}

std::string create_table_sql(const Schema& schema, const std::string& table,
                             std::span<const std::string> key,
                             std::span<const std::string> literals) {
  std::string sql = fmt::format("CREATE TABLE {} (", sqlite_identifier(table));
  for (const Field& field : schema.fields) {
    if (sql.back() != '(') sql += ", ";
    sql += sqlite_identifier(field.name);
    if (!contains_name(literals, field.name)) sql += fmt::format(" {}", declared_type(field.type));
    if (field.required || contains_name(key, field.name)) sql += " NOT NULL";
  }
  if (!key.empty()) {
    sql += ", PRIMARY KEY (";
    for (const std::string& column : key) {
      if (sql.back() != '(') sql += ", ";
      sql += sqlite_identifier(column);
    }
    sql += ')';
  }
  return sql + ")";
}

std::string describe(const TableShape& shape) {
  std::string text;
  for (const TableColumn& column : shape.columns) {
    if (!text.empty()) text += ", ";
    text += column.name;
    if (!column.declared.empty()) text += " " + column.declared;
    if (column.not_null) text += " NOT NULL";
  }
  return text;
}

Result<void> check_shape(const Schema& schema, const TableShape& shape, const std::string& place,
                         std::span<const std::string> literals) {
  for (const Field& field : schema.fields) {
    const TableColumn* column = shape.find(field.name);
    if (column == nullptr) {
      return other_shape(place, fmt::format("it has no column \"{}\"", field.name), schema, shape);
    }
    if (column->is_generated) {
      return other_shape(
          place, fmt::format("its column \"{}\" is computed and can't be written", field.name),
          schema, shape);
    }
    if (!contains_name(literals, field.name) &&
        !keeps(affinity_of(*column, shape.is_strict), field.type)) {
      return other_shape(place,
                         fmt::format("its column \"{}\" is declared {}, which does not keep {} as "
                                     "it is ({} would)",
                                     field.name, declared_or_none(*column), to_string(field.type),
                                     declared_type(field.type)),
                         schema, shape);
    }
  }
  for (const TableColumn& column : shape.columns) {
    if (schema.find(column.name) || column.has_default || column.is_generated) continue;
    if (!column.not_null || &column == shape.rowid_alias()) continue;
    return other_shape(place,
                       fmt::format("its column \"{}\" must not be null, has no default, and the "
                                   "records lack it",
                                   column.name),
                       schema, shape);
  }
  return {};
}

Result<bool> has_unique_key(SqliteDatabase& database, const TableShape& shape,
                            std::span<const std::string> key) {
  std::vector<std::string> primary;
  for (const auto& column : shape.columns) {
    if (column.key_position > 0) primary.push_back(column.name);
  }
  const auto is_key = [&](const std::vector<std::string>& columns) {
    return columns.size() == key.size() &&
           std::all_of(columns.begin(), columns.end(),
                       [&](const auto& column) { return contains_name(key, column); });
  };
  if (is_key(primary)) return true;
  TRANCHE_ASSIGN(auto indexes, database.query("SELECT name FROM pragma_index_list(?) WHERE "
                                              "\"unique\" = 1 AND partial = 0",
                                              shape.name));
  for (;;) {
    TRANCHE_ASSIGN(const bool more, indexes.step());
    if (!more) return false;
    TRANCHE_ASSIGN(auto rows,
                   database.query("SELECT name FROM pragma_index_info(?)", indexes.string(0)));
    std::vector<std::string> columns;
    for (;;) {
      TRANCHE_ASSIGN(const bool another, rows.step());
      if (!another) break;
      columns.push_back(rows.string(0));  // empty for an expression, which is no column
    }
    if (is_key(columns)) return true;
  }
}

}  // namespace tranche::sqlite
