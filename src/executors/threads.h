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

namespace tranche {

class ThreadExecutor final : public Executor {
 public:
  // `factory` is called in each worker's own thread, when its first task comes. `board`: a slot
  // for each worker. REQUIRES workers > 0.
  ThreadExecutor(unsigned workers, WorkerFactory factory, BreadcrumbBoard& board);
  ~ThreadExecutor() override;

  Result<void> submit(Task task) override;
  Result<std::optional<Outcome>> next(std::chrono::milliseconds timeout) override;
  unsigned workers() const override { return static_cast<unsigned>(threads_.size()); }

 private:
  void run(unsigned number);

  WorkerFactory factory_;
  BreadcrumbBoard& board_;
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
