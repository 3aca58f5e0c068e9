#include "base/clock.h"

#include <ctime>
#include <thread>

#include <fmt/format.h>

namespace tranche {
namespace {

class SystemClock final : public Clock {
 public:
  std::int64_t now_microseconds() const override {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count();
  }
  std::chrono::nanoseconds monotonic() const override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
  void sleep(std::chrono::nanoseconds duration) override {
    std::this_thread::sleep_for(duration);
  }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

std::int64_t local_microseconds(std::int64_t microseconds_since_epoch) {
  const auto seconds = static_cast<std::time_t>(microseconds_since_epoch / 1'000'000);
  std::tm local{};
  localtime_r(&seconds, &local);
  return microseconds_since_epoch + std::int64_t{local.tm_gmtoff} * 1'000'000;
}

std::string format_utc(std::int64_t microseconds_since_epoch) {
  namespace ch = std::chrono;
  const ch::sys_time<ch::microseconds> time{ch::microseconds(microseconds_since_epoch)};
  const auto day = ch::floor<ch::days>(time);
  const ch::year_month_day date(day);
  const ch::hh_mm_ss clock(ch::floor<ch::milliseconds>(time - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

}  // namespace tranche
