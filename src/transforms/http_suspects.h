// Records that failed when no other one was answered behind them, so that nothing is proved. When
// their batch is tried again they are called for first, and others are answered, or not.
//
// Threads: thread-safe. Lifetime: outlives the workers of its step.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <set>
#include <span>

#include <tranche/core/page.h>

namespace tranche {

class HttpSuspects {
 public:
  void add(std::uint64_t record) {
    const std::lock_guard lock(mutex_);
    records_.insert(record);
  }
  bool has_any(const Page& page, std::span<const std::uint32_t> rows) const {
    const std::lock_guard lock(mutex_);
    return !records_.empty() && std::any_of(rows.begin(), rows.end(), [&](std::uint32_t row) {
      return records_.contains(number(page, row));
    });
  }
  static std::uint64_t number(const Page& page, std::uint32_t row) {
    return page.base.record + (page.origins.empty() ? row : page.origins[row].record);
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::uint64_t> records_;
};

}  // namespace tranche
