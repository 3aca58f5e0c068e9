#include "cli/move.h"

namespace tranche {
namespace {

int act(const Invocation& invocation) { return move_rows(invocation, MoveKind::restore); }

}  // namespace

Command restore_command() {
  Command made;
  made.name = "restore";
  made.group = "Move";
  made.summary = "makes a database of a backup, in any system";
  made.detail =
      "The target must be empty: postgresql://user@host/database, sqlite:file or duckdb:file. "
      "Indexes and constraints come behind the rows, sequences go on where they were. What can't "
      "be carried over into another system is said before the start.\n"
      "After a failure or a kill the same command goes on. At the end each table is read where it "
      "went, and compared.";
  made.operand = Operand::folder_and_database;
  made.flags = move_flags(MoveKind::restore);
  made.examples = {
      {"restore shop-backup postgresql://app@db/shop2", "into an empty database"},
      {"restore shop-backup duckdb:shop.duckdb", "into a file, of another system"},
  };
  made.act = act;
  return made;
}

}  // namespace tranche
