// The supervisor's side of worker processes: it forks them on the engine's request, since it alone
// has one thread, and it reaps them, with whatever they have started.
// Threads: the supervisor's one thread.
#pragma once

#include <map>
#include <optional>
#include <string>

#include <tranche/api/job.h>
#include <tranche/api/run.h>
#include "api/supervisor_link.h"
#include "base/channel.h"
#include "base/control_group.h"
#include "base/process.h"

namespace tranche {

class WorkerKeeper {
 public:
  WorkerKeeper(const JobSpec& job, const RunOptions& options, BreadcrumbBoard& board)
      : job_(job), options_(options), board_(board) {}

  // Does what the engine asks at its end of the channel. Errors: bug, when it is no request.
  Result<void> serve(Channel& control);
  // Reaps workers that have ended, and tells the engine. Call it at SIGCHLD.
  void reap(Channel& control);
  // Ends all of them, and reaps them: a new engine begins with none.
  void end_all();

 private:
  using Key = std::pair<unsigned, std::uint32_t>;  // slot and generation

  // Its group, where there is one, is left and removed after it.
  struct Worker {
    std::optional<MemoryGroup> group;
    Child process;
  };

  void start(WorkerRequest request, Channel end, Channel& control);
  static void tell(Channel& control, const WorkerStarter::Notice& notice);

  const JobSpec& job_;
  const RunOptions& options_;
  BreadcrumbBoard& board_;
  std::optional<MemoryGroups> groups_;  // once a worker's memory is limited
  std::map<Key, Worker> workers_;
};

}  // namespace tranche
