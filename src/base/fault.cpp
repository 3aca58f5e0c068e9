#include "base/fault.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace tranche {
namespace {

struct Fault {
  std::string stage_dropped;
  std::string point_killed;
  std::uint64_t kill_at = 1;
};

Fault read_fault() {
  Fault fault;
  const char* variable = std::getenv("TRANCHE_FAULT");
  if (variable == nullptr) return fault;
  std::string_view text = variable;
  if (text.starts_with("drop:")) {
    fault.stage_dropped = text.substr(5);
  } else if (text.starts_with("kill:")) {
    text.remove_prefix(5);
    const std::size_t colon = text.rfind(':');
    const std::string_view count = colon == text.npos ? "" : text.substr(colon + 1);
    const auto end = std::from_chars(count.data(), count.data() + count.size(), fault.kill_at);
    const bool has_count = !count.empty() && end.ec == std::errc() &&
                           end.ptr == count.data() + count.size();
    fault.point_killed = has_count ? text.substr(0, colon) : text;
  }
  return fault;
}

const Fault& fault() {
  static const Fault read = read_fault();
  return read;
}

}  // namespace

bool fault_drops_record(std::string_view stage) {
  static std::atomic<bool> dropped{false};
  const std::string& wanted = fault().stage_dropped;
  return !wanted.empty() && wanted == stage && !dropped.exchange(true);
}

void fault_point(std::string_view name) {
  static std::atomic<std::uint64_t> passed{0};
  const Fault& wanted = fault();
  if (wanted.point_killed.empty() || wanted.point_killed != name) return;
  if (passed.fetch_add(1) + 1 == wanted.kill_at) ::kill(::getpid(), SIGKILL);
}

}  // namespace tranche
