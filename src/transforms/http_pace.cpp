#include "transforms/http_pace.h"

#include <algorithm>
#include <utility>

namespace tranche {
namespace {

using namespace std::chrono_literals;

constexpr unsigned at_once_first = 8;     // while it is found out
constexpr auto window_shortest = 100ms;   // what is judged together
constexpr unsigned window_rounds = 4;     // calls of each that is in flight
constexpr double gain_wanted = 1.15;      // that twice as many at once must bring
constexpr unsigned windows_of_rest = 50;  // before more are tried again
constexpr auto shrinks_apart = 1s;        // those in flight say the same once more
// What the rate left unused may be made up for within this time.
constexpr std::chrono::nanoseconds catch_up = 10ms;
constexpr auto look_again = 1ms;  // for what others give back

}  // namespace

HttpPace::HttpPace(Limits limits)
    : limits_(limits),
      at_once_(limits.at_once > 0 ? limits.at_once : std::min(at_once_first, limits.at_once_max)),
      best_(at_once_) {}

void HttpPace::join() {
  const std::lock_guard lock(mutex_);
  ++workers_;
}

void HttpPace::leave() {
  const std::lock_guard lock(mutex_);
  --workers_;
}

std::optional<std::chrono::milliseconds> HttpPace::begin(Time now, std::size_t in_flight) {
  const std::lock_guard lock(mutex_);
  const unsigned share = std::max(1U, at_once_ / std::max(1U, workers_));
  if (in_flight_ >= at_once_ || in_flight >= share) {
    was_short_ = true;
    // The worker's own calls wake it up; where it has none it looks for what others give back.
    return in_flight > 0 ? 1000ms : look_again;
  }
  const Time due = std::max(paused_until_, limits_.calls_per_second > 0 ? next_ : Time());
  if (due > now) return std::chrono::ceil<std::chrono::milliseconds>(due - now);
  if (limits_.calls_per_second > 0) {
    next_ = std::max(next_, now - catch_up) +
            std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / limits_.calls_per_second));
  }
  if (window_calls_ == 0 && in_flight_ == 0) window_since_ = now;
  ++in_flight_;
  return std::nullopt;
}

void HttpPace::end(End end, Time now) {
  const std::lock_guard lock(mutex_);
  --in_flight_;
  ++window_calls_;
  if (end == End::answered) ++answered_;
  if (limits_.at_once > 0) return;
  if (end == End::busy) {
    if (now - shrunk_at_ < shrinks_apart) return;
    shrunk_at_ = now;
    at_once_ = best_ = std::max(1U, at_once_ / 2);
    best_rate_ = 0;
    is_growing_ = false;
    rest_ = windows_of_rest;
    window_calls_ = 0;
    window_since_ = now;
    return;
  }
  judge(now);
}

// Twice as many at once, as long as that pays; else the best number that there was, and another try
// after a while, since services get slower and faster.
void HttpPace::judge(Time now) {
  if (now - window_since_ < window_shortest || window_calls_ < window_rounds * at_once_) return;
  const double rate = static_cast<double>(window_calls_) /
                      std::chrono::duration<double>(now - window_since_).count();
  window_calls_ = 0;
  window_since_ = now;
  if (!std::exchange(was_short_, false)) return;  // more would not have been used
  if (!is_growing_) {
    best_rate_ = rate;
    if (rest_ > 0 && --rest_ > 0) return;
    is_growing_ = true;
  } else if (best_rate_ > 0 && rate < gain_wanted * best_rate_) {
    at_once_ = best_;
    is_growing_ = false;
    rest_ = windows_of_rest;
    return;
  }
  best_ = at_once_;
  best_rate_ = rate;
  at_once_ = std::min(2 * at_once_, limits_.at_once_max);
  if (at_once_ == best_) {
    is_growing_ = false;
    rest_ = windows_of_rest;
  }
}

void HttpPace::pause_until(Time time) {
  const std::lock_guard lock(mutex_);
  paused_until_ = std::max(paused_until_, time);
}

std::uint64_t HttpPace::answered() const {
  const std::lock_guard lock(mutex_);
  return answered_;
}

unsigned HttpPace::at_once() const {
  const std::lock_guard lock(mutex_);
  return at_once_;
}

}  // namespace tranche
