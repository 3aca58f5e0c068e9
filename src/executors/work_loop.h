// What every worker does, be it a thread or a process: tasks, one after the other, and nothing that
// goes wrong in one leaves it as an exception.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include <tranche/core/task.h>

#include "base/channel.h"

namespace tranche {

// When a task was begun, and how long it has taken since.
class WorkWatch {
 public:
  WorkWatch();
  WorkTime elapsed() const;

 private:
  std::int64_t began_microseconds_;
  std::chrono::nanoseconds began_;
};

// Makes the worker at its first task. Exceptions end here: those of user code and of libraries that
// slipped through.
Result<ChunkResult> work_safely(std::unique_ptr<Worker>& worker, const WorkerFactory& factory,
                                unsigned number, const Task& task);

// The life of a worker process: takes tasks from the engine until it closes the channel. Returns
// the code to exit with.
int work_for_engine(Channel channel, Breadcrumb& breadcrumb, const WorkerFactory& factory,
                    unsigned number);
// Instead of it, where the worker can't be made: tells the engine why.
int refuse_work(Channel channel, const Error& error);

}  // namespace tranche
