#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"

namespace tranche {
namespace {

int act(const Invocation& invocation) {
  const auto named = take_run(invocation);
  if (!named) return fail(invocation, named.error());
  std::string last;
  const auto take = [&last](const std::string& name, const std::string& text) -> Result<void> {
    if (name != last) TRANCHE_TRY(write_data(fmt::format("==> {} <==\n", name)));
    last = name;
    return write_data(text.empty() || text.ends_with('\n') ? text : text + "\n");
  };
  const auto given = for_each_log(named->state, named->info.run, take);
  if (given || given.error().kind == ErrorKind::stopped) return exit_completed;
  return fail(invocation, given.error());
}

}  // namespace

Command logs_command() {
  Command made;
  made.name = "logs";
  made.group = "Look";
  made.summary = "prints what the programs of a run wrote to standard error";
  made.detail =
      "Of each step and worker with a `command:`, the latest two MiB at most, under a line with "
      "the step and the worker's number.";
  made.operand = Operand::optional_run;
  made.flags = {run_flags().front()};
  made.examples = {{"logs last", "of the latest run"}, {"logs sales | grep -i warning", ""}};
  made.act = act;
  return made;
}

}  // namespace tranche
