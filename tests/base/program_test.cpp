#include "base/program.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>
#include <string>

#include <gtest/gtest.h>

namespace tranche {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<Program> started(const std::string& script) {
  ProgramCall call;
  call.arguments = {"sh", "-c", script};
  call.folder = "/";
  auto program = Program::start(call);
  if (!program) {
    ADD_FAILURE() << program.error().message;
    return nullptr;
  }
  return std::move(*program);
}

// A library may neither let a signal end its user's process nor change how that handles signals.
class SignalOfABrokenPipe : public testing::Test {
 protected:
  void SetUp() override { before_ = std::signal(SIGPIPE, SIG_DFL); }
  void TearDown() override { std::signal(SIGPIPE, before_); }

 private:
  void (*before_)(int) = SIG_DFL;
};

TEST_F(SignalOfABrokenPipe, IsNotRaisedByWritingToAProgramThatHasEnded) {
  const auto program = started("exit 0");
  ASSERT_TRUE(program);
  pollfd ended{program->pidfd(), POLLIN, 0};
  ASSERT_EQ(::poll(&ended, 1, -1), 1);
  EXPECT_EQ(program->write("for nobody"), -1);
  EXPECT_EQ(errno, EPIPE);
}

TEST_F(SignalOfABrokenPipe, StaysPendingWhereItIsNotOurs) {
  sigset_t broken_pipe;
  ::sigemptyset(&broken_pipe);
  ::sigaddset(&broken_pipe, SIGPIPE);
  sigset_t before;
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &broken_pipe, &before), 0);
  ASSERT_EQ(::raise(SIGPIPE), 0);
  const auto program = started("exit 0");
  ASSERT_TRUE(program);
  pollfd ended{program->pidfd(), POLLIN, 0};
  ASSERT_EQ(::poll(&ended, 1, -1), 1);
  EXPECT_EQ(program->write("for nobody"), -1);

  sigset_t pending;
  ASSERT_EQ(::sigpending(&pending), 0);
  EXPECT_EQ(::sigismember(&pending, SIGPIPE), 1);
  const timespec now{};
  EXPECT_EQ(::sigtimedwait(&broken_pipe, nullptr, &now), SIGPIPE);
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
}

TEST_F(SignalOfABrokenPipe, LeavesWhatIsReadAsItWasWritten) {
  const auto program = started("read -r line; echo \"$line\"");
  ASSERT_TRUE(program);
  const std::string line = "a line\n";
  ASSERT_EQ(program->write(line), static_cast<ssize_t>(line.size()));
  pollfd answered{program->output(), POLLIN, 0};
  ASSERT_EQ(::poll(&answered, 1, -1), 1);
  std::string heard(100, '\0');
  const ssize_t count = ::read(program->output(), heard.data(), heard.size());
  ASSERT_GT(count, 0);
  EXPECT_EQ(heard.substr(0, static_cast<std::size_t>(count)), line);
}

// Waits a little for what must become true soon, and then is.
bool comes_true(const std::function<bool()>& holds) {
  for (int look = 0; look < 5000 && !holds(); ++look) ::usleep(1000);
  return holds();
}

TEST(WaitingOfAProgram, IsForMoreInputWhoeverReadsIt) {
  for (const char* script :
       {"read -r line", "exec 3<&0; read -r line <&3", "sh -c 'read -r line'; :",
        "sh -c 'sh -c \"read -r line; :\"; :'; :", "cat | cat", "timeout 100 cat"}) {
    const auto program = started(script);
    ASSERT_TRUE(program);
    EXPECT_TRUE(comes_true([&] { return program->is_waiting(); })) << script;
  }
}

TEST(WaitingOfAProgram, IsNotWhatItDoesBeforeItReadsOn) {
  for (const char* script :
       {"echo; while :; do :; done", "echo; exec sleep 100", "echo; sleep 100; read -r line",
        "echo; sleep 100 | cat; read -r line"}) {
    const auto program = started(script);
    ASSERT_TRUE(program);
    pollfd answered{program->output(), POLLIN, 0};
    ASSERT_EQ(::poll(&answered, 1, -1), 1);
    EXPECT_FALSE(program->is_waiting()) << script;
  }
}

}  // namespace
}  // namespace tranche
