// Whether a worker gets on, as its breadcrumb tells.
// Threads: a value type, for one watcher.
#pragma once

#include <chrono>
#include <cstdint>

#include <tranche/core/breadcrumb.h>

namespace tranche {

class ProgressWatch {
 public:
  using Clock = std::chrono::steady_clock;

  // Looks at the breadcrumb; true when it is another one than at the look before, or has no task.
  bool look(const Breadcrumb& breadcrumb, Clock::time_point now) {
    const std::uint64_t task = breadcrumb.task.load();
    const std::uint64_t first = breadcrumb.first.load();
    const std::uint64_t beats = breadcrumb.beats.load();
    const bool moves = task == 0 || task != task_ || first != first_ || beats != beats_;
    if (!moves) return false;
    task_ = task;
    first_ = first;
    beats_ = beats;
    since_ = now;
    return true;
  }
  // For how long nothing has moved; 0 where nothing is in work.
  Clock::duration still(Clock::time_point now) const {
    return task_ == 0 ? Clock::duration{0} : now - since_;
  }

 private:
  std::uint64_t task_ = 0;
  std::uint64_t first_ = 0;
  std::uint64_t beats_ = 0;
  Clock::time_point since_;
};

}  // namespace tranche
