// Replacing a table: what is loaded beside it, and how it takes the table's place.
#include <fmt/format.h>

#include "connectors/sqlite_shape.h"
#include "connectors/sqlite_target.h"

namespace tranche::sqlite {
namespace {

// The table's definition under another name. SQLite itself does the renaming, so that whatever the
// definition holds (quotes, checks, references to itself) comes out right; then it is undone.
Result<std::string> definition_renamed(SqliteDatabase& database, const std::string& table,
                                       const std::string& name) {
  TRANCHE_TRY(database.execute("SAVEPOINT tranche_rename"));
  auto renamed = [&]() -> Result<std::string> {
    TRANCHE_TRY(database.execute(fmt::format("ALTER TABLE {} RENAME TO {}",
                                             sqlite_identifier(table), sqlite_identifier(name))));
    TRANCHE_ASSIGN(auto row, database.query("SELECT sql FROM sqlite_schema WHERE type = 'table' "
                                            "AND name = ? COLLATE NOCASE",
                                            name));
    TRANCHE_TRY(row.step());
    return row.string(0);
  }();
  TRANCHE_TRY(database.execute("ROLLBACK TO tranche_rename; RELEASE tranche_rename"));
  return renamed;
}

// Unique indexes refuse rows, so the staging table needs them too: a row that breaks one must be a
// reject of its batch, not a failure of the seal. Indexes with expressions or a WHERE are left to
// the seal.
Result<std::vector<std::string>> unique_indexes_for(SqliteDatabase& database,
                                                    const std::string& table,
                                                    const std::string& staging) {
  TRANCHE_ASSIGN(auto indexes, database.query("SELECT name FROM pragma_index_list(?) WHERE "
                                              "\"unique\" = 1 AND partial = 0 AND origin = 'c'",
                                              table));
  std::vector<std::string> statements;
  for (;;) {
    TRANCHE_ASSIGN(const bool more, indexes.step());
    if (!more) return statements;
    TRANCHE_ASSIGN(auto rows, database.query("SELECT name, coll FROM pragma_index_xinfo(?) WHERE "
                                             "key = 1 ORDER BY seqno",
                                             indexes.string(0)));
    std::string columns;
    bool has_expression = false;
    for (;;) {
      TRANCHE_ASSIGN(const bool another, rows.step());
      if (!another) break;
      has_expression = has_expression || rows.is_null(0);
      if (!columns.empty()) columns += ", ";
      columns += fmt::format("{} COLLATE {}", sqlite_identifier(rows.text(0)),
                             sqlite_identifier(rows.text(1)));
    }
    if (has_expression) continue;
    statements.push_back(
        fmt::format("CREATE UNIQUE INDEX {} ON {} ({})",
                    sqlite_identifier(fmt::format("{}_{}", staging, statements.size())),
                    sqlite_identifier(staging), columns));
  }
}

// Whether something depends on the table that a swap would lose or break. Views and triggers may
// mention any table, so any one of them counts.
Result<bool> has_dependents(SqliteDatabase& database, const std::string& table) {
  TRANCHE_ASSIGN(
      auto row, database.query("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type IN "
                               "('view', 'trigger') OR (type = 'index' AND sql IS NOT NULL AND "
                               "tbl_name = ?1 COLLATE NOCASE)) OR EXISTS (SELECT 1 FROM "
                               "sqlite_schema AS other, pragma_foreign_key_list(other.name) AS key "
                               "WHERE other.type = 'table' AND key.\"table\" = ?1 COLLATE NOCASE)",
                               table));
  TRANCHE_TRY(row.step());
  return row.integer(0) != 0;
}

// Rows of other tables whose parent in `table` is missing.
Result<std::int64_t> count_orphans(SqliteDatabase& database, const std::string& table) {
  TRANCHE_ASSIGN(
      auto row, database.query("SELECT count(*) FROM (SELECT DISTINCT other.name AS child FROM "
                               "sqlite_schema AS other, pragma_foreign_key_list(other.name) AS key "
                               "WHERE other.type = 'table' AND key.\"table\" = ?1 COLLATE NOCASE) "
                               "AS children, pragma_foreign_key_check(children.child) AS broken "
                               "WHERE broken.parent = ?1 COLLATE NOCASE",
                               table));
  TRANCHE_TRY(row.step());
  return row.integer(0);
}

Result<void> replace_rows(SqliteDatabase& database, const Target& target,
                          const TableShape& staged) {
  const std::string table = sqlite_identifier(target.table);
  std::string columns;
  for (const TableColumn& column : staged.columns) {
    if (column.is_generated) continue;
    if (!columns.empty()) columns += ", ";
    columns += sqlite_identifier(column.name);
  }
  TRANCHE_ASSIGN(const std::int64_t orphans_before, count_orphans(database, target.table));
  TRANCHE_ASSIGN(const std::int64_t rows,
                 database.query_integer("SELECT count(*) FROM " + sqlite_identifier(staged.name)));
  TRANCHE_TRY(database.execute(fmt::format("DELETE FROM {}", table)));
  TRANCHE_ASSIGN(const std::int64_t left, database.query_integer("SELECT count(*) FROM " + table));
  TRANCHE_TRY(database.execute(fmt::format("INSERT OR ABORT INTO {} ({}) SELECT {} FROM {}{}",
                                           table, columns, columns, sqlite_identifier(staged.name),
                                           staged.has_rowid ? " ORDER BY rowid" : "")));
  // A trigger may ignore a row without an error: RAISE(IGNORE).
  if (left != 0 || database.changes() != rows) {
    return make_error(ErrorKind::failed,
                      fmt::format("{} was not replaced: a trigger of it kept {} of the old rows, "
                                  "and let in {} of the {} new ones. Mend or drop the trigger, "
                                  "then run again.",
                                  target.place(), left, database.changes(), rows));
  }
  TRANCHE_ASSIGN(const std::int64_t orphans, count_orphans(database, target.table));
  if (orphans > orphans_before) {
    return make_error(ErrorKind::failed,
                      fmt::format("{} was not replaced: {} rows of other tables refer to rows that "
                                  "are not among the new ones. Remove those rows, or load the "
                                  "missing ones, then run again.",
                                  target.place(), orphans - orphans_before));
  }
  return database.execute(fmt::format("DROP TABLE {}", sqlite_identifier(staged.name)));
}

}  // namespace

Result<void> create_staging(SqliteDatabase& database, const Target& target, const Schema& schema,
                            const std::string& staging) {
  TRANCHE_ASSIGN(const auto shape, read_shape(database, target.table));
  if (!shape)
    return database.execute(create_table_sql(schema, staging, target.key, target.literals));
  TRANCHE_ASSIGN(const std::string definition, definition_renamed(database, target.table, staging));
  TRANCHE_ASSIGN(const auto indexes, unique_indexes_for(database, target.table, staging));
  TRANCHE_TRY(database.execute(definition));
  for (const std::string& index : indexes) TRANCHE_TRY(database.execute(index));
  return {};
}

Result<void> replace_table(SqliteDatabase& database, const Target& target,
                           const std::string& staging) {
  TRANCHE_ASSIGN(const auto staged, read_shape(database, staging));
  if (!staged) {
    return make_error(ErrorKind::failed,
                      fmt::format("Table {} of {}, which was to become {}, is gone: it was dropped "
                                  "from outside. Start again with --fresh.",
                                  staging, target.database.string(), target.table));
  }
  TRANCHE_ASSIGN(const auto old, read_shape(database, target.table));
  if (old) {
    TRANCHE_ASSIGN(const bool is_needed, has_dependents(database, target.table));
    if (is_needed) return replace_rows(database, target, *staged);
    TRANCHE_TRY(database.execute(fmt::format("DROP TABLE {}", sqlite_identifier(old->name))));
  }
  return database.execute(fmt::format("ALTER TABLE {} RENAME TO {}", sqlite_identifier(staging),
                                      sqlite_identifier(old ? old->name : target.table)));
}

}  // namespace tranche::sqlite
