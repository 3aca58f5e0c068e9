#include "steps/attempts.h"

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

Result<std::uint32_t> try_until_done(const std::string& step, const RetryPolicy& retry,
                                     const StepSurroundings& surroundings,
                                     const std::function<bool()>& stop_wanted,
                                     const std::function<Result<void>()>& attempt) {
  for (std::uint32_t number = 1;; ++number) {
    if (stop_wanted()) return make_error(ErrorKind::stopped, "Stopped.");
    auto done = attempt();
    if (done) return number - 1;
    if (!retry.is_transient(done.error()) || number >= retry.attempts)
      return std::move(done).error();
    const auto pause_time =
        retry.wait_after(number, std::hash<std::string>{}(surroundings.run.run_id + step));
    const std::chrono::duration<double> wait = pause_time;
    tell(surroundings, step,
         fmt::format("Step \"{}\" is tried again in {:.1f} s: {}", step, wait.count(),
                     done.error().message));
    if (!pause(surroundings, stop_wanted, pause_time))
      return make_error(ErrorKind::stopped, "Stopped.");
  }
}

}  // namespace tranche
