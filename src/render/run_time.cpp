#include "render/run_time.h"

#include <algorithm>
#include <utility>

namespace tranche {
namespace {

// A pause is longer than this, and than a fifth of all that there is.
constexpr std::int64_t pause_microseconds_min = 5'000'000;
constexpr std::int64_t pause_share = 5;

}  // namespace

RunTime::RunTime(const ReportedStep& step) {
  std::vector<std::pair<std::int64_t, std::int64_t>> spans;
  for (const ReportedGroup& group : step.groups) {
    spans.emplace_back(group.committed_microseconds, group.committed_microseconds);
    for (const BatchWork& work : group.work.batches)
      spans.emplace_back(work.began_microseconds, work.ended_microseconds);
  }
  if (spans.empty()) return;
  std::sort(spans.begin(), spans.end());
  std::int64_t last = spans.front().second;
  for (const auto& span : spans) last = std::max(last, span.second);
  const std::int64_t pause_min =
      std::max(pause_microseconds_min, (last - spans.front().first) / pause_share);
  for (const auto& [begin, end] : spans) {
    if (!stretches_.empty() && begin - stretches_.back().end < pause_min) {
      stretches_.back().end = std::max(stretches_.back().end, end);
      continue;
    }
    if (!stretches_.empty()) {
      pauses_microseconds_ += begin - stretches_.back().end;
      worked_microseconds_ += stretches_.back().end - stretches_.back().begin;
    }
    stretches_.push_back({begin, end, worked_microseconds_});
  }
  worked_microseconds_ += stretches_.back().end - stretches_.back().begin;
}

double RunTime::seconds_until(std::int64_t microseconds) const {
  std::int64_t worked = 0;
  for (const Stretch& stretch : stretches_) {
    if (microseconds < stretch.begin) break;
    worked = stretch.worked_before + std::min(microseconds, stretch.end) - stretch.begin;
  }
  return static_cast<double>(worked) / 1e6;
}

double RunTime::place(std::int64_t microseconds) const {
  if (worked_microseconds_ == 0) return 0;
  return seconds_until(microseconds) / seconds() * width;
}

}  // namespace tranche
