// What the kernel says of memory and cores. In a container the control group decides, not the
// machine: a budget of a quarter of the machine's memory would be killed there.
#include <malloc.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/control_group.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"

namespace tranche {
namespace {

// The unsigned number at the start of `text`; nullopt for "max" and "-1".
std::optional<std::uint64_t> parse_limit(std::string_view text) {
  std::uint64_t value = 0;
  const std::from_chars_result end = std::from_chars(text.data(), text.data() + text.size(), value);
  return end.ec == std::errc() ? std::optional(value) : std::nullopt;
}

std::string read_or_empty(const fs::path& path) {
  Result<std::string> text = read_file(path);
  return text ? std::move(text).value() : std::string();
}

// The cores that a control group's share of time amounts to; nullopt without a limit.
std::optional<double> core_quota(const fs::path& group) {
  const std::vector<std::string> unified =
      split(trim(read_or_empty(group / "cpu.max")), ' ');  // "200000 100000" or "max 100000"
  std::optional<std::uint64_t> quota = parse_limit(unified[0]);
  std::optional<std::uint64_t> period = parse_limit(unified.back());
  if (!quota) {
    quota = parse_limit(read_or_empty(group / "cpu.cfs_quota_us"));
    period = parse_limit(read_or_empty(group / "cpu.cfs_period_us"));
  }
  if (!quota || !period || *period == 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

}  // namespace

std::uint64_t total_memory_bytes() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_bytes = ::sysconf(_SC_PAGE_SIZE);
  std::uint64_t total = std::numeric_limits<std::uint64_t>::max();
  if (pages > 0 && page_bytes > 0)
    total = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes);
  for (const fs::path& group : control_groups("memory")) {
    for (const char* name : {"memory.max", "memory.high", "memory.limit_in_bytes"}) {
      if (const auto limit = parse_limit(read_or_empty(group / name)); limit && *limit > 0)
        total = std::min(total, *limit);
    }
  }
  return total;
}

std::uint64_t proportional_set_bytes(pid_t pid) {
  const std::string process = pid == 0 ? "self" : fmt::format("{}", pid);
  const std::string rollup = read_or_empty(fs::path("/proc") / process / "smaps_rollup");
  const std::size_t at = rollup.find("\nPss:");
  if (at == rollup.npos) return 0;
  const std::string_view value = trim(std::string_view(rollup).substr(at + 5));  // "520 kB"
  return parse_limit(value).value_or(0) * 1024;
}

std::uint64_t tree_set_bytes(pid_t root) {
  std::uint64_t bytes = 0;
  std::vector<std::string> left{fmt::format("{}", root)};
  while (!left.empty()) {
    const std::string process = std::exchange(left.back(), {});
    left.pop_back();
    const auto pid = static_cast<pid_t>(parse_limit(process).value_or(0));
    if (pid <= 0) continue;
    bytes += proportional_set_bytes(pid);
    const auto children = fs::path("/proc") / process / "task" / process / "children";
    for (std::string& child : split(trim(read_or_empty(children)), ' ')) {
      left.push_back(std::move(child));
    }
  }
  return bytes;
}

void limit_free_memory() {
  // Blocks of a chunk are reused, larger ones go back to the kernel at once.
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 8 << 20);
}

void return_free_memory() { ::malloc_trim(0); }

unsigned core_count() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  unsigned count = std::max(std::thread::hardware_concurrency(), 1u);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    count = static_cast<unsigned>(std::max(CPU_COUNT(&allowed), 1));
  for (const fs::path& group : control_groups("cpu")) {
    if (const std::optional<double> quota = core_quota(group); quota && *quota < count)
      count = std::max(static_cast<unsigned>(std::ceil(*quota)), 1u);
  }
  return count;
}

}  // namespace tranche
