#include "base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgot to say that these are C functions
}

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/system_error.h"

namespace tranche {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int unknown_exit = 127;  // of a child whose parent was gone before it began

Error failure(std::string_view verb, int error_number) {
  return system_error(ErrorKind::failed, verb, "", error_number);
}

void close_if_open(int& descriptor) {
  if (descriptor >= 0) ::close(std::exchange(descriptor, -1));
}

// Waits until `descriptor` is readable; false when `timeout` passes first.
Result<bool> wait_readable(int descriptor, std::optional<milliseconds> timeout) {
  const auto start = steady_clock::now();
  for (;;) {
    int wait_milliseconds = -1;
    if (timeout) {
      // By difference, not by deadline: the longest timeouts would overflow a deadline.
      const auto passed = std::chrono::duration_cast<milliseconds>(steady_clock::now() - start);
      const std::int64_t left = std::max<std::int64_t>((*timeout - passed).count(), 0);
      wait_milliseconds =
          static_cast<int>(std::min<std::int64_t>(left, std::numeric_limits<int>::max()));
    }
    pollfd waited{descriptor, POLLIN, 0};
    const int ready = ::poll(&waited, 1, wait_milliseconds);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return failure("wait for a process", errno);
    if (ready == 0 && timeout && steady_clock::now() - start >= *timeout) return false;
  }
}

// noexcept, so that an exception ends the child here instead of running the parent's code in it.
[[noreturn]] void run_child(const std::function<int()>& body, pid_t parent) noexcept {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) ::_exit(unknown_exit);
  if (::getppid() != parent) ::_exit(unknown_exit);  // it died before prctl: no signal will come
  ::_exit(body());
}

Exit to_exit(const siginfo_t& info) {
  Exit exit;
  (info.si_code == CLD_EXITED ? exit.code : exit.signal) = info.si_status;
  return exit;
}

}  // namespace

std::string describe(const Exit& exit) {
  if (exit.signal == 0) return fmt::format("exited with code {}", exit.code);
  const char* name = ::sigabbrev_np(exit.signal);
  if (name == nullptr) return fmt::format("was killed by signal {}", exit.signal);
  return fmt::format("was killed by signal {} (SIG{})", exit.signal, name);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::exchange(other.pidfd_, -1)),
      exit_(std::exchange(other.exit_, std::nullopt)) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    end();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::exchange(other.pidfd_, -1);
    exit_ = std::exchange(other.exit_, std::nullopt);
  }
  return *this;
}

Child::~Child() { end(); }

void Child::end() noexcept {
  if (pidfd_ >= 0 && !exit_) {
    kill(SIGKILL);
    siginfo_t info{};
    while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_), &info, WEXITED) != 0 && errno == EINTR) {
    }
  }
  close_if_open(pidfd_);
}

Result<Child> Child::fork(const std::function<int()>& body) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return failure("start a process", errno);
  if (pid == 0) run_child(body, parent);
  const int pidfd = ::pidfd_open(pid, 0);
  if (pidfd < 0) {
    const int error_number = errno;
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return failure("start a process", error_number);
  }
  Child child;
  child.pid_ = pid;
  child.pidfd_ = pidfd;
  return child;
}

Result<std::optional<Exit>> Child::wait(std::optional<milliseconds> timeout) {
  if (exit_) return exit_;
  if (pidfd_ < 0) return make_error(ErrorKind::bug, "Waited for a process that was never started.");
  TRANCHE_ASSIGN(const bool ended, wait_readable(pidfd_, timeout));
  if (!ended) return std::optional<Exit>();
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_), &info, WEXITED) != 0) {
    if (errno != EINTR) return failure("wait for a process", errno);
  }
  exit_ = to_exit(info);
  return exit_;
}

// By pidfd: the number may already belong to another process, the descriptor never does. The only
// failure left is that the child has ended, which is what the caller learns from wait.
void Child::kill(int signal) const {
  if (pidfd_ >= 0 && !exit_) static_cast<void>(::pidfd_send_signal(pidfd_, signal, nullptr, 0));
}

Result<FramePipe> FramePipe::create() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return failure("create a pipe", errno);
  FramePipe pipe;
  pipe.read_ = ends[0];
  pipe.write_ = ends[1];
  return pipe;
}

FramePipe::FramePipe(FramePipe&& other) noexcept
    : read_(std::exchange(other.read_, -1)),
      write_(std::exchange(other.write_, -1)),
      partial_(std::move(other.partial_)) {}

FramePipe& FramePipe::operator=(FramePipe&& other) noexcept {
  if (this != &other) {
    close_if_open(read_);
    close_if_open(write_);
    read_ = std::exchange(other.read_, -1);
    write_ = std::exchange(other.write_, -1);
    partial_ = std::move(other.partial_);
  }
  return *this;
}

FramePipe::~FramePipe() {
  close_if_open(read_);
  close_if_open(write_);
}

void FramePipe::keep_writer() { close_if_open(read_); }
void FramePipe::keep_reader() { close_if_open(write_); }

Result<void> FramePipe::write(std::string_view frame) {
  if (frame.size() > frame_bytes_max)
    return make_error(ErrorKind::bug,
                      fmt::format("A frame of {} bytes is too long.", frame.size()));
  const auto length = static_cast<std::uint32_t>(frame.size());
  std::string message(sizeof length, '\0');
  std::memcpy(message.data(), &length, sizeof length);
  message += frame;
  std::string_view left = message;
  while (!left.empty()) {
    const ssize_t count = ::send(write_, left.data(), left.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure("write to a pipe", errno);
    left.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<std::vector<std::string>> FramePipe::read_available(bool& closed) {
  constexpr std::size_t read_bytes_max = std::size_t{16} << 20;  // then others get their turn
  closed = false;
  std::array<char, std::size_t{64} << 10> buffer;
  for (std::size_t total = 0; total < read_bytes_max;) {
    const ssize_t count = ::recv(read_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    closed = count == 0 || (count < 0 && errno == ECONNRESET);
    if (closed) break;
    if (count < 0) return failure("read from a pipe", errno);
    partial_.append(buffer.data(), static_cast<std::size_t>(count));
    total += static_cast<std::size_t>(count);
  }
  return take_frames();
}

Result<std::vector<std::string>> FramePipe::take_frames() {
  std::vector<std::string> frames;
  std::size_t at = 0;
  std::uint32_t length = 0;
  while (partial_.size() - at >= sizeof length) {
    std::memcpy(&length, partial_.data() + at, sizeof length);
    if (length > frame_bytes_max)  // the writer went wild before it died
      return make_error(ErrorKind::crash,
                        fmt::format("A process sent a frame of {} bytes.", length));
    if (partial_.size() - at - sizeof length < length) break;
    frames.push_back(partial_.substr(at + sizeof length, length));
    at += sizeof length + length;
  }
  partial_.erase(0, at);
  return frames;
}

int thread_count() {
  int count = 0;
  DIR* tasks = ::opendir("/proc/self/task");
  if (tasks == nullptr) return 1;
  while (const dirent* entry = ::readdir(tasks)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(tasks);
  return std::max(count, 1);
}

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

unsigned terminal_columns(int descriptor) {
  constexpr unsigned unknown_columns = 80;
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return unknown_columns;
  return size.ws_col;
}

std::string executable_path() {
  std::string path(256, '\0');
  for (;;) {
    const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
    if (length < 0) return {};
    if (static_cast<std::size_t>(length) < path.size()) {
      path.resize(static_cast<std::size_t>(length));
      return path;
    }
    path.resize(path.size() * 2);  // it may have been cut
  }
}

}  // namespace tranche
