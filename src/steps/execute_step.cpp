#include "steps/execute_step.h"

#include "steps/attempts.h"

namespace tranche {

Result<std::uint32_t> run_execute_step(const ExecuteStep& step,
                                       const StepSurroundings& surroundings,
                                       const std::function<bool()>& stop_wanted) {
  SinkRun run = surroundings.run;
  run.step = step.name;
  return try_until_done(step.name, step.retry, surroundings, stop_wanted, [&]() -> Result<void> {
    Result<void> executed = step.script->execute(run);
    // Only the database knows; executed again, it would find its own record.
    if (!executed && executed.error().kind == ErrorKind::in_doubt)
      executed.error().kind = ErrorKind::transient;
    return executed;
  });
}

}  // namespace tranche
