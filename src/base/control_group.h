// Control groups of Linux, of both versions: those that this process is in, and groups of its own
// in which a child's memory is bounded, with all that the child starts and shares.
//
// Threads: one at a time. Source: the kernel's Documentation/admin-guide/cgroup-v1/memory.rst and
// cgroup-v2.rst.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tranche {

// The folders of this process's group and of those above it, for both versions. A container often
// mounts its own group as the root: the walk up reaches it.
std::vector<std::filesystem::path> control_groups(std::string_view controller);

// A group whose members may not have more memory together than a limit. Where it is passed, and
// nothing can be given back, the kernel kills a member.
class MemoryGroup {
 public:
  MemoryGroup(MemoryGroup&& other) noexcept;
  MemoryGroup& operator=(MemoryGroup&&) = delete;
  ~MemoryGroup();  // kills who is still in it, and removes it

  // Sets the limit, and moves the calling process, and what it will start, into the group. False:
  // the system does not allow it, and nothing is limited.
  bool join(std::uint64_t bytes_max) const;
  bool has_members() const;
  // Whether a member was killed because of the limit.
  bool has_killed() const;

 private:
  friend class MemoryGroups;
  explicit MemoryGroup(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path folder_;
};

// The place of this process's memory groups: below the group that it is in, so that they stay
// within its limits, where the system lets it make them there. What a process that was killed left
// there is removed by the next.
// Lifetime: outlives its groups.
class MemoryGroups {
 public:
  MemoryGroups();
  ~MemoryGroups();
  MemoryGroups(const MemoryGroups&) = delete;
  MemoryGroups& operator=(const MemoryGroups&) = delete;

  bool can_limit() const { return !folder_.empty(); }
  // nullopt: none can be had. The name is unique among those that live.
  std::optional<MemoryGroup> create(const std::string& name) const;

 private:
  std::filesystem::path folder_;  // empty: none can be had
};

}  // namespace tranche
