#include "steps/execute_step.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/clock.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds stop_interval = 100ms;

void tell(const StepSurroundings& surroundings, const std::string& step, std::string message) {
  if (surroundings.observer == nullptr) return;
  Event event;
  event.kind = Event::Kind::retry;
  event.run = surroundings.run.run_id;
  event.step = step;
  event.message = std::move(message);
  surroundings.observer->on_event(event);
}

// False: a stop came.
bool pause(const StepSurroundings& surroundings, const std::function<bool()>& stop_wanted,
           std::chrono::nanoseconds duration) {
  const auto until = surroundings.clock->monotonic() + duration;
  while (!stop_wanted()) {
    const auto left = until - surroundings.clock->monotonic();
    if (left <= 0ns) return true;
    surroundings.clock->sleep(std::min(left, stop_interval));
  }
  return false;
}

}  // namespace

Result<std::uint32_t> run_execute_step(const ExecuteStep& step,
                                       const StepSurroundings& surroundings,
                                       const std::function<bool()>& stop_wanted) {
  SinkRun run = surroundings.run;
  run.step = step.name;
  for (std::uint32_t attempt = 1;; ++attempt) {
    if (stop_wanted()) return make_error(ErrorKind::stopped, "Stopped.");
    Result<void> executed = step.script->execute(run);
    // Only the database knows; executed again, it would find its own record.
    if (!executed && executed.error().kind == ErrorKind::in_doubt)
      executed.error().kind = ErrorKind::transient;
    if (executed) return attempt - 1;
    if (!step.retry.is_transient(executed.error()) || attempt >= step.retry.attempts)
      return std::move(executed).error();
    const auto pause_time =
        step.retry.wait_after(attempt, std::hash<std::string>{}(run.run_id + run.step));
    const std::chrono::duration<double> wait = pause_time;
    tell(surroundings, step.name,
         fmt::format("Step \"{}\" is tried again in {:.1f} s: {}", step.name, wait.count(),
                     executed.error().message));
    if (!pause(surroundings, stop_wanted, pause_time))
      return make_error(ErrorKind::stopped, "Stopped.");
  }
}

}  // namespace tranche
