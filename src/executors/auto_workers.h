// `workers: auto`: how many calls of business logic should be in work at once, as throughput and
// CPU time tell.
//
// While the work computes, as many as there are workers, one a core. While it waits, twice as many
// as before as long as that pays; the size that did not pay is taken back. When the processors are
// busy, or throughput falls, and now and then, half as many are tried: they stay if they do as
// much.
// Threads: a value type. Pure: it knows what it is fed, and no clock.
#pragma once

#include <cstdint>
#include <string>

namespace tranche {

// What happened since the sample before.
struct WorkSample {
  double seconds = 0;
  double cpu_seconds = 0;      // of the process
  // Of the workers, who make calls as lanes do: the time that they had a task, and of it what they
  // computed or queued for a processor. Where others take the processors too, only that tells work
  // that waits for them from work that waits for something else.
  double worker_seconds = 0;
  double worker_cpu_seconds = 0;
  std::uint64_t calls = 0;     // made
  unsigned at_work = 0;        // threads that have something to do, now
  unsigned idle_lanes = 0;     // that might have had a call in hand, and had none, now
};

class AutoWorkers {
 public:
  // `workers`: that there are anyway; `most`: at once, them included.
  AutoWorkers(unsigned workers, unsigned cores, unsigned most);

  // How many should be at work from now on.
  unsigned take(const WorkSample& sample);
  unsigned at_once() const { return size_; }
  // The same without a try that has not proved itself.
  unsigned chosen() const { return phase_ == Phase::steady ? size_ : before_; }
  unsigned workers() const { return workers_; }
  // For people.
  std::string why() const;

 private:
  enum class Phase { steady, growing, shrinking };
  // Samples that are judged together.
  struct Window {
    double seconds = 0;
    double cpu_seconds = 0;
    double thread_seconds = 0;     // of those at work
    double worker_seconds = 0;
    double worker_cpu_seconds = 0;
    double idle_lane_seconds = 0;
    std::uint64_t calls = 0;
    void add(const WorkSample& sample);
  };

  void judge(const Window& window);
  void choose_next(const Window& window, bool has_fallen);
  void try_size(unsigned size, Phase phase);
  void adopt(double rate);
  void take_back();
  void set_size(unsigned size);

  unsigned workers_;
  unsigned cores_;
  unsigned most_;
  unsigned size_;
  Phase phase_ = Phase::steady;
  Window window_;
  std::uint64_t calls_to_settle_ = 0;  // until calls that began before the last change are done
  double rate_ = 0;         // at this size; 0: not known
  unsigned before_ = 0;     // while something is tried: the size before it, and its rate
  double rate_before_ = 0;
  unsigned pause_ = 0;      // windows until something is tried again
  unsigned patience_;       // windows between tries
  double cpu_share_ = -1;   // used or wanted by those at work, in the last window; -1: not known
  bool looks_down_next_ = false;  // when something is tried again: fewer, rather than more
  bool are_calls_short_ = false;  // in the last window
  bool has_grown_in_vain_ = false;
};

}  // namespace tranche
