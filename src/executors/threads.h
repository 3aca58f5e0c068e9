// Workers as threads of this process: they share memory and cost the least.
//
// Threads: submit and next are for one thread. The destructor waits for the tasks in work and drops
// those that have not begun.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include <tranche/core/task.h>

#include "executors/lane_pool.h"

namespace tranche {

class ThreadExecutor final : public Executor {
 public:
  // `factory` is called in each worker's own thread, when its first task comes. `board`: a slot
  // for each worker. `lanes`: that the workers have, if any. REQUIRES workers > 0.
  ThreadExecutor(unsigned workers, WorkerFactory factory, BreadcrumbBoard& board,
                 const LanePool* lanes = nullptr);
  ~ThreadExecutor() override;

  Result<void> submit(Task task) override;
  Result<std::optional<Outcome>> next(std::chrono::milliseconds timeout) override;
  unsigned workers() const override { return static_cast<unsigned>(threads_.size()); }
  unsigned at_once() const override { return lanes_ != nullptr ? lanes_->size() : workers(); }

 private:
  void run(unsigned number);

  WorkerFactory factory_;
  BreadcrumbBoard& board_;
  const LanePool* lanes_;
  std::mutex mutex_;
  std::condition_variable task_came_;
  std::condition_variable outcome_came_;
  std::deque<Task> tasks_;
  std::deque<Outcome> outcomes_;
  bool closing_ = false;
  std::string start_error_;  // not one thread could be started
  std::vector<std::thread> threads_;
};

}  // namespace tranche
