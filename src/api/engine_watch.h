// Watches an engine whose workers are threads, from outside: a thread that hangs, or takes all
// memory, can't be ended without its process.
//
// Threads: the supervisor's one thread. Lifetime: that of one engine; the board outlives it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/breadcrumb.h>
#include "base/process.h"
#include "engine/step_engine.h"
#include "executors/progress_watch.h"

namespace tranche {

class EngineWatch {
 public:
  explicit EngineWatch(std::span<const BreadcrumbBoard> boards);

  // True when the engine must be killed: suspects() will say why.
  bool must_end(pid_t engine);
  // What was in work when the engine ended so; none, when it was killed from outside.
  std::vector<engine::Suspect> suspects(const Exit& exit) const;
  // How it ended, for people.
  std::string how(const Exit& exit) const;

 private:
  struct Slot {
    std::size_t board;
    std::size_t number;
  };
  void look_for_late();

  std::span<const BreadcrumbBoard> boards_;  // one for each step that runs
  std::vector<std::vector<ProgressWatch>> watches_;
  ErrorKind kind_ = ErrorKind::crash;
  std::string sentence_;    // why it had to be killed
  std::vector<Slot> late_;  // that made no progress; empty: any may be to blame
};

}  // namespace tranche
