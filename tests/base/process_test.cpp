#include "base/process.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include "base/file.h"

namespace tranche {
namespace {

using namespace std::chrono_literals;

Exit run(const std::function<int()>& body) {
  Result<Child> child = Child::fork(body);
  if (!child) return {-1, 0};
  return **child->wait(std::nullopt);
}

std::vector<std::string> read_to_end(FramePipe& pipe) {
  std::vector<std::string> frames;
  bool closed = false;
  while (!closed) {
    pollfd waited{pipe.read_descriptor(), POLLIN, 0};
    if (::poll(&waited, 1, 10'000) <= 0) break;
    Result<std::vector<std::string>> some = pipe.read_available(closed);
    if (!some) return {"error: " + some.error().message};
    for (std::string& frame : *some) frames.push_back(std::move(frame));
  }
  return frames;
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
  Result<FramePipe> pipe = FramePipe::create();
  ASSERT_TRUE(pipe);
  Result<Child> parent = Child::fork([&] {
    Result<Child> grandchild = Child::fork([&] {
      ::alarm(60);  // should it be orphaned after all
      static_cast<void>(pipe->write("alive"));
      return ::pause();
    });
    return ::pause();
  });
  ASSERT_TRUE(parent);
  pipe->keep_reader();
  bool closed = false;
  while (pipe->read_available(closed)->empty() && !closed) ::usleep(1000);
  ASSERT_FALSE(closed);
  parent->kill(SIGKILL);
  // The end comes when both writers are gone; without the rule this would wait for ever.
  pollfd waited{pipe->read_descriptor(), POLLIN, 0};
  ASSERT_EQ(::poll(&waited, 1, 10'000), 1);
  EXPECT_TRUE(pipe->read_available(closed)->empty());
  EXPECT_TRUE(closed);
}

TEST(FramePipeTest, FramesArriveWholeAndInOrder) {
  Result<FramePipe> pipe = FramePipe::create();
  ASSERT_TRUE(pipe);
  const std::string large(3'000'000, 'x');  // more than the channel holds at once
  Result<Child> child = Child::fork([&] {
    pipe->keep_writer();
    for (const std::string& frame : {std::string("one"), std::string(), large, std::string("end")})
      if (!pipe->write(frame)) return 1;
    return 0;
  });
  ASSERT_TRUE(child);
  pipe->keep_reader();
  const std::vector<std::string> frames = read_to_end(*pipe);
  EXPECT_EQ(frames, (std::vector<std::string>{"one", "", large, "end"}));
  EXPECT_EQ(**child->wait(std::nullopt), (Exit{0, 0}));
}

TEST(FramePipeTest, ReadingWhatIsNotThereDoesNotBlock) {
  Result<FramePipe> pipe = FramePipe::create();
  ASSERT_TRUE(pipe);
  bool closed = true;
  EXPECT_TRUE(pipe->read_available(closed)->empty());
  EXPECT_FALSE(closed);
}

TEST(FramePipeTest, AFrameCutOffByTheWritersDeathIsNotDelivered) {
  Result<FramePipe> pipe = FramePipe::create();
  ASSERT_TRUE(pipe);
  Result<Child> child = Child::fork([&] {
    pipe->keep_writer();
    static_cast<void>(pipe->write("whole"));
    static_cast<void>(pipe->write(std::string(50'000'000, 'x')));
    return 0;
  });
  ASSERT_TRUE(child);
  pipe->keep_reader();
  bool closed = false;
  std::vector<std::string> frames;
  while (frames.empty()) frames = *pipe->read_available(closed);
  child->kill(SIGKILL);
  ASSERT_TRUE(child->wait(std::nullopt));
  EXPECT_EQ(frames, std::vector<std::string>{"whole"});
  EXPECT_TRUE(read_to_end(*pipe).empty());
}

TEST(FramePipeTest, AWriterWithoutReaderGetsAnErrorAndLives) {
  const Exit exit = run([] {
    Result<FramePipe> pipe = FramePipe::create();
    pipe->keep_writer();
    const Result<void> written = pipe->write("x");
    return !written && written.error().message == "Can't write to a pipe: Broken pipe." ? 0 : 1;
  });
  EXPECT_EQ(exit, (Exit{0, 0}));
}

TEST(FramePipeTest, WhatIsNoFrameIsTakenForACrash) {
  Result<FramePipe> pipe = FramePipe::create();
  ASSERT_TRUE(pipe);
  Result<FramePipe> moved = std::move(*pipe);
  // A frame whose bytes are the length of another one, of which all but the prefix is lost.
  Result<Child> child = Child::fork([&] {
    static_cast<void>(moved->write(std::string(8, '\xFF')));
    return 0;
  });
  ASSERT_TRUE(child);
  moved->keep_reader();
  char prefix[4];
  ASSERT_EQ(::read(moved->read_descriptor(), prefix, 4), 4);
  bool closed = false;
  ASSERT_TRUE(child->wait(std::nullopt));
  const Result<std::vector<std::string>> frames = moved->read_available(closed);
  ASSERT_FALSE(frames);
  EXPECT_EQ(frames.error().kind, ErrorKind::crash);
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

}  // namespace
}  // namespace tranche
