#include <charconv>

#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "render/listing.h"

namespace tranche {
namespace {

int act(const Invocation& invocation) {
  const std::string text = invocation.value("--limit", "20");
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size() || limit == 0)
    return fail(invocation, make_error(ErrorKind::usage,
                                       fmt::format("--limit {}: a number from 1 on was expected",
                                                   excerpt(text))));
  const auto state = take_state(invocation);
  if (!state) return fail(invocation, state.error());
  const auto runs = list_runs(*state, limit);
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
