#include <algorithm>

#include <tranche/api/inspect.h>

#include "api/backup_manifest.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "render/listing.h"
#include "render/moved.h"

namespace tranche {
namespace {

// Of a backup: with the database that it is compared with, or with its own manifest.
int compare_backup(const Invocation& invocation, const fs::path& folder) {
  std::optional<DatabasePlace> database;
  if (invocation.positionals.size() > 1) {
    auto parsed = parse_database(invocation.positionals[1]);
    if (!parsed) return fail(invocation, parsed.error());
    database = *std::move(parsed);
  }
  const auto tables = verify_backup(folder, database);
  if (!tables) return fail(invocation, tables.error());
  const int code = are_equal(*tables) ? exit_completed : exit_failed;
  if (invocation.has("--json"))
    return finish_json(Json().set("tables", compared_json(*tables)), code);
  return finish(render_compared(*tables, data_look()), code);
}

int act(const Invocation& invocation) {
  if (!invocation.positionals.empty()) {
    const fs::path folder = invocation.positionals.front();
    const bool is_backup = invocation.positionals.size() > 1 || has_manifest(folder);
    if (is_backup) return compare_backup(invocation, folder);
  }
  const auto named = take_run(invocation);
  std::error_code none;
  if (!named && !invocation.positionals.empty() &&
      fs::is_directory(invocation.positionals.front(), none))
    return compare_backup(invocation, invocation.positionals.front());  // which says what it is not
  if (!named) return fail(invocation, named.error());
  const auto steps = verify_run(named->state, named->info.run);
  if (!steps) return fail(invocation, steps.error());
  const bool is_good = std::all_of(steps->begin(), steps->end(), [](const VerifiedStep& step) {
    return step.differences.empty();
  });
  const int code = is_good ? exit_completed : exit_failed;
  if (invocation.has("--json")) return finish_json(verified_json(*steps), code);
  return finish(render_verified(*steps, data_look()), code);
}

}  // namespace

Command verify_command() {
  Command made;
  made.name = "verify";
  made.group = "Look";
  made.summary = "compares output with the ledger, or a backup with a database";
  made.detail =
      "Counts and checksums: of files all bytes, of tables all rows, in whatever order; only their "
      "number where others have written to the table, too, or where it changes what comes in.\n"
      "A backup's folder is compared with the database that is named behind it, of whichever "
      "system; without one, its files with its manifest.\n"
      "Exit code 1 when something differs.";
  made.operand = Operand::run_or_backup;
  made.flags = run_flags();
  made.examples = {{"verify last", "is the output still what was written?"},
                   {"verify shop-backup", "are the files of the backup what they were?"},
                   {"verify shop-backup sqlite:shop.db", "does the database hold the same rows?"}};
  made.act = act;
  return made;
}

}  // namespace tranche
