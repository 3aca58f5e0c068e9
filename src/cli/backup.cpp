#include "cli/move.h"

namespace tranche {
namespace {

int act(const Invocation& invocation) { return move_rows(invocation, MoveKind::backup); }

}  // namespace

Command backup_command() {
  Command made;
  made.name = "backup";
  made.group = "Move";
  made.summary = "writes a database into a folder: Parquet files and a manifest";
  made.detail =
      "PostgreSQL, SQLite and DuckDB: postgresql://user@host/database, sqlite:file, duckdb:file. "
      "All tables are read in one state of the database. The folder must be new or empty.\n"
      "After a failure or a kill the same command goes on. The manifest comes last: it has rows "
      "and checksums of each table, which \"verify\" compares, and the definitions that "
      "\"restore\" makes anew.";
  made.operand = Operand::database_and_folder;
  made.flags = move_flags(MoveKind::backup);
  made.examples = {
      {"backup postgresql://app@db/shop shop-backup", "all of it"},
      {"backup sqlite:shop.db shop-backup --since updated_at",
       "typed again, it adds what has changed"},
  };
  made.act = act;
  return made;
}

}  // namespace tranche
