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

// The folders of this process's control group and of those above it, for both versions of them.
// A container often mounts its own group as the root: the walk up reaches it.
std::vector<fs::path> control_groups(std::string_view controller) {
  std::vector<fs::path> folders;
  const Result<std::string> groups = read_file("/proc/self/cgroup");
  if (!groups) return folders;
  for (const std::string& line : split(*groups, '\n')) {  // "4:memory:/a/b" or "0::/a/b"
    const std::size_t first = line.find(':');
    const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::vector<std::string> controllers =
        split(std::string_view(line).substr(first + 1, second - first - 1), ',');
    const bool is_unified = line.starts_with("0::");
    if (!is_unified && std::find(controllers.begin(), controllers.end(), controller) ==
                           controllers.end())
      continue;
    fs::path root = "/sys/fs/cgroup";
    if (!is_unified) root /= controller;
    for (fs::path group = fs::path(line.substr(second + 1)).relative_path(); !group.empty();
         group = group.parent_path())
      folders.push_back(root / group);
    folders.push_back(root);
  }
  return folders;
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
