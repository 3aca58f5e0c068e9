#include "base/lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <thread>

#include <gtest/gtest.h>

#include "base/channel.h"
#include "base/process.h"
#include "base/temporary_folder.h"

namespace tranche {
namespace {

using LockTest = TemporaryFolder;

TEST_F(LockTest, OnlyOneHolderAtATime) {
  const fs::path path = at("state/run.lock");
  EXPECT_FALSE(*FileLock::is_held(path));
  EXPECT_EQ(FileLock::read_note(path), "");
  Result<std::optional<FileLock>> first = FileLock::try_take(path, "process 1");
  ASSERT_TRUE(first);
  ASSERT_TRUE(first->has_value());
  EXPECT_TRUE((*first)->held());
  EXPECT_TRUE(*FileLock::is_held(path));
  Result<std::optional<FileLock>> second = FileLock::try_take(path, "process 2");
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->has_value());
  EXPECT_EQ(FileLock::read_note(path), "process 1");
  (*first)->release();
  EXPECT_FALSE((*first)->held());
  EXPECT_FALSE(*FileLock::is_held(path));
  EXPECT_TRUE(FileLock::try_take(path, "2")->has_value());
  EXPECT_EQ(FileLock::read_note(path), "2");
}

TEST_F(LockTest, AMovedLockStaysHeldUntilItsOwnerIsGone) {
  {
    FileLock owner;
    {
      Result<std::optional<FileLock>> taken = FileLock::try_take(at("l"), "");
      owner = std::move(**taken);
    }
    EXPECT_TRUE(*FileLock::is_held(at("l")));
  }
  EXPECT_FALSE(*FileLock::is_held(at("l")));
}

TEST_F(LockTest, AChildSharesTheLockUntilBothAreGone) {
  Result<std::optional<FileLock>> taken = FileLock::try_take(at("l"), "");
  ASSERT_TRUE(taken->has_value());
  Result<Child> child = Child::fork([] { return ::pause(); });
  ASSERT_TRUE(child);
  (*taken)->release();
  EXPECT_TRUE(*FileLock::is_held(at("l")));
  child->kill(SIGKILL);
  ASSERT_TRUE(child->wait(std::nullopt));
  EXPECT_FALSE(*FileLock::is_held(at("l")));
}

TEST_F(LockTest, AChildThatReleasesLeavesItsParentsLockAlone) {
  Result<std::optional<FileLock>> taken = FileLock::try_take(at("l"), "");
  Result<Child> child = Child::fork([&] { return (*taken)->release(), 0; });
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->wait(std::nullopt));
  EXPECT_TRUE(*FileLock::is_held(at("l")));
}

TEST_F(LockTest, AKilledHolderLeavesTheLockFree) {
  auto channel = Channel::create();
  ASSERT_TRUE(channel);
  Result<Child> child = Child::fork([&] {
    Result<std::optional<FileLock>> taken = FileLock::try_take(at("l"), "");
    static_cast<void>(channel->second.send("held"));
    return ::pause();
  });
  ASSERT_TRUE(child);
  channel->second.close();
  ASSERT_TRUE(*channel->first.receive());
  EXPECT_TRUE(*FileLock::is_held(at("l")));
  child->kill(SIGKILL);
  ASSERT_TRUE(child->wait(std::nullopt));
  EXPECT_TRUE(FileLock::try_take(at("l"), "")->has_value());
}

TEST_F(LockTest, ALockOnARemovedFileGuardsNothing) {
  Result<std::optional<FileLock>> first = FileLock::try_take(at("l"), "");
  ASSERT_TRUE(first->has_value());
  fs::remove(at("l"));
  EXPECT_FALSE(*FileLock::is_held(at("l")));
  EXPECT_TRUE(FileLock::try_take(at("l"), "")->has_value());
}

// is_held holds a shared lock for an instant; here it lasts longer, so that it is met for certain.
TEST_F(LockTest, WhoeverAsksDoesNotDisturbWhoeverTakes) {
  put("l");
  const int asker = ::open(at("l").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(asker, LOCK_SH | LOCK_NB), 0);
  std::thread release_soon([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ::close(asker);
  });
  EXPECT_TRUE(FileLock::try_take(at("l"), "")->has_value());
  release_soon.join();
}

TEST_F(LockTest, AnUnusableLockFileIsAnError) {
  put("file");
  EXPECT_FALSE(FileLock::try_take(at("file/l"), ""));
  EXPECT_FALSE(*FileLock::is_held(at("file/l")));
  EXPECT_FALSE(FileLock::try_take(folder_, ""));
}

}  // namespace
}  // namespace tranche
