// Tables as SQLite knows them, next to the schemas that are to be written into them: which declared
// types keep which values exactly, and what a new table looks like.
//
// Threads: pure functions of a database that belongs to the caller's thread. Names are compared as
// SQLite compares them: without regard to the case of ASCII letters.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/base/result.h>
#include <tranche/core/schema.h>

#include "drivers/sqlite.h"

namespace tranche::sqlite {

struct TableColumn {
  std::string name;
  std::string declared;  // the type as declared; may be empty
  bool not_null = false;
  bool has_default = false;
  bool is_generated = false;
  int key_position = 0;  // in the primary key, from 1; 0: not part of it
};

struct TableShape {
  std::string name;  // as the database spells it
  std::string kind;  // table, view, virtual, shadow
  bool is_strict = false;
  bool has_rowid = true;
  std::vector<TableColumn> columns;
  // The INTEGER PRIMARY KEY that is the row's number, for which SQLite invents one in place of a
  // null; nullptr: none.
  const TableColumn* rowid_alias() const;
  const TableColumn* find(std::string_view column) const;
};

bool same_name(std::string_view a, std::string_view b);
bool contains_name(std::span<const std::string> names, std::string_view name);

// nullopt: there is no such table, view or virtual table.
Result<std::optional<TableShape>> read_shape(SqliteDatabase& database, const std::string& table);

// Rules of https://sqlite.org/datatype3.html, 3.1.
enum class Affinity { integer, text, blob, real, numeric };
Affinity affinity_of(const TableColumn& column, bool table_is_strict);

// Whether a column of this affinity gives back the value that was put into it.
bool keeps(Affinity affinity, Type type);

// The declared type of a column that is created for `type`.
std::string_view declared_type(Type type);
// A table of this name for the schema; with a primary key when `key` is not empty.
// `literals`: columns of any storage class, which get no type.
std::string create_table_sql(const Schema& schema, const std::string& table,
                             std::span<const std::string> key,
                             std::span<const std::string> literals);
// "id INTEGER, name TEXT NOT NULL"
std::string describe(const TableShape& shape);

// Whether rows of `schema` can go into the table unchanged. Errors: config, naming the column and
// both shapes. `literals`: columns that any declaration takes.
Result<void> check_shape(const Schema& schema, const TableShape& shape, const std::string& place,
                         std::span<const std::string> literals);
// Whether the table has a unique index (or primary key) over exactly these columns.
Result<bool> has_unique_key(SqliteDatabase& database, const TableShape& shape,
                            std::span<const std::string> key);

}  // namespace tranche::sqlite
