#include <fmt/format.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/output.h"
#include "jobfile/guess.h"

namespace tranche {
namespace {

int act(const Invocation& invocation) {
  const std::string output = invocation.value("--output");
  if (invocation.positionals.empty())
    return fail(invocation, make_error(ErrorKind::usage,
                                       fmt::format("Name the files to guess from, as in {} guess "
                                                   "data/*.csv",
                                                   invocation.called())));
  const auto text = guess_job(invocation.positionals, output);
  if (!text) return fail(invocation, text.error());
  if (output.empty()) return finish(*text);
  std::error_code ignored;
  if (fs::exists(output, ignored)) {
    return fail(invocation,
                make_error(ErrorKind::usage,
                           fmt::format("{} is there already, and is not written over.", output)));
  }
  const auto written = create_file_durably(output, *text);
  if (!written) return fail(invocation, written.error());
  write_message(
      fmt::format("{0}: look at it, then: {1} preview {0}\n", output, invocation.called()));
  return exit_completed;
}

}  // namespace

Command guess_command() {
  Command made;
  made.name = "guess";
  made.group = "Prepare";
  made.summary = "writes a job file for the data it is given";
  made.detail =
      "For CSV (whatever its delimiter, encoding and dates), JSON Lines, Parquet, SQLite and "
      "DuckDB, "
      "compressed too. Files of one form become one step, each table of a database its own. The "
      "job "
      "loads the data into Parquet files and runs at once; what was guessed stands in it, to be "
      "read "
      "and changed. What could be read in two ways, as 03/04/2026, stays text and is said.";
  made.operand = Operand::files;
  made.flags = {{"--output", "FILE", "the job file to write; else it goes to standard output"}};
  made.examples = {{"guess data/*.csv --output sales.yaml", "then: preview sales.yaml"},
                   {"guess shop.db", "a step for each of its tables"}};
  made.act = act;
  return made;
}

}  // namespace tranche
