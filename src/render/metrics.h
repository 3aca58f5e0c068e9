// Figures of jobs for a monitoring system: an OpenMetrics text
// (https://prometheus.io/docs/specs/om/open_metrics_spec/), as the node exporter of Prometheus
// reads it from a file.
//
// Threads: a pure function.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tranche/api/inspect.h>

namespace tranche {

struct MeasuredJob {
  std::string job;
  std::optional<RunInfo> run;  // its latest; nullopt: there is none yet
  // Of a job with a schedule: how many windows are in which state, and how often it has failed in a
  // row.
  std::vector<std::pair<std::string, std::uint64_t>> windows;
  std::optional<std::uint64_t> failures;
};

std::string render_metrics(std::span<const MeasuredJob> jobs);

}  // namespace tranche
