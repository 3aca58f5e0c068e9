#include "api/worker_keeper.h"

#include <signal.h>

#include <fmt/format.h>

#include "api/worker_order.h"

namespace tranche {

Result<void> WorkerKeeper::serve(Channel& control) {
  bool closed = false;
  TRANCHE_ASSIGN(auto frames, control.receive_available(closed));
  for (Frame& frame : frames) {
    TRANCHE_ASSIGN(auto request, decode_request(frame.bytes));
    if (request.kind == WorkerRequest::Kind::kill) {
      const auto found = workers_.find({request.slot, request.generation});
      if (found != workers_.end()) found->second.process.kill_group(SIGKILL);
      continue;
    }
    if (frame.descriptors.size() != 1)
      return make_error(ErrorKind::bug, "A worker was asked for without a channel.");
    start(std::move(request), Channel(std::move(frame.descriptors.front())), control);
  }
  return {};
}

void WorkerKeeper::start(WorkerRequest request, Channel end, Channel& control) {
  WorkerStarter::Notice notice;
  notice.slot = request.slot;
  notice.generation = request.generation;
  if (request.memory_bytes > 0 && !groups_) groups_.emplace();
  auto group = request.memory_bytes == 0
                   ? std::optional<MemoryGroup>()
                   : groups_->create(fmt::format("{}-{}", request.slot, request.generation));
  const MemoryGroup* const joined = group ? &*group : nullptr;
  auto child = Child::fork(
      [&] { return run_worker(job_, options_, request, std::move(end), board_, joined); },
      Child::Group::own);
  if (child) {
    notice.pid = child->pid();
    workers_.emplace(Key(request.slot, request.generation),
                     Worker{std::move(group), *std::move(child)});
  } else {
    notice.error = fmt::format("No worker process could be started. {}", child.error().message);
  }
  tell(control, notice);
}

void WorkerKeeper::reap(Channel& control) {
  for (auto worker = workers_.begin(); worker != workers_.end();) {
    auto& [group, process] = worker->second;
    if (!process.has_ended()) {
      ++worker;
      continue;
    }
    // What it has started goes with it, while its number still names its group.
    process.kill_group(SIGKILL);
    const auto exit = process.wait(std::nullopt);
    WorkerStarter::Notice notice;
    notice.slot = worker->first.first;
    notice.generation = worker->first.second;
    notice.exit = exit && *exit ? **exit : Exit{};
    notice.is_out_of_memory = notice.exit->signal == SIGKILL && group && group->has_killed();
    worker = workers_.erase(worker);
    tell(control, notice);
  }
}

void WorkerKeeper::end_all() {
  for (auto& [key, worker] : workers_) worker.process.kill_group(SIGKILL);
  workers_.clear();  // waits for each
}

// An engine that is gone does not listen; its end is seen elsewhere.
void WorkerKeeper::tell(Channel& control, const WorkerStarter::Notice& notice) {
  const auto told = control.send(encode_notice(notice));
  static_cast<void>(told);
}

}  // namespace tranche
