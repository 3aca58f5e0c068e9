#include "schedule/agenda.h"

#include <algorithm>
#include <utility>

namespace tranche {

CoveredTime::CoveredTime(std::vector<TimeWindow> windows) {
  std::sort(windows.begin(), windows.end(), [](const TimeWindow& a, const TimeWindow& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  for (const TimeWindow& window : windows) {
    if (stretches_.empty() || stretches_.back().end < window.begin)
      stretches_.push_back(window);
    else
      stretches_.back().end = std::max(stretches_.back().end, window.end);
  }
}

const TimeWindow* CoveredTime::find(const TimeWindow& window) const {
  const auto behind = std::upper_bound(
      stretches_.begin(), stretches_.end(), window.begin,
      [](std::int64_t begin, const TimeWindow& stretch) { return begin < stretch.begin; });
  if (behind == stretches_.begin() || std::prev(behind)->end < window.end) return nullptr;
  return &*std::prev(behind);
}

std::optional<TimeWindow> Agenda::earliest(std::int64_t now) const {
  const auto latest = timetable_.latest_due(now);
  if (!latest || !catch_up_) return latest ? std::optional(timetable_.first()) : latest;
  TimeWindow window = *latest;
  for (std::uint64_t i = 1; i < *catch_up_ && window.begin > timetable_.first().begin; ++i)
    window = timetable_.before(window);
  return window;
}

TimeWindow Agenda::first_left(const CoveredTime& done, TimeWindow window) const {
  while (const TimeWindow* const stretch = done.find(window))
    window = timetable_.window_of(stretch->end);
  return window;
}

std::optional<TimeWindow> Agenda::next(const CoveredTime& done, std::int64_t now) const {
  const auto from = earliest(now);
  if (!from) return std::nullopt;
  const TimeWindow window = first_left(done, *from);
  return timetable_.due_at(window) <= now ? std::optional(window) : std::nullopt;
}

std::vector<TimeWindow> Agenda::left(const CoveredTime& done, std::int64_t now) const {
  const auto from = earliest(now);
  const auto latest = timetable_.latest_due(now);
  return from ? left_between(done, from->begin, latest->end) : std::vector<TimeWindow>();
}

std::vector<TimeWindow> Agenda::left_between(const CoveredTime& done, std::int64_t from,
                                             std::int64_t to) const {
  std::vector<TimeWindow> left;
  TimeWindow window = timetable_.window_of(from);
  if (window.begin < from) window = timetable_.behind(window);
  while (true) {
    window = first_left(done, window);
    if (window.end > to) return left;
    left.push_back(window);
    window = timetable_.behind(window);
  }
}

std::int64_t Agenda::next_due(std::int64_t now) const {
  const auto latest = timetable_.latest_due(now);
  return timetable_.due_at(latest ? timetable_.behind(*latest) : timetable_.first());
}

}  // namespace tranche
