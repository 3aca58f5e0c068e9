#include "executors/threads.h"

#include <system_error>

#include <fmt/format.h>

#include "base/process.h"
#include "executors/work_loop.h"

namespace tranche {

ThreadExecutor::ThreadExecutor(unsigned workers, WorkerFactory factory, BreadcrumbBoard& board,
                               const LanePool* lanes)
    : factory_(std::move(factory)), board_(board), lanes_(lanes) {
  board_.slots_used.store(workers);
  // Signals are for the thread that runs the step; workers are not interrupted.
  const SignalShield shield;
  try {
    for (unsigned number = 0; number < workers; ++number) {
      threads_.emplace_back([this, number] { run(number); });
    }
  } catch (const std::system_error& problem) {
    // The limit of processes: fewer workers do the same work.
    if (threads_.empty()) start_error_ = problem.what();
  }
}

ThreadExecutor::~ThreadExecutor() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    tasks_.clear();
  }
  task_came_.notify_all();
  for (auto& thread : threads_) thread.join();
}

Result<void> ThreadExecutor::submit(Task task) {
  if (!start_error_.empty()) {
    return make_error(ErrorKind::failed,
                      fmt::format("No worker could be started: {}.", start_error_));
  }
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  task_came_.notify_one();
  return {};
}

Result<std::optional<Outcome>> ThreadExecutor::next(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  outcome_came_.wait_for(lock, timeout, [this] { return !outcomes_.empty(); });
  if (outcomes_.empty()) return std::optional<Outcome>();
  std::optional<Outcome> outcome(std::move(outcomes_.front()));
  outcomes_.pop_front();
  return outcome;
}

void ThreadExecutor::run(unsigned number) {
  std::unique_ptr<Worker> worker;
  while (true) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      task_came_.wait(lock, [this] { return closing_ || !tasks_.empty(); });
      if (closing_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    Outcome outcome;
    outcome.task = task.id;
    outcome.group = task.group;
    outcome.is_merge = task.kind == Task::Kind::merge;
    outcome.worker = number;
    Breadcrumb& breadcrumb = board_.slots[number];
    breadcrumb.begin_task(task.id, task.records());
    const WorkWatch watch;
    outcome.result = work_safely(worker, factory_, number, task);
    outcome.time = watch.elapsed();
    if (!outcome.result && outcome.result.error().kind == ErrorKind::memory) {
      outcome.death = death_of(breadcrumb, ErrorKind::memory, "ran out of memory");
    }
    breadcrumb.end_task();
    task = Task{};  // its segments are freed before the outcome is seen
    {
      const std::lock_guard lock(mutex_);
      outcomes_.push_back(std::move(outcome));
    }
    outcome_came_.notify_one();
  }
}

}  // namespace tranche
