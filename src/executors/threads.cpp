#include "executors/threads.h"

#include <pthread.h>
#include <time.h>

#include <csignal>
#include <exception>
#include <new>
#include <system_error>

#include <fmt/format.h>

namespace tranche {
namespace {

std::chrono::nanoseconds thread_time(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// Makes the worker at its first task. Exceptions end here: those of user code and of libraries that
// slipped through.
Result<ChunkResult> work_safely(std::unique_ptr<Worker>& worker, const WorkerFactory& factory,
                                unsigned number, const Task& task) {
  try {
    if (!worker) {
      TRANCHE_ASSIGN(worker, factory(number));
    }
    return worker->work(task);
  } catch (const std::bad_alloc&) {
    return make_error(ErrorKind::memory,
                      fmt::format("A worker ran out of memory in batch {}. Give the job more "
                                  "`memory:`, or make its batches smaller.",
                                  task.batch));
  } catch (const std::exception& problem) {
    return make_error(ErrorKind::bug, fmt::format("An exception left the work on batch {}: {}",
                                                  task.batch, problem.what()));
  } catch (...) {
    return make_error(ErrorKind::bug,
                      fmt::format("An unknown exception left the work on batch {}.", task.batch));
  }
}

}  // namespace

ThreadExecutor::ThreadExecutor(unsigned workers, WorkerFactory factory)
    : factory_(std::move(factory)) {
  // Signals are for the thread that runs the step; workers are not interrupted.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    for (unsigned number = 0; number < workers; ++number) {
      threads_.emplace_back([this, number] { run(number); });
    }
  } catch (const std::system_error& problem) {
    // The limit of processes: fewer workers do the same work.
    if (threads_.empty()) start_error_ = problem.what();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
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
    Outcome outcome{task.id, task.group, task.kind == Task::Kind::merge, ChunkResult{}, {},
                    {},      number};
    const auto wall = thread_time(CLOCK_MONOTONIC);
    const auto cpu = thread_time(CLOCK_THREAD_CPUTIME_ID);
    outcome.result = work_safely(worker, factory_, number, task);
    outcome.wall = thread_time(CLOCK_MONOTONIC) - wall;
    outcome.cpu = thread_time(CLOCK_THREAD_CPUTIME_ID) - cpu;
    task = Task{};  // its segments are freed before the outcome is seen
    {
      const std::lock_guard lock(mutex_);
      outcomes_.push_back(std::move(outcome));
    }
    outcome_came_.notify_one();
  }
}

}  // namespace tranche
