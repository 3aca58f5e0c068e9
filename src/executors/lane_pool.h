// The lanes of a step's workers: threads that help with pages whose calls wait, started when they
// are first needed.
//
// With a fixed number they are there as asked. With `auto` a thread of the pool's own looks a few
// times a second at what the calls do, and lets AutoWorkers say how many there should be.
// Threads: run() is called by workers; the rest by anybody. Lifetime: outlives the workers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <tranche/core/lanes.h>

#include "executors/auto_workers.h"

namespace tranche {

class LanePool final : public Lanes {
 public:
  // Slots of the board behind those of the `workers` are the lanes'. REQUIRES at_once >= workers.
  LanePool(unsigned workers, unsigned at_once, BreadcrumbBoard& board);
  LanePool(AutoWorkers chooser, BreadcrumbBoard& board);
  ~LanePool() override;

  void run(SharedCalls& calls, Breadcrumb& worker) override;
  // Called by each worker in its own thread, before its first task.
  void meet_worker(unsigned number);

  // Workers and lanes now, and those that were found to be right.
  unsigned size() const;
  unsigned chosen() const;
  // Why so many; empty when they were asked for.
  std::string why() const;

 private:
  // A page in work, as long as its worker is in run().
  struct PageInWork {
    SharedCalls& calls;
    Breadcrumb& worker;
    unsigned lanes = 0;  // that are at it
    std::condition_variable left;
  };
  using Clock = std::chrono::steady_clock;

  // All of these REQUIRE the lock.
  void set_size(unsigned size);
  void start_missing();
  PageInWork* neediest() const;
  unsigned workers_at_work() const;
  std::chrono::nanoseconds worker_cpu_wanted() const;

  void live(unsigned number);  // of a lane
  void help(PageInWork& page, unsigned number, std::unique_lock<std::mutex>& lock);
  void keep();
  WorkSample sample();

  const unsigned workers_;
  BreadcrumbBoard& board_;
  mutable std::mutex mutex_;
  std::condition_variable wanted_changed_;  // or a page came
  std::condition_variable closing_came_;
  std::optional<AutoWorkers> chooser_;
  unsigned size_;
  std::vector<PageInWork*> pages_;
  std::vector<int> worker_threads_;  // by their numbers in the kernel; 0: not met yet
  std::atomic<unsigned> busy_{0};    // lanes that are at a page
  std::atomic<unsigned> wanted_{0};  // that may be
  bool closing_ = false;
  bool can_start_more_ = true;
  std::vector<std::thread> lanes_;
  std::thread keeper_;
  // At the sample before.
  Clock::time_point sampled_at_;
  std::chrono::nanoseconds cpu_sampled_{0};
  std::chrono::nanoseconds worker_cpu_sampled_{0};
  std::uint64_t calls_sampled_ = 0;
};

}  // namespace tranche
