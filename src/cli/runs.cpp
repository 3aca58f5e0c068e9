#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "cli/flag_values.h"
#include "render/listing.h"

namespace tranche {
namespace {

int act(const Invocation& invocation) {
  const auto limit = take_number(invocation, "--limit", 20);
  if (!limit) return fail(invocation, limit.error());
  const auto state = take_state(invocation);
  if (!state) return fail(invocation, state.error());
  // What was asked for by name, and is not there, is rather misspelled than empty.
  if (invocation.has("--state") && !file_exists(*state))
    return fail(invocation, make_error(ErrorKind::usage,
                                       fmt::format("There is no folder {}, so no run is kept there",
                                                   state->string())));
  const auto runs = list_runs(*state, *limit);
  if (!runs) return fail(invocation, runs.error());
  if (invocation.has("--json")) return finish_json(runs_json(*runs));
  return finish(render_runs(*runs, system_clock().now_microseconds(), data_look()));
}

}  // namespace

Command runs_command() {
  Command made;
  made.name = "runs";
  made.group = "Look";
  made.summary = "lists the runs, the latest first";
  made.detail =
      "\"interrupted\" is a run whose process is gone; the next \"tranche run\" of its "
      "job goes on with it.";
  made.flags = flags_with({{"--limit", "N", "how many; default: 20"}}, run_flags());
  made.examples = {{"runs", "those kept in ./.tranche"},
                   {"runs --state examples/.tranche", "those kept elsewhere"}};
  made.act = act;
  return made;
}

}  // namespace tranche
