// How fast a web service is called: how many calls are in flight at once, how many are begun a
// second, and when nobody calls because it asked for a pause. Shared by the workers of a step.
//
// Threads: thread-safe. Lifetime: outlives the workers.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

namespace tranche {

class HttpPace {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Limits {
    unsigned at_once = 0;         // 0: found out
    unsigned at_once_max = 0;     // of what is found out
    double calls_per_second = 0;  // 0: any number
  };
  explicit HttpPace(Limits limits);

  // Workers share the calls that may be in flight evenly, while there are several.
  void join();
  void leave();

  // Whether a worker with so many calls in flight may begin another one, which then is in flight;
  // else how long it had better wait before it asks again.
  std::optional<std::chrono::milliseconds> begin(Time now, std::size_t in_flight);
  enum class End {
    answered,  // whatever the answer was
    busy,      // the service has too much to do: 429, 503
    failed,
  };
  void end(End end, Time now);
  // Nobody begins a call until then.
  void pause_until(Time time);

  // Calls that were answered so far.
  std::uint64_t answered() const;
  unsigned at_once() const;

 private:
  void judge(Time now);

  const Limits limits_;
  mutable std::mutex mutex_;
  unsigned at_once_;
  unsigned workers_ = 0;
  unsigned in_flight_ = 0;
  std::uint64_t answered_ = 0;
  Time paused_until_{};
  Time next_{};  // when the rate allows the next call

  // Finding out: calls that are judged together, and what the best number did.
  Time window_since_{};
  std::uint64_t window_calls_ = 0;
  bool was_short_ = false;  // a call was put off since so many were in flight
  bool is_growing_ = true;
  unsigned best_ = 0;
  double best_rate_ = 0;
  unsigned rest_ = 0;  // windows until more are tried again
  Time shrunk_at_{};
};

}  // namespace tranche
