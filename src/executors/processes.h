// Workers as processes of their own, isolated from the engine and from each other: what one does to
// itself (a crash, a leak, a hang) costs the task that it had in work.
//
// Somebody with one thread, the supervisor, starts and ends them (WorkerStarter). Each is fed by a
// channel, has one task in work and one waiting, and hands over its results in shared memory. A
// trial gets a fresh process, which ends with it.
//
// Threads: submit and next are for one thread. A thread of its own keeps the workers busy and
// watches them, whatever the engine waits for. Lifetime: starter and board outlive the executor,
// whose destructor ends all workers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <tranche/core/task.h>

#include "base/channel.h"
#include "base/process.h"

namespace tranche {

// What a worker process may use. What is 0 is not limited.
struct ProcessLimits {
  std::uint64_t memory_bytes = 0;         // of its own; it is replaced when it comes near
  std::chrono::milliseconds timeout{0};   // without progress
  std::chrono::milliseconds cpu_time{0};  // without progress
  std::uint64_t recycle_batches = 0;      // then it is replaced
};

// Starts and ends worker processes. A worker is known by its slot on the board, and the generation
// of the worker in that slot.
class WorkerStarter {
 public:
  struct Notice {
    unsigned slot = 0;
    std::uint32_t generation = 0;
    pid_t pid = 0;                  // it has started; 0: it has not, or has ended
    std::optional<Exit> exit;       // it has ended, and nothing of it is left
    bool is_out_of_memory = false;  // the system ended it for the memory that it took
    std::string error;              // it could not be started
  };
  virtual ~WorkerStarter() = default;
  virtual Result<void> start(unsigned slot, std::uint32_t generation, std::uint64_t memory_bytes,
                             Channel end) = 0;
  virtual Result<void> kill(unsigned slot, std::uint32_t generation) = 0;
  virtual int descriptor() const = 0;  // readable when there are notices
  virtual Result<std::vector<Notice>> notices() = 0;
};

class ProcessExecutor final : public Executor {
 public:
  // Uses the board's slots from `first_slot` on. `workers` may be 0: then only trials are taken.
  ProcessExecutor(unsigned workers, unsigned first_slot, const ProcessLimits& limits,
                  WorkerStarter& starter, BreadcrumbBoard& board);
  ~ProcessExecutor() override;

  Result<void> submit(Task task) override;
  Result<std::optional<Outcome>> next(std::chrono::milliseconds timeout) override;
  unsigned workers() const override { return workers_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Process;

  // Of the keeper's thread.
  void keep();
  Result<void> keep_once();
  void hand_out();
  Result<void> start(Process& process);
  Result<void> give(Process& process, Task task);
  Result<void> wait_for_news();
  Result<void> take_notices();
  void take_answers(Process& process);
  void take_answer(Process& process, Frame frame);
  void retire_when_due(Process& process, bool wants_replacement);
  void take_end(Process& process, const WorkerStarter::Notice& notice);
  void count_death_at_start(const std::string& how, bool outside);
  void watch();
  void watch(Process& process);
  void condemn(Process& process, ErrorKind kind, std::string how);
  void distrust(Process& process, std::string how);
  void end_all();

  // Both threads.
  void deliver(Outcome outcome);
  void give_back(std::deque<Task> tasks);
  void break_down(Error error);  // nothing can be worked on any more
  std::optional<Task> take_task(bool trial);

  unsigned workers_;
  ProcessLimits limits_;
  WorkerStarter& starter_;
  BreadcrumbBoard& board_;
  std::vector<Process> processes_;  // the workers, then those for trials
  unsigned deaths_at_start_ = 0;    // in a row, before a task was begun
  unsigned kills_at_start_ = 0;     // likewise, by kills from outside
  Clock::time_point next_watch_;

  std::mutex mutex_;
  std::condition_variable outcome_came_;
  std::deque<Task> tasks_;
  std::deque<Task> trials_;
  std::deque<Outcome> outcomes_;
  std::optional<Error> broken_;
  bool closing_ = false;
  Descriptor wake_;  // an eventfd: there is something for the keeper
  std::thread keeper_;
};

}  // namespace tranche
