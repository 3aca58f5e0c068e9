#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "render/listing.h"
#include "render/summary.h"

namespace tranche {
namespace {

// Reads all data. Bad records go to standard output; people and programs alike read JSON Lines.
int check_all_data(const Invocation& invocation, const JobSpec& job) {
  const auto found =
      check_data(job, [](const std::string& line) { return write_data(line + "\n"); });
  if (!found) {
    if (found.error().kind == ErrorKind::stopped) return exit_failed;
    return fail(invocation, found.error());
  }
  write_message(fmt::format("{}: {}, {} bad\n", job.name,
                            format_number_of(found->records, "record", "records"),
                            format_count(found->rejects)));
  return found->rejects == 0 ? exit_completed : exit_failed;
}

int act(const Invocation& invocation) {
  const std::optional<JobSpec> job = take_job(invocation);
  if (!job) return exit_usage;
  const auto steps = check_job(*job);
  if (!steps) return fail(invocation, steps.error());
  const bool is_wrong = std::any_of(steps->begin(), steps->end(),
                                    [](const CheckedStep& step) { return !step.errors.empty(); });
  const int code = is_wrong ? exit_usage : exit_completed;
  if (invocation.has("--data") && !is_wrong) return check_all_data(invocation, *job);
  for (const CheckedStep& step : *steps)
    for (const Error& error : step.errors) write_message(render_error(error, message_look()));
  if (invocation.has("--json")) return finish_json(checks_json(*steps), code);
  return finish(render_checks(*steps, data_look()), code);
}

}  // namespace

Command check_command() {
  Command made;
  made.name = "check";
  made.group = "Prepare";
  made.summary = "finds every error of a job file, and shows the schemas";
  made.detail =
      "Reports all errors at once, each with file:line:column, then what the steps read, make and "
      "write. Nothing is written. Exit code 2 when something is wrong.\n"
      "With --data all records are read and transformed; each bad one is printed as a line of "
      "JSON, and the exit code is 1 when there is one.";
  made.operand = Operand::job;
  made.flags = flags_with({{"--data", "", "reads all data and prints every bad record"}},
                          job_window_flags());
  made.examples = {{"check sales.yaml", "before the first run"},
                   {"check sales.yaml --data | head", "the first bad records"}};
  made.act = act;
  return made;
}

}  // namespace tranche
