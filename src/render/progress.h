// A run's events as a person watches them: a bar redrawn in place on a terminal, lines elsewhere.
//
// Threads: as Observer: one thread calls. Lifetime: keeps the functions that it was given.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <tranche/core/event.h>

#include "render/look.h"

namespace tranche {

using TextWriter = std::function<void(std::string_view)>;

// What the figures of a step say about its speed and its end.
class Pace {
 public:
  void update(const Progress& progress);
  const Progress& progress() const { return last_; }
  double rows_per_second() const;  // over the last seconds
  // The share of the input that is done, 0 to 1; less than 0: unknown. Between commits it goes on
  // with the records in work. Never goes back.
  double share() const { return share_; }
  double seconds_left() const;  // less than 0: unknown

 private:
  Progress last_;
  double share_ = -1;
  std::deque<std::pair<double, std::uint64_t>> samples_;  // seconds, records
};

// `look` is asked at every redraw, since a window changes its width. On a terminal each step that
// runs has a bar of two lines; what must stay is written above them. Elsewhere a line comes at
// milestones and every few seconds of the step's own clock, without carriage returns.
std::unique_ptr<Observer> make_progress_view(TextWriter write, std::function<Look()> look);

}  // namespace tranche
