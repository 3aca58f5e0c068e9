#include "base/control_group.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"

namespace tranche {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::string_view name_prefix = "tranche-";
// Of members that were killed; they leave the group a moment later.
constexpr int removals_max = 20;

// The limit and the count of kills, by the names that the two versions have for them.
struct Version {
  const char* limit;
  const char* limit_with_swap;
  const char* swap_value;  // of the latter; nullptr: the limit itself
  const char* kills;       // a line "oom_kill N" is in it
};
constexpr Version versions[] = {
    {"memory.max", "memory.swap.max", "0", "memory.events"},
    {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", nullptr, "memory.oom_control"}};

const Version* version_of(const fs::path& group) {
  for (const Version& version : versions) {
    if (::access((group / version.limit).c_str(), W_OK) == 0) return &version;
  }
  return nullptr;
}

// The kernel takes each value in one write, or refuses it.
bool write_value(const fs::path& path, std::string_view value) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t written = ::write(file, value.data(), value.size());
  ::close(file);
  return written == static_cast<ssize_t>(value.size());
}

std::vector<pid_t> members(const fs::path& group) {
  std::vector<pid_t> processes;
  const auto text = read_file(group / "cgroup.procs");
  if (!text) return processes;
  for (const std::string& line : split(trim(*text), '\n')) {
    const auto process = static_cast<pid_t>(std::strtol(line.c_str(), nullptr, 10));
    if (process > 0) processes.push_back(process);
  }
  return processes;
}

void remove_group(const fs::path& group) {
  for (int removal = 0; removal < removals_max; ++removal) {
    if (::rmdir(group.c_str()) == 0 || errno != EBUSY) return;
    for (const pid_t process : members(group)) ::kill(process, SIGKILL);
    std::this_thread::sleep_for(1ms);
  }
}

// The groups that processes made here which live no more, and could not remove them.
void remove_left_behind(const fs::path& place) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(place, ignored)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(name_prefix)) continue;
    const auto process =
        static_cast<pid_t>(std::strtol(name.c_str() + name_prefix.size(), nullptr, 10));
    if (process <= 0 || ::kill(process, 0) == 0 || errno != ESRCH) continue;
    // Without force: whoever is in a group keeps it.
    for (const auto& inner : fs::directory_iterator(entry.path(), ignored)) {
      if (inner.is_directory(ignored)) ::rmdir(inner.path().c_str());
    }
    ::rmdir(entry.path().c_str());
  }
}

// Of each hierarchy that limits memory, the group that this process is in: what is made below it
// stays within all that holds for this process.
std::vector<fs::path> own_groups() {
  std::vector<fs::path> own;
  for (const fs::path& group : control_groups("memory")) {
    const bool is_above = !own.empty() && (own.back().parent_path() == group ||
                                           own.back().string().starts_with(group.string() + "/"));
    if (!is_above) own.push_back(group);
  }
  return own;
}

}  // namespace

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
    if (!is_unified &&
        std::find(controllers.begin(), controllers.end(), controller) == controllers.end())
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

MemoryGroup::MemoryGroup(MemoryGroup&& other) noexcept
    : folder_(std::exchange(other.folder_, fs::path())) {}

MemoryGroup::~MemoryGroup() {
  if (!folder_.empty()) remove_group(folder_);
}

bool MemoryGroup::join(std::uint64_t bytes_max) const {
  const Version* const version = version_of(folder_);
  if (version == nullptr) return false;
  const std::string limit = fmt::format("{}", bytes_max);
  if (!write_value(folder_ / version->limit, limit)) return false;
  // Where nothing is swapped there is nothing to limit.
  static_cast<void>(write_value(folder_ / version->limit_with_swap,
                                version->swap_value != nullptr ? version->swap_value : limit));
  return write_value(folder_ / "cgroup.procs", "0");
}

bool MemoryGroup::has_members() const { return !members(folder_).empty(); }

bool MemoryGroup::has_killed() const {
  const Version* const version = version_of(folder_);
  if (version == nullptr) return false;
  const auto text = read_file(folder_ / version->kills);
  if (!text) return false;
  for (const std::string& line : split(*text, '\n')) {
    if (line.starts_with("oom_kill ")) return line != "oom_kill 0";
  }
  return false;
}

MemoryGroups::MemoryGroups() {
  for (const fs::path& place : own_groups()) {
    remove_left_behind(place);
    const fs::path folder = place / fmt::format("{}{}", name_prefix, ::getpid());
    if (::mkdir(folder.c_str(), 0755) != 0) continue;
    // Version 2 gives its children a controller only where their parent says so.
    static_cast<void>(write_value(folder / "cgroup.subtree_control", "+memory"));
    folder_ = folder;
    if (const auto group = create("try"); group && version_of(group->folder_) != nullptr) return;
    ::rmdir(folder.c_str());
    folder_.clear();
  }
}

MemoryGroups::~MemoryGroups() {
  if (!folder_.empty()) ::rmdir(folder_.c_str());
}

std::optional<MemoryGroup> MemoryGroups::create(const std::string& name) const {
  if (folder_.empty()) return std::nullopt;
  const fs::path folder = folder_ / name;
  if (::mkdir(folder.c_str(), 0755) != 0) return std::nullopt;
  return MemoryGroup(folder);
}

}  // namespace tranche
