// Time, behind an interface, so that the engine can be run under a simulated clock.
// Threads: every function is thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace tranche {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t now_microseconds() const = 0;  // wall clock, since the epoch, UTC
  virtual std::chrono::nanoseconds monotonic() const = 0;
  virtual void sleep(std::chrono::nanoseconds duration) = 0;
};

Clock& system_clock();

// What a clock on the wall shows at an instant, in the time zone of this machine, as if that were
// UTC.
std::int64_t local_microseconds(std::int64_t microseconds_since_epoch);

// "2026-01-31T12:34:56.123Z"
std::string format_utc(std::int64_t microseconds_since_epoch);

}  // namespace tranche
