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
  const RunInfo& run = named->info;
  if (!run.alive)
    return fail(invocation,
                make_error(ErrorKind::usage, fmt::format("Run {} is not running: it is {}",
                                                         run.run.substr(0, 8), run.state)));
  if (auto asked = stop_run(named->state, run.run); !asked) return fail(invocation, asked.error());
  write_message(
      fmt::format("Run {} of {} was asked to end; it does so at the next batch "
                  "boundary.\n",
                  run.run.substr(0, 8), run.job));
  if (!invocation.has("--json")) return exit_completed;
  return finish_json(Json().set("run", run.run).set("stop_requested", true));
}

}  // namespace

Command stop_command() {
  Command made;
  made.name = "stop";
  made.group = "Work";
  made.summary = "ends a run at its next batch boundary";
  made.detail =
      "As Ctrl-C does in the run's own terminal. What is committed stays; \"tranche "
      "run\" or \"tranche resume\" goes on.";
  made.operand = Operand::run;
  made.flags = run_flags();
  made.examples = {{"stop last", "the latest run"}, {"stop sales", "the run of a job"}};
  made.act = act;
  return made;
}

}  // namespace tranche
