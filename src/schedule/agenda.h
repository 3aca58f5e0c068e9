// Which windows of a job are left to do: those that are due and that no completed run covers.
//
// Threads: one. Pure: the caller says what time it is. Times are microseconds since the epoch.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <tranche/core/timetable.h>

namespace tranche {

// Stretches of time that completed runs cover.
class CoveredTime {
 public:
  CoveredTime() = default;
  explicit CoveredTime(std::vector<TimeWindow> windows);

  // The stretch that all of the window lies in; nullptr: there is none. What counts is the time, so
  // that hours are done when their day was, before the schedule was changed.
  const TimeWindow* find(const TimeWindow& window) const;
  bool covers(const TimeWindow& window) const { return find(window) != nullptr; }

 private:
  std::vector<TimeWindow> stretches_;  // apart from each other, in order
};

class Agenda {
 public:
  Agenda(Timetable timetable, std::optional<std::uint64_t> catch_up)
      : timetable_(std::move(timetable)), catch_up_(catch_up) {}

  const Timetable& timetable() const { return timetable_; }
  // The first window that is caught up with at `now`: what lies before it is skipped. nullopt: none
  // is due yet.
  std::optional<TimeWindow> earliest(std::int64_t now) const;
  // The first one that is due and left to do.
  std::optional<TimeWindow> next(const CoveredTime& done, std::int64_t now) const;
  // All of them, in order.
  std::vector<TimeWindow> left(const CoveredTime& done, std::int64_t now) const;
  // Those in between that begin at `from` or later and end by `to`, in order.
  std::vector<TimeWindow> left_between(const CoveredTime& done, std::int64_t from,
                                       std::int64_t to) const;
  // When another window becomes due.
  std::int64_t next_due(std::int64_t now) const;

 private:
  // The first window from this one on that is left to do.
  TimeWindow first_left(const CoveredTime& done, TimeWindow window) const;

  Timetable timetable_;
  std::optional<std::uint64_t> catch_up_;  // so many of the latest; nullopt: all
};

}  // namespace tranche
