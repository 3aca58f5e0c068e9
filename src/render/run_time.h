// The time in which a step worked, drawn along a line: pauses between two engines, in which nobody
// did anything, are left out.
// Threads: a value type.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tranche/api/inspect.h>

namespace tranche {

class RunTime {
 public:
  static constexpr double width = 1000;  // of the drawing

  explicit RunTime(const ReportedStep& step);

  double seconds() const { return static_cast<double>(worked_microseconds_) / 1e6; }
  std::int64_t pauses_microseconds() const { return pauses_microseconds_; }
  std::size_t pauses() const { return stretches_.empty() ? 0 : stretches_.size() - 1; }
  // Where a moment is drawn, from 0 to `width`. A moment within a pause is at its end.
  double place(std::int64_t microseconds) const;
  // Seconds of work before it.
  double seconds_until(std::int64_t microseconds) const;

 private:
  struct Stretch {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::int64_t worked_before = 0;
  };
  std::vector<Stretch> stretches_;
  std::int64_t worked_microseconds_ = 0;
  std::int64_t pauses_microseconds_ = 0;
};

}  // namespace tranche
