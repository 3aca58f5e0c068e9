#include "schedule/backfill.h"

#include <fmt/format.h>

namespace tranche {

Result<BackfillEnd> backfill(ScheduleWorld& world, std::span<const TimeWindow> windows,
                             std::size_t at_once, bool keeps_going) {
  BackfillEnd end;
  end.left = windows.size();
  std::size_t running = 0;
  while (true) {
    for (const WindowEnd& one : world.take_ends()) {
      --running;
      if (one.how == WindowEnd::How::done) {
        ++end.done;
        world.on_done(one);
      } else {
        ++end.failed;
        world.say(one.job, fmt::format("{} did not complete: {}", one.name,
                                       one.error.substr(0, one.error.find('\n'))));
      }
    }
    if (world.is_stop_wanted() && !end.was_stopped) {
      end.was_stopped = true;
      world.stop_runs();
    }
    const bool may_begin = !end.was_stopped && (end.failed == 0 || keeps_going);
    while (may_begin && end.left > 0 && running < at_once) {
      TRANCHE_TRY(world.start(0, windows[windows.size() - end.left]));
      --end.left;
      ++running;
    }
    if (running == 0) return end;
    world.wait_until(INT64_MAX);
  }
}

}  // namespace tranche
