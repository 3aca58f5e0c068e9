#include "cli/move.h"

namespace tranche {
namespace {

int act(const Invocation& invocation) { return move_rows(invocation, MoveKind::migrate); }

}  // namespace

Command migrate_command() {
  Command made;
  made.name = "migrate";
  made.group = "Move";
  made.summary = "copies a database into an empty one, of any system";
  made.detail =
      "PostgreSQL, SQLite and DuckDB: postgresql://user@host/database, sqlite:file, duckdb:file. "
      "Tables with their keys, indexes, sequences and views; what can't be carried over is said "
      "before the start. The target must be empty.\n"
      "Batch by batch: after a failure or a kill the same command goes on. At the end each table "
      "is read where it went, and compared.";
  made.operand = Operand::two_databases;
  made.flags = move_flags(MoveKind::migrate);
  made.examples = {
      {"migrate postgresql://app@db/shop sqlite:shop.db", "a server's database into a file"},
      {"migrate sqlite:shop.db duckdb:shop.duckdb --dry-run", "what would be done"},
      {"migrate sqlite:shop.db postgresql://app@db/shop --tables 'order*'", "some of the tables"},
  };
  made.act = act;
  return made;
}

}  // namespace tranche
