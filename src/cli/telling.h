// What a run tells other systems: metrics into a file, lineage into a file or to a service.
//
// Threads: one. A system that can't be told is said, and changes nothing about the run.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include <tranche/api/run.h>

#include "base/file.h"
#include "cli/command.h"
#include "render/metrics.h"

namespace tranche {

std::vector<Flag> telling_flags();

// Between a run and its view. Lifetime: refers to all that it is given.
class Telling final : public Observer {
 public:
  Telling(const Invocation& invocation, const JobSpec& job, Observer* view)
      : invocation_(invocation), job_(job), view_(view) {}

  void on_event(const Event& event) override;
  void end(const RunSummary& summary) const;

 private:
  void tell_lineage(const std::string& event) const;
  const Invocation& invocation_;
  const JobSpec& job_;
  Observer* view_;
  std::string started_;  // the run whose start was told
};

// Atomically. What goes wrong is said.
void write_metrics(const fs::path& file, std::span<const MeasuredJob> jobs);

}  // namespace tranche
