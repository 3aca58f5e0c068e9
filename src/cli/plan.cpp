#include <tranche/api/inspect.h>

#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "render/listing.h"

namespace tranche {
namespace {

constexpr std::size_t batches_shown = 40;

int act(const Invocation& invocation) {
  const std::optional<JobSpec> job = take_job(invocation);
  if (!job) return exit_usage;
  const auto steps = plan_job(*job);
  if (!steps) return fail(invocation, steps.error());
  if (invocation.has("--json")) return finish_json(plan_json(*steps));
  return finish(render_plan(*steps, batches_shown, data_look()));
}

}  // namespace

Command plan_command() {
  Command made;
  made.name = "plan";
  made.group = "Prepare";
  made.summary = "shows the batches that a run would make";
  made.detail = "Reads the input as far as it takes to divide it. Nothing is written.";
  made.operand = Operand::job;
  made.flags = job_window_flags();
  made.examples = {{"plan sales.yaml", "batches, their records and where they begin"}};
  made.act = act;
  return made;
}

}  // namespace tranche
