#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"

namespace tranche {
namespace {

int act(const Invocation& invocation) {
  const std::string accepted = invocation.value("--accept");
  if (!accepted.empty() && accepted != "committed")
    return fail(invocation,
                make_error(ErrorKind::usage, fmt::format("--accept {}: \"committed\" was expected",
                                                         excerpt(accepted))));
  const auto named = take_run(invocation);
  if (!named) return fail(invocation, named.error());
  const RunInfo& run = named->info;
  if (auto done = abandon_run(named->state, run.run, accepted == "committed"); !done)
    return fail(invocation, done.error());
  write_message(fmt::format("Run {} of {} is given up; what it had not finished is undone.\n",
                            run.run.substr(0, 8), run.job));
  if (!invocation.has("--json")) return exit_completed;
  return finish_json(Json().set("run", run.run).set("state", "abandoned"));
}

}  // namespace

Command abandon_command() {
  Command made;
  made.name = "abandon";
  made.group = "Work";
  made.summary = "gives up an unfinished run and undoes its unfinished output";
  made.detail =
      "Where rows are already committed to a table in append, it refuses; --accept "
      "committed leaves them there.";
  made.operand = Operand::run;
  made.flags = flags_with({{"--accept", "WHAT", "committed: rows committed to a table stay there"}},
                          run_flags());
  made.examples = {{"abandon last", "the next \"tranche run\" starts from the beginning"}};
  made.act = act;
  return made;
}

}  // namespace tranche
