// Memory that is limited with all that a child shares and starts. Where the system lets nobody make
// control groups there is nothing to test.
#include "base/control_group.h"

#include <signal.h>
#include <sys/mman.h>

#include <cstring>
#include <filesystem>
#include <optional>

#include <gtest/gtest.h>

#include "base/process.h"

namespace tranche {
namespace {

constexpr std::size_t mebibyte = 1 << 20;

// Fills memory that is shared with nobody, though it could be.
int share(std::size_t bytes) {
  void* const memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  std::memset(memory, 1, bytes);
  return 0;
}

Exit end_of(const MemoryGroup& group, std::size_t bytes_max, std::size_t bytes) {
  auto child = Child::fork([&] { return group.join(bytes_max) ? share(bytes) : 2; });
  if (!child) return {};
  const auto exit = child->wait(std::nullopt);
  return exit && *exit ? **exit : Exit{};
}

class ControlGroups : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!groups_.can_limit()) GTEST_SKIP() << "no control group for memory can be made here";
  }
  MemoryGroups groups_;
};

TEST_F(ControlGroups, LetAMemberHaveLessThanTheLimit) {
  const auto group = groups_.create("small");
  ASSERT_TRUE(group);
  EXPECT_EQ(end_of(*group, 64 * mebibyte, 8 * mebibyte), (Exit{0, 0}));
  EXPECT_FALSE(group->has_killed());
}

TEST_F(ControlGroups, EndAMemberThatSharesMoreThanTheLimit) {
  const auto group = groups_.create("large");
  ASSERT_TRUE(group);
  EXPECT_EQ(end_of(*group, 64 * mebibyte, 256 * mebibyte), (Exit{0, SIGKILL}));
  EXPECT_TRUE(group->has_killed());
}

TEST_F(ControlGroups, AreNotToBlameForAKillByOthers) {
  const auto group = groups_.create("killed");
  ASSERT_TRUE(group);
  auto child = Child::fork([&] {
    if (group->join(64 * mebibyte)) ::raise(SIGKILL);
    return 1;
  });
  ASSERT_TRUE(child);
  const auto exit = child->wait(std::nullopt);
  ASSERT_TRUE(exit && *exit);
  EXPECT_EQ(**exit, (Exit{0, SIGKILL}));
  EXPECT_FALSE(group->has_killed());
}

TEST_F(ControlGroups, EndWhoIsStillInThemWhenTheyAreRemoved) {
  auto group = groups_.create("lasting");
  ASSERT_TRUE(group);
  auto child = Child::fork([&] {
    if (!group->join(64 * mebibyte)) return 1;
    for (;;) ::pause();
  });
  ASSERT_TRUE(child);
  // It joins before it waits; until then it could not be ended with the group.
  while (!group->has_members()) ASSERT_FALSE(child->has_ended());
  group.reset();
  const auto exit = child->wait(std::nullopt);
  ASSERT_TRUE(exit && *exit);
  EXPECT_EQ((**exit).signal, SIGKILL);
  EXPECT_TRUE(groups_.create("lasting"));
}

TEST_F(ControlGroups, ThatAKilledProcessLeftAreRemovedByTheNext) {
  auto child = Child::fork([] {
    const MemoryGroups groups;
    const auto group = groups.create("left");
    if (group) ::raise(SIGKILL);
    return 1;
  });
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->wait(std::nullopt));
  const std::string left = "tranche-" + std::to_string(child->pid());
  const MemoryGroups next;
  for (const auto& place : control_groups("memory"))
    EXPECT_FALSE(std::filesystem::exists(place / left));
}

}  // namespace
}  // namespace tranche
