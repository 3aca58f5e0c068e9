// Tables as PostgreSQL knows them, next to the schemas that are to be written into them: which
// columns keep which values exactly, and what a new table looks like.
//
// Threads: pure functions of a connection that belongs to the caller's thread. A column is found by
// its exact name, else without regard to the case of ASCII letters.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/base/result.h>
#include <tranche/core/schema.h>

#include "connectors/postgres_target.h"
#include "drivers/postgres_copy.h"

namespace tranche::postgres {

struct TableColumn {
  std::string name;
  std::string declared;              // "character varying(20)", a domain's name
  std::optional<PostgresType> type;  // nullopt: of a kind that no value of ours becomes
  int modifier = -1;                 // of the type below a domain: precision and scale
  bool not_null = false;
  bool has_default = false;  // an identity too
  bool is_identity = false;
  bool is_generated = false;  // computed from the others
};

struct TableShape {
  std::string oid;
  char kind = 'r';  // r: a table, p: a partitioned one, v: a view, m: a materialized one, ...
  bool may_insert = true;
  bool has_row_security = false;  // for this user
  bool has_deferred = false;      // constraints that are checked at the commit
  std::vector<TableColumn> columns;
  const TableColumn* find(std::string_view column) const;
};

bool contains_name(std::span<const std::string> names, std::string_view name);

// nullopt: there is no such relation.
Result<std::optional<TableShape>> read_shape(PostgresConnection& connection, const TableName& name);
// Whether no row can be refused, or changed, because of another one, so that several transactions
// may bring theirs at once: no unique or exclusion constraint, no trigger (foreign keys are some),
// no partitions, which may have their own. REQUIRES a table that exists.
Result<bool> are_rows_independent(PostgresConnection& connection, const TableName& name);
// Whether what comes in may be kept as something else: triggers and rules change it, and char(n)
// pads it.
Result<bool> may_change_rows(PostgresConnection& connection, const TableName& name);
// A table of this name for the schema; with a primary key when `key` is not empty.
std::string create_table_sql(const Schema& schema, const TableName& table,
                             std::span<const std::string> key);
// Whether rows of `schema` can go into the table unchanged, and may. Errors: config, one sentence
// that names the column and both shapes.
Result<void> check_shape(const Schema& schema, const TableShape& shape, const std::string& named);
// How the fields travel into the table; a missing table is one that create_table_sql makes.
std::vector<PostgresType> types_of(const Schema& schema, const TableShape* shape);
// The schema's columns as the table spells them.
std::vector<std::string> column_names(const Schema& schema, const TableShape& shape);
// The same, quoted, with commas between.
std::string column_list(const Schema& schema, const TableShape& shape);
// Whether ON CONFLICT finds a unique index (or primary key) over exactly these columns.
Result<bool> has_unique_key(PostgresConnection& connection, const TableShape& shape,
                            std::span<const std::string> key);

}  // namespace tranche::postgres
