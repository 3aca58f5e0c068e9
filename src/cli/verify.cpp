#include <algorithm>

#include <tranche/api/inspect.h>

#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "render/listing.h"

namespace tranche {
namespace {

int act(const Invocation& invocation) {
  const auto named = take_run(invocation);
  if (!named) return fail(invocation, named.error());
  const auto steps = verify_run(named->state, named->info.run);
  if (!steps) return fail(invocation, steps.error());
  const bool is_good = std::all_of(steps->begin(), steps->end(), [](const VerifiedStep& step) {
    return step.differences.empty();
  });
  const int code = is_good ? exit_completed : exit_failed;
  if (invocation.has("--json")) return finish_json(verified_json(*steps), code);
  return finish(render_verified(*steps, data_look()), code);
}

}  // namespace

Command verify_command() {
  Command made;
  made.name = "verify";
  made.group = "Look";
  made.summary = "compares the output of a run with what the ledger remembers";
  made.detail =
      "Counts and checksums: of files all bytes, of tables all rows, in whatever order; only their "
      "number where others have written to the table, too, or where it changes what comes in. Exit "
      "code 1 when something differs.";
  made.operand = Operand::optional_run;
  made.flags = run_flags();
  made.examples = {{"verify last", "is the output still what was written?"}};
  made.act = act;
  return made;
}

}  // namespace tranche
