// How much of what has ended is kept: the flags of `forget`, and of a service that forgets.
//
// Threads: one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include <tranche/api/inspect.h>

#include "base/file.h"
#include "cli/command.h"

namespace tranche {

struct Retention {
  std::optional<std::chrono::milliseconds> older_than;  // nullopt: of any age
  std::uint64_t state_bytes_max = 0;                    // 0: of any size
  bool is_bounded() const { return older_than || state_bytes_max > 0; }
  // As of now.
  ForgetOptions options() const;
};

// What the two flags say; they may be called otherwise in a command. Errors: usage.
Result<Retention> take_retention(const Invocation& invocation, const std::string& older_than,
                                 const std::string& max_size);

// Forgets in these state folders now and then, for as long as something calls it.
class Housekeeping {
 public:
  static constexpr std::chrono::hours interval{1};

  Housekeeping(Retention retention, std::set<fs::path> states,
               std::function<void(const std::string& line)> tell)
      : retention_(retention), states_(std::move(states)), tell_(std::move(tell)) {}

  // At the first call, and an interval after the last time. What can't be done is told, and tried
  // again the next time.
  void work();

 private:
  Retention retention_;
  std::set<fs::path> states_;
  std::function<void(const std::string& line)> tell_;
  std::optional<std::chrono::nanoseconds> worked_at_;
};

}  // namespace tranche
