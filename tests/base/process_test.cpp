#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/channel.h"
#include "base/file.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

Exit run(const std::function<int()>& body) {
  Result<Child> child = Child::fork(body);
  if (!child) return {-1, 0};
  return **child->wait(std::nullopt);
}

void no_core_dump() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

TEST(ProcessTest, DescribesHowAProcessEnded) {
  EXPECT_EQ(describe({3, 0}), "exited with code 3");
  EXPECT_EQ(describe({0, SIGSEGV}), "was killed by signal 11 (SIGSEGV)");
  EXPECT_EQ(describe({0, 64}), "was killed by signal 64");
}

TEST(ProcessTest, TellsExitsFromSignals) {
  EXPECT_EQ(run([] { return 3; }), (Exit{3, 0}));
  EXPECT_EQ(run([] { return ::kill(::getpid(), SIGKILL); }), (Exit{0, SIGKILL}));
}

TEST(ProcessTest, AnExceptionEndsTheChildInsteadOfRunningOnInIt) {
  const Exit exit = run([]() -> int {
    no_core_dump();
    ::fclose(stderr);
    ::signal(SIGABRT, SIG_DFL);
    throw std::runtime_error("x");
  });
  EXPECT_EQ(exit, (Exit{0, SIGABRT}));
}

TEST(ProcessTest, WaitGivesUpAfterItsTimeoutAndRemembersTheEnd) {
  Result<Child> child = Child::fork([] { return ::pause(); });
  ASSERT_TRUE(child);
  EXPECT_EQ(*child->wait(0ms), std::nullopt);
  EXPECT_EQ(*child->wait(5ms), std::nullopt);
  child->kill(SIGTERM);
  EXPECT_EQ(*child->wait(std::chrono::milliseconds::max()), (Exit{0, SIGTERM}));
  EXPECT_EQ(*child->wait(0ms), (Exit{0, SIGTERM}));
  child->kill(SIGTERM);
}

TEST(ProcessTest, ThePidfdIsReadableWhenTheChildHasEnded) {
  Result<Child> child = Child::fork([] { return 0; });
  ASSERT_TRUE(child);
  pollfd waited{child->pidfd(), POLLIN, 0};
  EXPECT_EQ(::poll(&waited, 1, 10'000), 1);
}

TEST(ProcessTest, ADestroyedChildIsKilledAndReaped) {
  pid_t pid = -1;
  {
    Result<Child> child = Child::fork([] { return ::pause(); });
    ASSERT_TRUE(child);
    Child owner = std::move(*child);
    pid = owner.pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(ProcessTest, WaitingForNoChildIsABug) {
  Child child;
  EXPECT_EQ(child.wait(0ms).error().kind, ErrorKind::bug);
}

TEST(ProcessTest, AChildDiesWithItsParent) {
  auto channel = Channel::create();
  ASSERT_TRUE(channel);
  Result<Child> parent = Child::fork([&] {
    Result<Child> grandchild = Child::fork([&] {
      ::alarm(60);  // should it be orphaned after all
      static_cast<void>(channel->second.send("alive"));
      return ::pause();
    });
    return ::pause();
  });
  ASSERT_TRUE(parent);
  channel->second.close();
  ASSERT_TRUE(*channel->first.receive());
  parent->kill(SIGKILL);
  // The end comes when both writers are gone; without the rule this would wait for ever.
  EXPECT_FALSE(*channel->first.receive());
}

TEST(ProcessTest, AGroupIsEndedWithAllThatItsProcessHasStarted) {
  auto channel = Channel::create();
  ASSERT_TRUE(channel);
  Result<Child> child = Child::fork(
      [&] {
        if (::fork() == 0) {  // a grandchild that nobody knows
          ::alarm(60);
          return ::pause();
        }
        static_cast<void>(channel->second.send("both live"));
        return ::pause();
      },
      Child::Group::own);
  ASSERT_TRUE(child);
  channel->second.close();
  ASSERT_TRUE(*channel->first.receive());
  EXPECT_FALSE(child->has_ended());
  child->kill_group(SIGKILL);
  EXPECT_FALSE(*channel->first.receive());  // closed: all its writers are gone
  EXPECT_EQ(**child->wait(std::nullopt), (Exit{0, SIGKILL}));
  EXPECT_TRUE(child->has_ended());
}

TEST(ProcessTest, AKillFromOutsideIsToldFromACrash) {
  EXPECT_TRUE(is_from_outside({0, SIGKILL}));
  EXPECT_TRUE(is_from_outside({0, SIGTERM}));
  EXPECT_FALSE(is_from_outside({0, SIGSEGV}));
  EXPECT_FALSE(is_from_outside({1, 0}));
}

TEST(ProcessTest, AChildCanBeKeptFromTakingAllMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer reserves more than any limit";
#endif
  const Exit exit = run([] {
    limit_own_memory(64 << 20);
    try {
      const std::vector<char> fits(16 << 20);
      const std::vector<char> does_not(256 << 20);
      return 1;
    } catch (const std::bad_alloc&) {
      return 0;
    }
  });
  EXPECT_EQ(exit, (Exit{0, 0}));
}

TEST(ProcessTest, DescriptorsThatAreNotNeededAreClosed) {
  const Exit exit = run([] {
    const int before = lowest_free_descriptor();
    const int kept = ::dup(STDERR_FILENO);
    const int closed = ::dup(STDERR_FILENO);
    close_descriptors_but(kept);
    const bool is_kept = ::fcntl(kept, F_GETFD) >= 0;
    const bool is_closed = ::fcntl(closed, F_GETFD) < 0;
    return is_kept && is_closed && before <= kept ? 0 : 1;
  });
  EXPECT_EQ(exit, (Exit{0, 0}));
}

TEST(MachineTest, CountsMemoryCoresAndThreads) {
  EXPECT_GT(total_memory_bytes(), 64u << 20);
  EXPECT_LT(total_memory_bytes(), std::uint64_t{1} << 50);
  EXPECT_GE(core_count(), 1u);
  const int before = thread_count();
  std::thread sleeper([] { std::this_thread::sleep_for(200ms); });
  EXPECT_GE(thread_count(), before + 1);
  sleeper.join();
}

TEST(MachineTest, TheProportionalSetGrowsWithWhatIsTouched) {
  constexpr std::size_t bytes = 64u << 20;
  const std::uint64_t before = proportional_set_bytes();
  ASSERT_GT(before, 0u);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_GE(proportional_set_bytes(), before + bytes / 2);
  EXPECT_GE(proportional_set_bytes(::getpid()), before + bytes / 2);
  ::munmap(memory, bytes);
  EXPECT_EQ(proportional_set_bytes(0x7FFFFFFF), 0u);
}

TEST(MachineTest, KnowsTerminalsAndItsOwnProgram) {
  Result<File> file = File::open_read("/dev/null");
  EXPECT_FALSE(is_terminal(file->descriptor()));
  EXPECT_EQ(terminal_columns(file->descriptor()), 80u);
  EXPECT_TRUE(fs::path(executable_path()).is_absolute());
  EXPECT_TRUE(file_exists(executable_path()));
}

TEST(MachineTest, TellsTheLinkersIdOfItsOwnProgram) {
  const std::string tool =
      "LC_ALL=C readelf -n '" + executable_path() + "' | sed -n 's/ *Build ID: //p'";
  FILE* const pipe = ::popen(tool.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  char told[128] = {};
  const bool is_told = std::fgets(told, sizeof told, pipe) != nullptr;
  ::pclose(pipe);
  EXPECT_EQ(is_told ? build_id() + "\n" : build_id(), std::string(told));
}

}  // namespace
}  // namespace tranche
