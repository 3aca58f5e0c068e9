#include "base/process.h"

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
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
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/system_error.h"
#include "base/text.h"

namespace tranche {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using namespace std::literals::string_view_literals;

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
[[noreturn]] void run_child(const std::function<int()>& body, pid_t parent,
                            Child::Group group) noexcept {
  if (group == Child::Group::own && ::setpgid(0, 0) != 0) ::_exit(unknown_exit);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) ::_exit(unknown_exit);
  if (::getppid() != parent) ::_exit(unknown_exit);  // it died before prctl: no signal will come
  ::_exit(body());
}

// Of a process that has one thread.
std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  const Result<std::string> text =
      read_file(fmt::format("/proc/{}/task/{}/children", pid, pid));
  if (!text) return children;
  for (const std::string& number : split(trim(*text), ' ')) {
    if (!number.empty()) children.push_back(std::atoi(number.c_str()));
  }
  return children;
}

Exit to_exit(const siginfo_t& info) {
  Exit exit;
  (info.si_code == CLD_EXITED ? exit.code : exit.signal) = info.si_status;
  return exit;
}

// The bytes of the note with the build id among notes that begin and go on at multiples of `unit`.
std::string_view find_build_id(std::string_view notes, std::size_t unit) {
  const auto padded = [&](std::size_t bytes) { return (bytes + unit - 1) / unit * unit; };
  ElfW(Nhdr) head;
  for (std::size_t at = 0; at + sizeof head <= notes.size();) {
    std::memcpy(&head, notes.data() + at, sizeof head);
    const std::string_view name = notes.substr(at + sizeof head, head.n_namesz);
    at = std::min(notes.size(), padded(at + sizeof head + head.n_namesz));
    if (head.n_type == NT_GNU_BUILD_ID && name == "GNU\0"sv)
      return notes.substr(at, head.n_descsz);
    at = padded(at + head.n_descsz);
  }
  return {};
}

}  // namespace

std::string describe(const Exit& exit) {
  if (exit.signal == 0) return fmt::format("exited with code {}", exit.code);
  const char* name = ::sigabbrev_np(exit.signal);
  if (name == nullptr) return fmt::format("was killed by signal {}", exit.signal);
  return fmt::format("was killed by signal {} (SIG{})", exit.signal, name);
}

bool is_from_outside(const Exit& exit) {
  constexpr std::array outside = {SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
  return std::find(outside.begin(), outside.end(), exit.signal) != outside.end();
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::exchange(other.pidfd_, -1)),
      exit_(std::exchange(other.exit_, std::nullopt)),
      group_(other.group_) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    end();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::exchange(other.pidfd_, -1);
    exit_ = std::exchange(other.exit_, std::nullopt);
    group_ = other.group_;
  }
  return *this;
}

Child::~Child() { end(); }

void Child::end() noexcept {
  if (pidfd_ >= 0 && !exit_) {
    if (group_ == Group::own) kill_group(SIGKILL);
    kill(SIGKILL);
    siginfo_t info{};
    while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_), &info, WEXITED) != 0 && errno == EINTR) {
    }
  }
  close_if_open(pidfd_);
}

Result<Child> Child::fork(const std::function<int()>& body, Group group) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return failure("start a process", errno);
  if (pid == 0) run_child(body, parent, group);
  return adopt(pid, group);
}

Result<Child> Child::adopt(pid_t pid, Group group) {
  // The child does it too: whoever comes first, the group is there when it is needed.
  if (group == Group::own) ::setpgid(pid, pid);
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
  child.group_ = group;
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

bool Child::has_ended() const {
  if (exit_ || pidfd_ < 0) return true;
  siginfo_t info{};
  return ::waitid(P_PIDFD, static_cast<id_t>(pidfd_), &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
         info.si_pid != 0;
}

void Child::kill_group(int signal) const {
  if (pid_ > 0 && !exit_) static_cast<void>(::kill(-pid_, signal));
}

Orphans::Orphans() : children_before_(children_of(::getpid())) {
  static_cast<void>(::prctl(PR_SET_CHILD_SUBREAPER, 1));
}

void Orphans::end() const {
  // Whoever is killed leaves its own children, which come next.
  while (true) {
    std::vector<pid_t> found;
    for (const pid_t child : children_of(::getpid())) {
      const auto& before = children_before_;
      if (std::find(before.begin(), before.end(), child) == before.end()) found.push_back(child);
    }
    if (found.empty()) return;
    for (const pid_t orphan : found) {
      ::kill(orphan, SIGKILL);
      while (::waitpid(orphan, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
  }
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

std::string build_id() {
  std::string id;
  const auto find = [](dl_phdr_info* object, std::size_t, void* found) {
    for (int i = 0; i < object->dlpi_phnum; ++i) {
      const ElfW(Phdr)& segment = object->dlpi_phdr[i];
      if (segment.p_type != PT_NOTE) continue;
      const auto* const notes = reinterpret_cast<const char*>(object->dlpi_addr + segment.p_vaddr);
      for (const char byte : find_build_id({notes, segment.p_memsz}, segment.p_align == 8 ? 8 : 4))
        *static_cast<std::string*>(found) +=
            fmt::format("{:02x}", static_cast<unsigned char>(byte));
    }
    return 1;  // the first object is the program
  };
  ::dl_iterate_phdr(find, &id);
  return id;
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
