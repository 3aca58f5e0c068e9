#include "base/program.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "base/system_error.h"
#include "base/text.h"

namespace tranche {
namespace {

constexpr int generations_max = 4;            // of programs that wait for programs
constexpr int pipe_bytes_wanted = 256 << 10;  // so that who writes and who reads rarely wait

struct PipeEnds {
  Descriptor reading;
  Descriptor writing;
};

Result<PipeEnds> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return system_error(ErrorKind::failed, "create", "a pipe", errno);
  return PipeEnds{Descriptor(ends[0]), Descriptor(ends[1])};
}

void never_wait(const Descriptor& end) {
  ::fcntl(end.number(), F_SETFL, ::fcntl(end.number(), F_GETFL) | O_NONBLOCK);
  static_cast<void>(::fcntl(end.number(), F_SETPIPE_SZ, pipe_bytes_wanted));
}

bool can_be_executed(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

// The environment of this process with these values.
std::vector<std::string> environment_with(
    const std::vector<std::pair<std::string, std::string>>& values) {
  std::vector<std::string> made;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const bool is_replaced = std::any_of(values.begin(), values.end(), [&](const auto& value) {
      return text.starts_with(value.first + "=");
    });
    if (!is_replaced) made.emplace_back(text);
  }
  for (const auto& [name, value] : values) made.push_back(name + "=" + value);
  return made;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// All that the child needs, made before it is forked: there it may not allocate, since another
// thread may have held a lock of the allocator.
struct Launch {
  std::string file;
  std::string folder;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  int input;
  int output;
  int errors;
  int failure;  // takes errno when it can't be executed
  pid_t parent;
};

// Of a process that handles and blocks signals of its own.
void restore_signals() {
  for (const int number : {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGCHLD}) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void launch_program(const Launch& launch) noexcept {
  const auto give_up = [&launch] {
    const int error_number = errno;
    static_cast<void>(!::write(launch.failure, &error_number, sizeof error_number));
    ::_exit(127);
  };
  if (::setpgid(0, 0) != 0 || ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up();
  if (::getppid() != launch.parent) ::_exit(127);  // it died before prctl: no signal will come
  restore_signals();
  if (::dup2(launch.input, STDIN_FILENO) < 0 || ::dup2(launch.output, STDOUT_FILENO) < 0 ||
      ::dup2(launch.errors, STDERR_FILENO) < 0)
    give_up();
  static_cast<void>(::close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC));
  if (!launch.folder.empty() && ::chdir(launch.folder.c_str()) != 0) give_up();
  ::execve(launch.file.c_str(), launch.arguments.data(), launch.environment.data());
  give_up();
  ::_exit(127);
}

// 0 when it was executed.
int launch_error(const Descriptor& failure) {
  int error_number = 0;
  while (::read(failure.number(), &error_number, sizeof error_number) < 0 && errno == EINTR) {
  }
  return error_number;
}

// What the kernel says of a process in a file of a line; empty: nothing. Asked for with each record
// of some programs.
class ProcessLine {
 public:
  explicit ProcessLine(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.number() >= 0) bytes_ = ::read(file.number(), text_.data(), text_.size());
  }
  bool is_there() const { return bytes_ >= 0; }
  std::string_view text() const {
    return {text_.data(), static_cast<std::size_t>(std::max<ssize_t>(bytes_, 0))};
  }

 private:
  std::array<char, 1024> text_;
  ssize_t bytes_ = -1;
};

bool is_running(pid_t pid) {
  const ProcessLine line(fmt::format("/proc/{}/stat", pid));
  // "PID (name) S ...", where the name may hold anything.
  const std::size_t behind_name = line.text().rfind(')');
  return behind_name != std::string_view::npos &&
         line.text().substr(behind_name).starts_with(") R");
}

// Programs may give their standard input another number, too.
bool is_standard_input(pid_t pid, std::string_view number) {
  const auto target = [pid](std::string_view of) {
    std::error_code error;
    return fs::read_symlink(fmt::format("/proc/{}/fd/{}", pid, of), error);
  };
  return number == "0" || target(number) == target("0");
}

// What the system call that a process is in says of it.
enum class Waiting { for_input, for_children, for_something_else, unknown };
Waiting what_it_waits_for(pid_t pid) {
  const ProcessLine call(fmt::format("/proc/{}/syscall", pid));  // "0 0x0 ...", "running"
  if (!call.is_there()) return Waiting::unknown;
  const std::vector<std::string> words = split(call.text(), ' ');
  if (words.size() < 2) return Waiting::for_something_else;
  switch (std::atol(words[0].c_str())) {
    case SYS_read:
    case SYS_readv:
      return is_standard_input(pid, fmt::to_string(std::strtol(words[1].c_str(), nullptr, 16)))
                 ? Waiting::for_input
                 : Waiting::for_something_else;
#ifdef SYS_poll
    case SYS_poll:
    case SYS_select:
    case SYS_epoll_wait:
#endif
    case SYS_ppoll:
    case SYS_pselect6:
    case SYS_epoll_pwait:
    case SYS_futex:  // another thread may read
      return Waiting::for_input;
    case SYS_wait4:
    case SYS_waitid:
    case SYS_rt_sigsuspend:
      return Waiting::for_children;
    default:
      return Waiting::for_something_else;
  }
}

bool waits_for_input(pid_t pid, int generations) {
  switch (what_it_waits_for(pid)) {
    case Waiting::for_input:
      return true;
    case Waiting::for_something_else:
      return false;
    case Waiting::unknown:
      return !is_running(pid);
    case Waiting::for_children:
      break;
  }
  const ProcessLine children(fmt::format("/proc/{}/task/{}/children", pid, pid));
  if (!children.is_there()) return true;
  if (children.text().empty()) return false;  // it has ended, which is what was waited for
  const std::vector<std::string> pids = split(trim(children.text()), ' ');
  return generations > 0 && std::all_of(pids.begin(), pids.end(), [&](const std::string& child) {
           return waits_for_input(std::atoi(child.c_str()), generations - 1);
         });
}

}  // namespace

Result<fs::path> find_program(const std::string& name, const fs::path& folder) {
  const auto missing = [&](std::string_view why) {
    return make_error(ErrorKind::config,
                      fmt::format("The program \"{}\" can't be started: {}.", name, why));
  };
  if (name.find('/') != std::string::npos) {
    const fs::path path = fs::absolute(folder / name);
    if (can_be_executed(path)) return path;
    return missing(!file_exists(path)
                       ? fmt::format("there is no file {}", path.string())
                       : fmt::format("{} can't be executed; `chmod +x` it, or name the program "
                                     "that runs it first",
                                     path.string()));
  }
  const char* const path = std::getenv("PATH");
  for (const std::string& place : split(path != nullptr ? path : "/usr/bin:/bin", ':')) {
    fs::path file = fs::absolute(fs::path(place.empty() ? "." : place) / name);
    if (can_be_executed(file)) return file;
  }
  return missing(
      file_exists(folder / name)
          ? fmt::format("it is not in PATH; for the file beside the job write ./{}", name)
          : std::string("it is not in PATH"));
}

Result<std::unique_ptr<Program>> Program::start(const ProgramCall& call) {
  TRANCHE_ASSIGN(const fs::path file, find_program(call.arguments.front(), call.folder));
  TRANCHE_ASSIGN(PipeEnds input, make_pipe());
  TRANCHE_ASSIGN(PipeEnds output, make_pipe());
  TRANCHE_ASSIGN(PipeEnds errors, make_pipe());
  TRANCHE_ASSIGN(PipeEnds failure, make_pipe());
  std::vector<std::string> arguments = call.arguments;
  std::vector<std::string> environment = environment_with(call.environment);
  const Launch launch{file.string(),
                      call.folder.string(),
                      pointers_to(arguments),
                      pointers_to(environment),
                      input.reading.number(),
                      output.writing.number(),
                      errors.writing.number(),
                      failure.writing.number(),
                      ::getpid()};
  const pid_t pid = ::fork();
  if (pid < 0) return system_error(ErrorKind::failed, "start", call.arguments.front(), errno);
  if (pid == 0) launch_program(launch);
  auto program = std::unique_ptr<Program>(new Program);
  TRANCHE_ASSIGN(program->child_, Child::adopt(pid, Child::Group::own));
  failure.writing = Descriptor();
  if (const int error_number = launch_error(failure.reading); error_number != 0) {
    return system_error(ErrorKind::config, "start", file.string(), error_number);
  }
  for (const Descriptor* end : {&input.writing, &output.reading, &errors.reading}) never_wait(*end);
  program->input_ = std::move(input.writing);
  program->output_ = std::move(output.reading);
  program->errors_ = std::move(errors.reading);
  return program;
}

// A pipe knows no MSG_NOSIGNAL, and a socket in its place could not be opened as /dev/stdin. So the
// signal, which is one of this thread, is blocked meanwhile, and taken if it was not there before.
ssize_t Program::write(std::string_view bytes) {
  sigset_t broken_pipe;
  ::sigemptyset(&broken_pipe);
  ::sigaddset(&broken_pipe, SIGPIPE);
  sigset_t pending;
  ::sigpending(&pending);
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
  const ssize_t written = ::write(input(), bytes.data(), bytes.size());
  const int error_number = errno;
  if (written < 0 && error_number == EPIPE && ::sigismember(&pending, SIGPIPE) == 0) {
    const timespec at_once{};
    while (::sigtimedwait(&broken_pipe, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error_number;
  return written;
}

Result<std::optional<Exit>> Program::wait(std::chrono::milliseconds timeout) {
  pollfd ended{pidfd(), POLLIN, 0};
  static_cast<void>(::poll(&ended, 1, static_cast<int>(timeout.count())));
  if (!child_.has_ended()) return std::optional<Exit>();
  child_.kill_group(SIGKILL);  // while its number still names its group
  return child_.wait(std::nullopt);
}

bool Program::is_waiting() const {
  int unread = 0;
  if (input() >= 0 && (::ioctl(input(), FIONREAD, &unread) != 0 || unread > 0)) return false;
  return waits_for_input(child_.pid(), generations_max);
}

void BoundedLog::add(std::string_view text) {
  if (path_.empty() || text.empty()) return;
  if (file_.number() >= 0 && bytes_ + text.size() > bytes_max) {
    file_ = Descriptor();
    static_cast<void>(std::rename(path_.c_str(), (path_.string() + ".old").c_str()));
  }
  if (file_.number() < 0) {
    if (!create_folders(path_.parent_path())) return;
    file_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    const auto status = file_status(path_);
    bytes_ = status ? status->bytes : 0;
  }
  const std::string_view kept =
      text.substr(text.size() - std::min<std::size_t>(text.size(), bytes_max));
  if (::write(file_.number(), kept.data(), kept.size()) >= 0) bytes_ += kept.size();
}

}  // namespace tranche
