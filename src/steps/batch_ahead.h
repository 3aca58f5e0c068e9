// Plans batches in a thread of its own, a bounded way ahead of whoever asks for them: the thread
// that runs a step also commits, and while it waits for a disk nobody would look for more work.
//
// Threads: next() is for one thread. `plan` is called in the other one, one call at a time, from
// the constructor on until it has given an end or an error. Lifetime: what `plan` uses outlives it;
// the destructor waits for the call in progress.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include <tranche/base/result.h>
#include <tranche/core/plan.h>

namespace tranche {

class BatchAhead {
 public:
  using Plan = std::function<Result<std::optional<BatchPlan>>()>;

  // `interrupt`: makes a call of `plan` that waits for others end soon.
  explicit BatchAhead(Plan plan, std::function<void()> interrupt);
  ~BatchAhead();
  BatchAhead(const BatchAhead&) = delete;
  BatchAhead& operator=(const BatchAhead&) = delete;

  // What `plan` gave, in order; the end, or the error, again and again.
  Result<std::optional<BatchPlan>> next();
  // Whether next() has something to give; waits for it, but no longer than that.
  bool is_ready(std::chrono::milliseconds longest);

 private:
  using Planned = Result<std::optional<BatchPlan>>;
  void run();

  const Plan plan_;
  const std::function<void()> interrupt_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Planned> planned_;
  bool closing_ = false;
  std::thread thread_;  // none could be started: then next() plans
};

}  // namespace tranche
