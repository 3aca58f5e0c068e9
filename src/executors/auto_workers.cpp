#include "executors/auto_workers.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace tranche {
namespace {

constexpr double window_seconds_min = 0.2;
constexpr double growth_that_pays = 1.2;     // of throughput, for twice as many
constexpr double loss_that_is_none = 0.93;   // of throughput, for half as many
constexpr double fall_to_look_into = 0.6;
constexpr double cpu_share_of_waiting = 0.6;   // below it, work waits
constexpr double cpu_share_of_computing = 0.85;
constexpr double idle_lanes_share_max = 0.25;
// A call that is shorter is not worth the way to another thread.
constexpr double call_seconds_min = 100e-6;
constexpr unsigned patience_at_first = 8;
constexpr unsigned patience_max = 64;

}  // namespace

AutoWorkers::AutoWorkers(unsigned workers, unsigned cores, unsigned most)
    : workers_(std::max(workers, 1U)),
      cores_(std::max(cores, 1U)),
      most_(std::max(most, workers_)),
      size_(workers_),
      patience_(patience_at_first) {}

void AutoWorkers::Window::add(const WorkSample& sample) {
  seconds += sample.seconds;
  cpu_seconds += sample.cpu_seconds;
  thread_seconds += sample.seconds * sample.at_work;
  worker_seconds += sample.worker_seconds;
  worker_cpu_seconds += sample.worker_cpu_seconds;
  idle_lane_seconds += sample.seconds * sample.idle_lanes;
  calls += sample.calls;
}

unsigned AutoWorkers::take(const WorkSample& sample) {
  if (sample.at_work == 0 || sample.seconds <= 0) return size_;  // from idleness nothing is learnt
  if (calls_to_settle_ > 0) {
    calls_to_settle_ -= std::min(calls_to_settle_, sample.calls);
    return size_;
  }
  window_.add(sample);
  // Each of those at work should have ended a call; else luck is taken for throughput.
  if (window_.seconds < window_seconds_min || window_.calls < sample.at_work) return size_;
  judge(std::exchange(window_, {}));
  return size_;
}

void AutoWorkers::judge(const Window& window) {
  const double cores_at_work =
      std::min(static_cast<double>(cores_), window.thread_seconds / window.seconds);
  cpu_share_ = window.cpu_seconds / (window.seconds * cores_at_work);
  if (window.worker_seconds > 0)
    cpu_share_ = std::max(cpu_share_, window.worker_cpu_seconds / window.worker_seconds);
  cpu_share_ = std::min(1.0, cpu_share_);
  are_calls_short_ =
      window.thread_seconds < call_seconds_min * static_cast<double>(window.calls);
  const double rate = static_cast<double>(window.calls) / window.seconds;
  bool has_fallen = false;
  switch (phase_) {
    case Phase::growing:
      if (rate < growth_that_pays * rate_before_) return take_back();
      adopt(rate);
      // The processors are what limits it now; what half as many do is known.
      if (cpu_share_ >= cpu_share_of_computing) pause_ = patience_;
      break;
    case Phase::shrinking:
      if (rate < loss_that_is_none * rate_before_) return take_back();
      adopt(rate);
      if (size_ > workers_) try_size(std::max(workers_, size_ / 2), Phase::shrinking);
      return;
    case Phase::steady:
      has_fallen = rate < fall_to_look_into * rate_;
      rate_ = rate_ > 0 && !has_fallen ? (rate_ + rate) / 2 : rate;
      break;
  }
  choose_next(window, has_fallen);
}

void AutoWorkers::choose_next(const Window& window, bool has_fallen) {
  const bool may_shrink = size_ > workers_;
  if (has_fallen) {  // it is another work than before
    pause_ = 0;
    patience_ = patience_at_first;
  }
  if (pause_ > 0) {
    --pause_;
    return;
  }
  // Luck may have made them too many: now and then it is tried whether fewer would do.
  const bool looks_down = std::exchange(looks_down_next_, false);
  if (may_shrink && (has_fallen || looks_down || cpu_share_ >= cpu_share_of_computing))
    return try_size(std::max(workers_, size_ / 2), Phase::shrinking);
  const double lanes = size_ - workers_;
  const bool are_all_busy =
      window.idle_lane_seconds <= idle_lanes_share_max * lanes * window.seconds;
  if (size_ < most_ && are_all_busy && !are_calls_short_ && cpu_share_ < cpu_share_of_waiting)
    try_size(size_ > most_ / 2 ? most_ : 2 * size_, Phase::growing);
}

void AutoWorkers::try_size(unsigned size, Phase phase) {
  before_ = size_;
  rate_before_ = rate_;
  phase_ = phase;
  set_size(size);
}

void AutoWorkers::adopt(double rate) {
  rate_ = rate;
  phase_ = Phase::steady;
  patience_ = patience_at_first;
}

void AutoWorkers::take_back() {
  has_grown_in_vain_ = looks_down_next_ = phase_ == Phase::growing;
  rate_ = rate_before_;
  phase_ = Phase::steady;
  set_size(before_);
  pause_ = patience_;
  patience_ = std::min(2 * patience_, patience_max);
}

// What calls do that were begun at another size says nothing of this one.
void AutoWorkers::set_size(unsigned size) {
  calls_to_settle_ = std::max(size, size_);
  size_ = size;
}

std::string AutoWorkers::why() const {
  const auto percent = static_cast<int>(100 * std::max(cpu_share_, 0.0) + 0.5);
  if (chosen() > workers_)
    return fmt::format("the work waits, at CPU {} %: throughput grew up to {} at once", percent,
                       chosen());
  std::string why = "one for each core";
  if (cpu_share_ >= cpu_share_of_waiting)
    why += fmt::format(": the work computes, at CPU {} %", percent);
  else if (has_grown_in_vain_)
    why += ": throughput did not grow with more";
  else if (are_calls_short_)
    why += ": its calls are short";
  return why;
}

}  // namespace tranche
