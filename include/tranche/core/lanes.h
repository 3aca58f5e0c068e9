// Lanes: threads that help a worker with the calls of business logic for one page, where calls wait
// rather than compute. What they give is put in the order of the records by the worker.
//
// Threads: Lanes is shared by all workers of a step. Lifetime: that of the workers.
#pragma once

#include <atomic>

#include <tranche/core/breadcrumb.h>

namespace tranche {

// One of the threads that make the calls of a page.
class Lane {
 public:
  // The worker's own: it stays to the end.
  explicit Lane(Breadcrumb& breadcrumb) : breadcrumb_(breadcrumb) {}
  // Stays while no more than `wanted` are busy.
  Lane(Breadcrumb& breadcrumb, const std::atomic<unsigned>& busy,
       const std::atomic<unsigned>& wanted)
      : breadcrumb_(breadcrumb), busy_(&busy), wanted_(&wanted) {}

  Breadcrumb& breadcrumb() const { return breadcrumb_; }
  bool is_worker() const { return busy_ == nullptr; }
  bool is_wanted() const {
    return is_worker() ||
           busy_->load(std::memory_order_relaxed) <= wanted_->load(std::memory_order_relaxed);
  }

 private:
  Breadcrumb& breadcrumb_;
  const std::atomic<unsigned>* busy_ = nullptr;
  const std::atomic<unsigned>* wanted_ = nullptr;
};

// The calls of one page, in order, for whoever takes the next one.
class SharedCalls {
 public:
  virtual ~SharedCalls() = default;
  // Whether there are calls that nobody has taken. Thread-safe.
  virtual bool has_more() const = 0;
  // Makes calls until none is left, or the lane is not wanted any more. Several threads are in here
  // at once, each with a lane of its own. Throws nothing: what a call throws is its result.
  virtual void make(const Lane& lane) = 0;
};

class Lanes {
 public:
  virtual ~Lanes() = default;
  // How many calls may be in work at once, of all workers together; 1: each worker makes its own,
  // one by one. May change at any time. One load, so that it can be asked for each record.
  const std::atomic<unsigned>& at_once() const { return at_once_; }
  // Makes the calls in this thread and in lanes that are free; returns when all are made.
  // `worker`: of the caller, who has begun a task.
  virtual void run(SharedCalls& calls, Breadcrumb& worker) = 0;

  // Of a worker without lanes.
  static const std::atomic<unsigned>& one() {
    static const std::atomic<unsigned> number{1};
    return number;
  }

 protected:
  void allow(unsigned at_once) { at_once_.store(at_once, std::memory_order_relaxed); }

 private:
  std::atomic<unsigned> at_once_{1};
};

}  // namespace tranche
