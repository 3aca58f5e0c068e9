#include <fmt/format.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "cli/run_job.h"

namespace tranche {
namespace {

// What the person typed, without what would begin anew.
std::string command_that_goes_on(const Invocation& invocation) {
  std::string out = quote_for_shell(invocation.program);
  for (const std::string& word : invocation.words)
    if (word != "--fresh" && word != "--again" && word != "--full")
      out += " " + quote_for_shell(word);
  return out;
}

int act(const Invocation& invocation) {
  const auto options = read_run_options(invocation);
  if (!options) return fail(invocation, options.error());
  const std::optional<JobSpec> job = take_job(invocation);
  if (!job) return exit_usage;
  return run_job(invocation, *job, *options, command_that_goes_on(invocation));
}

}  // namespace

Command run_command() {
  Command made;
  made.name = "run";
  made.group = "Work";
  made.summary = "runs a job, or goes on with its unfinished run";
  made.detail =
      "Goes on with the unfinished run of the same job and parameters where there is one: what is "
      "committed is not done again. Otherwise a new run starts.\n"
      "Ctrl-C ends the run at the next batch boundary; the same command goes on.";
  made.operand = Operand::job;
  made.flags = flags_with(
      flags_with(work_flags(),
                 {
                     {"--fresh", "",
                      "gives up the unfinished run, undoes what it has not finished, starts anew"},
                     {"--again", "", "loads again what a completed run has already appended"},
                     {"--full", "", "increments read all that is there, loaded before or not"},
                     {"--accept", "WHAT",
                      "goes on although something changed: input, job, code, snapshot; with "
                      "--fresh: committed leaves rows in tables"},
                 }),
      job_flags());
  made.examples = {
      {"run sales.yaml", "runs the job; typed again after a failure, it goes on"},
      {"run sales.yaml -p day=2026-01-31", "with a parameter"},
      {"run sales.yaml --max-rejects 0.1%", "one bad record in a thousand is no failure"},
      {"run sales.yaml --json | jq .state", "for a program: one JSON object at the end"},
  };
  made.act = act;
  return made;
}

}  // namespace tranche
