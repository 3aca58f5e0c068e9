// Which steps of a job wait for which, and what becomes of a step when others have ended.
// Threads: immutable; pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <tranche/api/job.h>
#include <tranche/core/options.h>

namespace tranche {

// What became of a step in this run.
struct StepOutcome {
  enum class State : std::uint8_t {
    waiting,  // it has not begun
    running,
    completed,
    failed,
    skipped,    // its conditions do not hold, and it is not needed
    held_back,  // one before it failed: a resume runs it
    stopped,
  };
  State state = State::waiting;
  std::uint64_t rejects = 0;
};

class StepGraph {
 public:
  // What is wrong goes to `problems`, and then it is no graph to work with: a step that waits for
  // one that there is not, or in a circle, or has a condition on one that it does not wait for.
  static StepGraph of(const JobSpec& job, Problems& problems);

  // The steps that this one waits for, by their positions in the job.
  const std::vector<std::size_t>& before(std::size_t step) const { return before_[step]; }
  // Whether `later` can't begin until `earlier` has ended.
  bool is_ordered(std::size_t earlier, std::size_t later) const {
    return ancestors_[later][earlier];
  }
  // As many steps as can be at work at once.
  std::size_t width() const;

  // What a step that is waiting may become now: running, skipped, held_back, or still waiting.
  StepOutcome::State next(const JobSpec& job, std::size_t step,
                          const std::vector<StepOutcome>& outcomes) const;

 private:
  std::vector<std::vector<std::size_t>> before_;
  std::vector<std::vector<bool>> ancestors_;
};

// Whether the step may run because another one did not complete: a resume runs it anew.
bool follows_failure(const StepSpec& step);

}  // namespace tranche
