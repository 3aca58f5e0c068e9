#include "base/clock.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "render/listing.h"

namespace tranche {
namespace {

int act(const Invocation& invocation) {
  const auto named = take_run(invocation);
  if (!named) return fail(invocation, named.error());
  if (invocation.has("--json")) return finish_json(status_json(named->info));
  return finish(render_status(named->info, system_clock().now_microseconds(), data_look()));
}

}  // namespace

Command status_command() {
  Command made;
  made.name = "status";
  made.group = "Look";
  made.summary = "shows one run, live or ended; without RUN the latest";
  made.operand = Operand::optional_run;
  made.flags = run_flags();
  made.examples = {{"status", "the latest run"},
                   {"status sales", "the latest run of the job \"sales\""},
                   {"status jobs/sales.yaml", "the same, found by its job file"},
                   {"status 3f9a1c2e --json", "one run, for a program"}};
  made.act = act;
  return made;
}

}  // namespace tranche
