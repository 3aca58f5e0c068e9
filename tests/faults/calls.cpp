// Counts the I/O calls of a process tree, and at the Nth one kills, fails, writes short, or lets
// the clock jump.
//
// For tests alone, as LD_PRELOAD: tests/faults/calls.py says how. What is counted are calls that
// change files below one folder, and what goes through sockets to one port. The counter lies in a
// file that every process of the tree has mapped, so that N means the Nth call of all of them.
// Threads: any, at any time. The calls themselves go on to the C library.
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace {

enum Kind { opens, writes, syncs, renames, removes, truncates, folders, sends, receives, kinds };
enum Deed : std::uint32_t {
  count_only,
  kill_group,
  kill_process,
  fail,
  write_short,
  jump,
  cut_power
};

// As calls.py packs it.
struct Control {
  std::atomic<std::uint64_t> count;
  std::uint64_t at;     // which call is the first to be disturbed
  std::uint64_t times;  // how many are, from there on
  Deed deed;
  std::int32_t error_number;
  std::uint32_t counted_kinds;  // a bit each
  std::uint32_t port;
  std::int64_t jump_seconds;
  std::uint64_t syncs_lie;  // they return without having done anything; 2: but those of the ledger
  std::atomic<std::uint64_t> hits;
  std::atomic<std::uint64_t> counts[kinds];
  char first_hit[256];  // kind and path
};
static_assert(sizeof(Control) == 392);

constexpr const char* kind_names[] = {"open",     "write", "sync", "rename", "remove",
                                      "truncate", "mkdir", "send", "receive"};

template <class Function> Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}
#define NEXT(name) static const auto real = next<decltype(::name)>(#name)

struct Setting {
  Control* control = nullptr;
  std::string folder;

  Setting() {
    const char* file = std::getenv("TRANCHE_CALLS");
    const char* root = std::getenv("TRANCHE_CALLS_FOLDER");
    if (file == nullptr || root == nullptr) return;
    NEXT(open);
    const int descriptor = real(file, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) std::abort();
    void* const mapped =
        ::mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (mapped == MAP_FAILED) std::abort();
    ::close(descriptor);
    folder = root;
    control = static_cast<Control*>(mapped);
  }
};

Setting& setting() {
  static Setting only;
  return only;
}

bool lies_in_folder(const char* path) {
  const std::string& folder = setting().folder;
  return std::strncmp(path, folder.c_str(), folder.size()) == 0 &&
         (path[folder.size()] == '/' || path[folder.size()] == '\0');
}

struct Path {
  char text[PATH_MAX] = "";
};

bool read_link(const char* link, Path& path) {
  const ssize_t length = ::readlink(link, path.text, sizeof(path.text) - 1);
  if (length < 0) return false;
  path.text[length] = '\0';
  return true;
}

bool find_path(int descriptor, Path& path) {
  char link[64];
  std::snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
  return read_link(link, path);
}

bool find_path(int folder, const char* name, Path& path) {
  if (name == nullptr) return false;
  // DuckDB writes to files of ours through the descriptors that we have opened.
  if (std::strncmp(name, "/proc/self/fd/", 14) == 0) return read_link(name, path);
  if (name[0] == '/') {
    std::snprintf(path.text, sizeof(path.text), "%s", name);
    return true;
  }
  const bool found =
      folder == AT_FDCWD ? read_link("/proc/self/cwd", path) : find_path(folder, path);
  if (!found) return false;
  const std::size_t length = std::strlen(path.text);
  std::snprintf(path.text + length, sizeof(path.text) - length, "/%s", name);
  return true;
}

// What the caller must do.
struct Verdict {
  bool fails = false;  // errno is set
  bool is_short = false;
};

// The killer may be in a session of its own group; the leader of the session is the supervisor.
void die(Deed deed) {
  if (deed == kill_group) ::kill(-::getsid(0), SIGKILL);
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

// The file system forgets what is not on the disk, as in a power cut, and does nothing more.
void shut_file_system_down() {
  constexpr unsigned long fs_ioc_shutdown = 0x8004587d;
  std::uint32_t without_flushing_the_log = 2;
  NEXT(open);
  const int descriptor = real(setting().folder.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 || ::ioctl(descriptor, fs_ioc_shutdown, &without_flushing_the_log) != 0)
    std::abort();
}

Verdict judge(Kind kind, const char* what) {
  Control& control = *setting().control;
  if ((control.counted_kinds >> kind & 1U) == 0) return {};
  control.counts[kind].fetch_add(1);
  const std::uint64_t number = control.count.fetch_add(1) + 1;
  if (control.deed == count_only || number < control.at || number - control.at >= control.times)
    return {};
  if (control.hits.fetch_add(1) == 0)
    std::snprintf(control.first_hit, sizeof(control.first_hit), "%s %s", kind_names[kind], what);
  switch (control.deed) {
    case kill_group:
    case kill_process:
      die(control.deed);
      return {};
    case cut_power:
      shut_file_system_down();
      die(kill_group);
      return {};
    case fail:
      errno = control.error_number;
      return {.fails = true};
    case write_short:
      return {.is_short = true};
    default:
      return {};
  }
}

Verdict judge_file(Kind kind, int descriptor) {
  if (setting().control == nullptr) return {};
  const int before = errno;
  Path path;
  const bool counts = find_path(descriptor, path) && lies_in_folder(path.text);
  errno = before;
  return counts ? judge(kind, path.text) : Verdict{};
}

Verdict judge_name(Kind kind, int folder, const char* name) {
  if (setting().control == nullptr) return {};
  const int before = errno;
  Path path;
  const bool counts = find_path(folder, name, path) && lies_in_folder(path.text);
  errno = before;
  return counts ? judge(kind, path.text) : Verdict{};
}

bool syncs_lie_at(int descriptor) {
  const Control* const control = setting().control;
  Path path;
  if (control == nullptr || control->syncs_lie == 0 || !find_path(descriptor, path)) return false;
  const bool spared = control->syncs_lie == 2 && std::strstr(path.text, "/.tranche/") != nullptr;
  return !spared && lies_in_folder(path.text);
}

bool leads_to_port(int descriptor) {
  sockaddr_storage peer{};
  socklen_t length = sizeof(peer);
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &length) != 0) return false;
  if (peer.ss_family != AF_INET) return false;
  return ntohs(reinterpret_cast<const sockaddr_in&>(peer).sin_port) == setting().control->port;
}

// A connection that has failed stays so.
Verdict judge_socket(Kind kind, int descriptor) {
  if (setting().control == nullptr || setting().control->port == 0) return {};
  const int before = errno;
  const bool counts = leads_to_port(descriptor);
  errno = before;
  if (!counts) return {};
  const Verdict verdict = judge(kind, "the database");
  if (verdict.fails && errno != EINTR) {
    const int error_number = errno;
    ::shutdown(descriptor, SHUT_RDWR);
    errno = error_number;
  }
  return verdict;
}

std::size_t shortened(Verdict verdict, std::size_t bytes) {
  return verdict.is_short && bytes > 1 ? bytes / 2 : bytes;
}

bool is_for_writing(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0; }

mode_t mode_of(int flags, std::va_list more) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
}

bool clock_has_jumped() {
  const Control* const control = setting().control;
  return control != nullptr && control->deed == jump && control->count.load() >= control->at;
}

std::int64_t jump_seconds() { return clock_has_jumped() ? setting().control->jump_seconds : 0; }

}  // namespace

extern "C" {

#define INTERPOSE_OPEN(name)                                                         \
  int name(const char* path, int flags, ...) {                                       \
    NEXT(name);                                                                      \
    std::va_list more;                                                               \
    va_start(more, flags);                                                           \
    const mode_t mode = mode_of(flags, more);                                        \
    va_end(more);                                                                    \
    if (is_for_writing(flags) && judge_name(opens, AT_FDCWD, path).fails) return -1; \
    return real(path, flags, mode);                                                  \
  }
INTERPOSE_OPEN(open)
INTERPOSE_OPEN(open64)

#define INTERPOSE_OPENAT(name)                                                     \
  int name(int folder, const char* path, int flags, ...) {                         \
    NEXT(name);                                                                    \
    std::va_list more;                                                             \
    va_start(more, flags);                                                         \
    const mode_t mode = mode_of(flags, more);                                      \
    va_end(more);                                                                  \
    if (is_for_writing(flags) && judge_name(opens, folder, path).fails) return -1; \
    return real(folder, path, flags, mode);                                        \
  }
INTERPOSE_OPENAT(openat)
INTERPOSE_OPENAT(openat64)

int mkostemp(char* pattern, int flags) {
  NEXT(mkostemp);
  return judge_name(opens, AT_FDCWD, pattern).fails ? -1 : real(pattern, flags);
}

ssize_t write(int descriptor, const void* bytes, size_t count) {
  NEXT(write);
  const Verdict verdict = judge_file(writes, descriptor);
  return verdict.fails ? -1 : real(descriptor, bytes, shortened(verdict, count));
}

#define INTERPOSE_PWRITE(name, Offset)                                                      \
  ssize_t name(int descriptor, const void* bytes, size_t count, Offset offset) {            \
    NEXT(name);                                                                             \
    const Verdict verdict = judge_file(writes, descriptor);                                 \
    return verdict.fails ? -1 : real(descriptor, bytes, shortened(verdict, count), offset); \
  }
INTERPOSE_PWRITE(pwrite, off_t)
INTERPOSE_PWRITE(pwrite64, off64_t)

// Short: the first piece alone.
ssize_t writev(int descriptor, const iovec* pieces, int count) {
  NEXT(writev);
  const Verdict verdict = judge_file(writes, descriptor);
  return verdict.fails ? -1 : real(descriptor, pieces, verdict.is_short ? 1 : count);
}

ssize_t pwritev(int descriptor, const iovec* pieces, int count, off_t offset) {
  NEXT(pwritev);
  const Verdict verdict = judge_file(writes, descriptor);
  return verdict.fails ? -1 : real(descriptor, pieces, verdict.is_short ? 1 : count, offset);
}

#define INTERPOSE_SYNC(name)                                \
  int name(int descriptor) {                                \
    NEXT(name);                                             \
    if (judge_file(syncs, descriptor).fails) return -1;     \
    return syncs_lie_at(descriptor) ? 0 : real(descriptor); \
  }
INTERPOSE_SYNC(fsync)
INTERPOSE_SYNC(fdatasync)

int rename(const char* from, const char* to) {
  NEXT(rename);
  return judge_name(renames, AT_FDCWD, to).fails ? -1 : real(from, to);
}

int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) {
  NEXT(linkat);
  return judge_name(renames, to_folder, to).fails ? -1
                                                  : real(from_folder, from, to_folder, to, flags);
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) {
  NEXT(renameat);
  return judge_name(renames, to_folder, to).fails ? -1 : real(from_folder, from, to_folder, to);
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  NEXT(renameat2);
  return judge_name(renames, to_folder, to).fails ? -1
                                                  : real(from_folder, from, to_folder, to, flags);
}

#define INTERPOSE_REMOVE(name)                                          \
  int name(const char* path) {                                          \
    NEXT(name);                                                         \
    return judge_name(removes, AT_FDCWD, path).fails ? -1 : real(path); \
  }
INTERPOSE_REMOVE(unlink)
INTERPOSE_REMOVE(remove)
INTERPOSE_REMOVE(rmdir)

int unlinkat(int folder, const char* path, int flags) {
  NEXT(unlinkat);
  return judge_name(removes, folder, path).fails ? -1 : real(folder, path, flags);
}

#define INTERPOSE_TRUNCATE(name, Offset)                                            \
  int name(int descriptor, Offset length) {                                         \
    NEXT(name);                                                                     \
    return judge_file(truncates, descriptor).fails ? -1 : real(descriptor, length); \
  }
INTERPOSE_TRUNCATE(ftruncate, off_t)
INTERPOSE_TRUNCATE(ftruncate64, off64_t)

#define INTERPOSE_ALLOCATE(name, Offset)                             \
  int name(int descriptor, int mode, Offset offset, Offset length) { \
    NEXT(name);                                                      \
    if (judge_file(truncates, descriptor).fails) return -1;          \
    return real(descriptor, mode, offset, length);                   \
  }
INTERPOSE_ALLOCATE(fallocate, off_t)
INTERPOSE_ALLOCATE(fallocate64, off64_t)

int mkdir(const char* path, mode_t mode) {
  NEXT(mkdir);
  return judge_name(folders, AT_FDCWD, path).fails ? -1 : real(path, mode);
}

int mkdirat(int folder, const char* path, mode_t mode) {
  NEXT(mkdirat);
  return judge_name(folders, folder, path).fails ? -1 : real(folder, path, mode);
}

ssize_t send(int descriptor, const void* bytes, size_t count, int flags) {
  NEXT(send);
  const Verdict verdict = judge_socket(sends, descriptor);
  return verdict.fails ? -1 : real(descriptor, bytes, shortened(verdict, count), flags);
}

ssize_t sendto(int descriptor, const void* bytes, size_t count, int flags, const sockaddr* to,
               socklen_t length) {
  NEXT(sendto);
  const Verdict verdict = judge_socket(sends, descriptor);
  return verdict.fails ? -1 : real(descriptor, bytes, shortened(verdict, count), flags, to, length);
}

ssize_t recv(int descriptor, void* bytes, size_t count, int flags) {
  NEXT(recv);
  const Verdict verdict = judge_socket(receives, descriptor);
  return verdict.fails ? -1 : real(descriptor, bytes, shortened(verdict, count), flags);
}

// A clock that somebody sets: the one of the calendar jumps, the steady one does not.
int clock_gettime(clockid_t clock, timespec* now) {
  NEXT(clock_gettime);
  const int result = real(clock, now);
  if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += jump_seconds();
  return result;
}

int gettimeofday(timeval* now, void* zone) {
  NEXT(gettimeofday);
  const int result = real(now, zone);
  if (result == 0) now->tv_sec += jump_seconds();
  return result;
}

time_t time(time_t* now) {
  NEXT(time);
  const time_t result = real(nullptr) + jump_seconds();
  if (now != nullptr) *now = result;
  return result;
}

}  // extern "C"
