// Tasks that say what shall become of their worker, workers that do it, and somebody to start such
// workers as processes.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/channel.h"
#include "base/process.h"
#include "executors/processes.h"

namespace tranche::deeds {

enum class Deed : std::uint64_t {
  none,
  give,  // as many bytes as it is told
  fail,  // by an error
  throw_exception,
  throw_what_is_none,
  run_out_of_memory,  // by an exception
  crash,
  exit,
  hang,
  spin,
  beat,      // for as many milliseconds as it is told, by and by
  allocate,  // as much as it is told, and hang
  keep,      // as much memory as it is told, for good
  leak_descriptors,
  be_killed,   // by SIGKILL, as if from outside
  send_noise,  // to the engine
  send_lies,   // an answer that nobody asked for, and then the true one
};

// Of one record, with the number of its id; `amount` is the deed's.
Task task_of(std::uint64_t id, Deed deed = Deed::none, std::uint64_t amount = 0);
// Its answer is the number of its process.
std::string text_of(const Outcome& outcome);
// `channel`: to the engine, for noise.
Result<std::unique_ptr<Worker>> make_doer(Breadcrumb& breadcrumb, int channel);

// A board that processes share.
class SharedBoard {
 public:
  SharedBoard();
  ~SharedBoard();
  SharedBoard(const SharedBoard&) = delete;
  SharedBoard& operator=(const SharedBoard&) = delete;
  BreadcrumbBoard& operator*() const { return *board_; }
  BreadcrumbBoard* operator->() const { return board_; }

 private:
  BreadcrumbBoard* board_;
};

// What the supervisor is to an engine: a process with one thread, which forks and reaps workers.
// Lifetime: made before the executor, and before anything else that has threads.
class Zygote final : public WorkerStarter {
 public:
  enum class Worker {
    usual,
    without_limit,       // of its memory but that which the executor watches
    that_dies_at_start,  // by a crash
    killed_at_start,     // by SIGKILL
    that_refuses,        // to work
  };
  Zygote(BreadcrumbBoard& board, Worker worker);
  ~Zygote() override;
  Result<void> start(unsigned slot, std::uint32_t generation, std::uint64_t memory_bytes,
                     Channel end) override;
  Result<void> kill(unsigned slot, std::uint32_t generation) override;
  int descriptor() const override { return control_.descriptor(); }
  Result<std::vector<Notice>> notices() override;

 private:
  Channel control_;
  Child process_;
};

// All outcomes of so many tasks, by the id of the task; a minute without one fails the test.
std::map<std::uint64_t, Outcome> take_all(Executor& executor, std::size_t count);
// The outcome of one more task.
Outcome have_done(Executor& executor, Task task);

}  // namespace tranche::deeds
