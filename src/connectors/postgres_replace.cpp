#include "connectors/postgres_replace.h"

#include <vector>

#include <fmt/format.h>

namespace tranche::postgres {
namespace {

// Each row names one thing that a new table of the same name would not have, or that keeps the old
// one from being dropped. What LIKE ... INCLUDING ALL copies is not among them.
constexpr const char* dependents_sql = R"(
WITH old AS (SELECT * FROM pg_class WHERE oid = $1::oid)
SELECT CASE v.relkind WHEN 'm' THEN 'materialized view ' ELSE 'view ' END || v.relname
  FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class
  WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.refobjid = $1::oid AND v.oid <> $1::oid
UNION ALL SELECT 'rule ' || rulename FROM pg_rewrite WHERE ev_class = $1::oid
UNION ALL SELECT 'foreign key ' || conname FROM pg_constraint
  WHERE contype = 'f' AND (confrelid = $1::oid OR conrelid = $1::oid)
UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger
  WHERE tgrelid = $1::oid AND NOT tgisinternal
UNION ALL SELECT 'policy ' || polname FROM pg_policy WHERE polrelid = $1::oid
UNION ALL SELECT 'row security' FROM old WHERE relrowsecurity OR relforcerowsecurity
UNION ALL SELECT 'grants' FROM old WHERE relacl IS NOT NULL
UNION ALL SELECT 'grants' FROM pg_attribute WHERE attrelid = $1::oid AND attacl IS NOT NULL
UNION ALL SELECT 'its owner ' || pg_get_userbyid(relowner) FROM old
  WHERE pg_get_userbyid(relowner) <> current_user
UNION ALL SELECT 'sequence ' || s.relname FROM pg_depend d JOIN pg_class s ON s.oid = d.objid
  WHERE d.classid = 'pg_class'::regclass AND d.refobjid = $1::oid AND s.relkind = 'S'
UNION ALL SELECT 'partitions or inheritance' FROM pg_inherits
  WHERE inhrelid = $1::oid OR inhparent = $1::oid
UNION ALL SELECT 'partitions or inheritance' FROM old WHERE relkind = 'p'
UNION ALL SELECT 'publication ' || p.pubname FROM pg_publication_rel r
  JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = $1::oid
UNION ALL SELECT 'storage settings' FROM old
  WHERE reloptions IS NOT NULL OR reltablespace <> 0 OR relpersistence <> 'p'
    OR relreplident <> 'd' OR reloftype <> 0
UNION ALL SELECT 'a comment' WHERE obj_description($1::oid, 'pg_class') IS NOT NULL
UNION ALL SELECT 'uses of its row type' FROM pg_depend d JOIN pg_type t ON t.oid = d.refobjid
  WHERE d.refclassid = 'pg_type'::regclass AND d.deptype = 'n'
    AND t.oid IN (SELECT reltype FROM old UNION ALL SELECT y.typarray FROM old o
                  JOIN pg_type y ON y.oid = o.reltype)
LIMIT 1)";

Error not_replaced(const Target& target, const std::string& why) {
  return make_error(ErrorKind::failed, fmt::format("{} was not replaced: {}", target.named(), why));
}

// Indexes of the new table get the names of the old ones; equal ones are told by their definition.
Result<void> take_over_index_names(PostgresConnection& connection, const TableName& schema_of,
                                   const PostgresRows& names) {
  for (std::size_t row = 0; row < names.size(); ++row) {
    TRANCHE_TRY(connection.execute(fmt::format(
        "ALTER INDEX {} RENAME TO {}", TableName{schema_of.schema, names.string(row, 1)}.sql(),
        postgres_identifier(names.text(row, 0)))));
  }
  return {};
}

constexpr const char* index_names_sql = R"(
WITH known AS (
  SELECT i.indrelid, c.relname, d.definition,
         row_number() OVER (PARTITION BY i.indrelid, d.definition ORDER BY i.indexrelid) AS number
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  CROSS JOIN LATERAL (SELECT i.indisprimary || regexp_replace(pg_get_indexdef(i.indexrelid),
    '^CREATE (UNIQUE )?INDEX .*? USING ', '\1') AS definition) d
  WHERE i.indrelid IN ($1::oid, $2::oid))
SELECT old.relname, new.relname FROM known old
JOIN known new ON new.definition = old.definition AND new.number = old.number
WHERE old.indrelid = $1::oid AND new.indrelid = $2::oid)";

Result<void> swap(PostgresConnection& connection, const Target& target, const TableShape& old,
                  const TableName& staging, const TableShape& staged) {
  TRANCHE_ASSIGN(const auto names, connection.query(index_names_sql, old.oid, staged.oid));
  TRANCHE_TRY(connection.execute(fmt::format("DROP TABLE {}", target.table.sql())));
  TRANCHE_TRY(connection.execute(fmt::format("ALTER TABLE {} RENAME TO {}", staging.sql(),
                                             postgres_identifier(target.table.table))));
  return take_over_index_names(connection, target.table, names);
}

// Foreign keys of other tables that would be asked between the old rows and the new ones.
Result<std::vector<std::string>> hasty_references(PostgresConnection& connection,
                                                  const TableShape& old) {
  TRANCHE_ASSIGN(const auto keys,
                 connection.query("SELECT format('ALTER TABLE %s ALTER CONSTRAINT %I ', "
                                  "conrelid::regclass, conname) FROM pg_constraint WHERE contype = "
                                  "'f' AND confrelid = $1::oid AND conparentid = 0 AND "
                                  "NOT condeferrable",
                                  old.oid));
  std::vector<std::string> alterations;
  for (std::size_t row = 0; row < keys.size(); ++row) alterations.push_back(keys.string(row, 0));
  return alterations;
}

// The columns that the new rows bring; an identity that the records lack goes on counting.
std::string columns_to_move(const TableShape& old, std::span<const std::string> given) {
  std::string columns;
  for (const TableColumn& column : old.columns) {
    const bool is_left_out = column.is_identity && !contains_name(given, column.name);
    if (column.is_generated || is_left_out) continue;
    if (!columns.empty()) columns += ", ";
    columns += postgres_identifier(column.name);
  }
  return columns;
}

Result<void> move_rows(PostgresConnection& connection, const Target& target, const TableShape& old,
                       const TableName& staging, std::span<const std::string> given,
                       std::uint64_t rows) {
  const std::string table = target.table.sql();
  TRANCHE_TRY(connection.execute(fmt::format("DELETE FROM {}", table)));
  TRANCHE_ASSIGN(const std::int64_t left,
                 connection.query_integer("SELECT count(*) FROM " + table));
  const std::string columns = columns_to_move(old, given);
  TRANCHE_ASSIGN(const auto inserted,
                 connection.query(fmt::format("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT "
                                              "{} FROM {} ORDER BY ctid",
                                              table, columns, columns, staging.sql())));
  // A trigger may ignore a row without an error.
  if (left != 0 || inserted.affected() != rows) {
    return not_replaced(target, fmt::format("a trigger of it kept {} of the old rows, and let in "
                                            "{} of the {} new ones. Mend or drop the trigger, "
                                            "then run again.",
                                            left, inserted.affected(), rows));
  }
  return {};
}

Result<void> replace_rows(PostgresConnection& connection, const Target& target,
                          const TableShape& old, const TableName& staging,
                          std::span<const std::string> given, std::uint64_t rows) {
  TRANCHE_TRY(connection.execute(fmt::format("LOCK TABLE {}", target.table.sql())));
  TRANCHE_ASSIGN(const auto references, hasty_references(connection, old));
  for (const std::string& alter : references) {
    TRANCHE_TRY(connection.execute(alter + "DEFERRABLE INITIALLY DEFERRED"));
  }
  TRANCHE_TRY(connection.execute("SET CONSTRAINTS ALL DEFERRED"));
  TRANCHE_TRY(move_rows(connection, target, old, staging, given, rows));
  TRANCHE_TRY(connection.execute("SET CONSTRAINTS ALL IMMEDIATE"));
  for (const std::string& alter : references) {
    TRANCHE_TRY(connection.execute(alter + "NOT DEFERRABLE"));
  }
  return connection.execute(fmt::format("DROP TABLE {}", staging.sql()));
}

}  // namespace

Result<std::string> what_depends(PostgresConnection& connection, const TableShape& shape) {
  TRANCHE_ASSIGN(const auto rows, connection.query(dependents_sql, shape.oid));
  return rows.size() == 0 ? std::string() : rows.string(0, 0);
}

Result<void> examine_replace(PostgresConnection& connection, const Target& target,
                             const TableShape& shape) {
  TRANCHE_ASSIGN(const auto keys,
                 connection.query("SELECT conname, conrelid::regclass::text, CASE confdeltype WHEN "
                                  "'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET "
                                  "NULL' ELSE 'SET DEFAULT' END FROM pg_constraint WHERE contype = "
                                  "'f' AND confrelid = $1::oid AND confdeltype <> 'a'",
                                  shape.oid));
  if (keys.size() > 0) {
    return make_error(
        ErrorKind::config,
        fmt::format("{} can't be replaced: the rows of table {} depend on its rows by "
                    "foreign key {} (ON DELETE {}). Use mode: upsert, or a key with "
                    "ON DELETE NO ACTION.",
                    target.named(), keys.text(0, 1), keys.text(0, 0), keys.text(0, 2)));
  }
  TRANCHE_ASSIGN(const auto may,
                 connection.query("SELECT has_table_privilege($1::oid, 'DELETE')", shape.oid));
  if (may.boolean(0, 0)) return {};
  return make_error(
      ErrorKind::config,
      fmt::format("{} can't be replaced by this user: GRANT DELETE on it.", target.named()));
}

Result<void> create_staging(PostgresConnection& connection, const Target& target,
                            const Schema& schema, const TableName& staging) {
  TRANCHE_ASSIGN(const auto shape, read_shape(connection, target.table));
  if (!shape) return connection.execute(create_table_sql(schema, staging, {}));
  TRANCHE_TRY(connection.execute(
      fmt::format("CREATE TABLE {} (LIKE {} INCLUDING ALL)", staging.sql(), target.table.sql())));
  // Not copied with it, and yet they refuse rows: a row that breaks one must be a reject of its
  // batch, not a failure of the seal. One that leads to the table itself is left to the seal.
  TRANCHE_ASSIGN(const auto keys,
                 connection.query("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE "
                                  "contype = 'f' AND conrelid = $1::oid AND confrelid <> conrelid",
                                  shape->oid));
  for (std::size_t row = 0; row < keys.size(); ++row) {
    TRANCHE_TRY(
        connection.execute(fmt::format("ALTER TABLE {} ADD {}", staging.sql(), keys.text(row, 0))));
  }
  return {};
}

Result<void> replace_table(PostgresConnection& connection, const Target& target,
                           const TableName& staging, std::span<const std::string> given,
                           std::uint64_t rows) {
  TRANCHE_ASSIGN(const auto staged, read_shape(connection, staging));
  if (!staged) {
    return make_error(ErrorKind::failed,
                      fmt::format("Table {} of {}, which was to become {}, is gone: it was dropped "
                                  "from outside. Start again with --fresh.",
                                  staging.text(), to_string(target.place), target.table.text()));
  }
  TRANCHE_ASSIGN(const auto old, read_shape(connection, target.table));
  if (!old) {
    return connection.execute(fmt::format("ALTER TABLE {} RENAME TO {}", staging.sql(),
                                          postgres_identifier(target.table.table)));
  }
  TRANCHE_ASSIGN(const std::string dependent, what_depends(connection, *old));
  return dependent.empty() ? swap(connection, target, *old, staging, *staged)
                           : replace_rows(connection, target, *old, staging, given, rows);
}

}  // namespace tranche::postgres
