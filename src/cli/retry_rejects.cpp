#include <fmt/format.h>

#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "cli/run_job.h"

namespace tranche {
namespace {

int act(const Invocation& invocation) {
  // The ledger is closed again before the supervisor forks.
  const auto named = take_run(invocation);
  if (!named) return fail(invocation, named.error());
  auto options = read_run_options(invocation);
  if (!options) return fail(invocation, options.error());
  const std::optional<JobSpec> job = job_of_run(invocation, named->info);
  if (!job) return exit_usage;
  options->state = named->state;
  options->rejects_of = named->info.run;
  options->in_place = invocation.has("--in-place");
  return run_job(invocation, *job, *options, command_as_typed(invocation));
}

}  // namespace

Command retry_rejects_command() {
  Command made;
  made.name = "retry-rejects";
  made.group = "Work";
  made.summary = "processes the rejects of a run again, and only them";
  made.detail =
      "For when the job, or a program of it, is mended: the rejected records are read again from "
      "the input, and what is good now is added to the output: to tables, to folders of Parquet "
      "files, and at the end of a CSV or JSON Lines file or, with --in-place, where they would "
      "have been. Of a table that is upserted only rows "
      "whose keys are not there yet go in; the others are rejects. It is a run of its own: it goes "
      "on after a crash, and commits each record once. What is rejected again is in its rejects.";
  made.operand = Operand::optional_run;
  made.flags = flags_with(
      flags_with(work_flags(),
                 {{"--in-place", "",
                   "one CSV or JSON Lines file is rewritten, with each record at its own place"},
                  {"--accept", "WHAT",
                   "input: mended in place, no record was added or moved; job: `read:` numbers the "
                   "records as before, and with --in-place a batch may come out otherwise"}}),
      run_flags());
  made.examples = {{"retry-rejects last", "those of the latest run"},
                   {"retry-rejects 3f9a1c2e --max-rejects 10", "of this one"},
                   {"retry-rejects last --in-place", "each at its own place in the file"}};
  made.act = act;
  return made;
}

}  // namespace tranche
