// What a process may use, and what it uses: memory, CPU time, descriptors.
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <csignal>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"

namespace tranche {
namespace {

// The numbers of /proc/PID/statm, in pages: size, resident, shared, text, 0, data, 0.
std::vector<std::uint64_t> pages_of(pid_t pid) {
  const std::string process = pid == 0 ? "self" : fmt::format("{}", pid);
  const Result<std::string> text = read_file(fs::path("/proc") / process / "statm");
  std::vector<std::uint64_t> pages;
  if (!text) return pages;
  for (const std::string& number : split(trim(*text), ' ')) {
    pages.push_back(std::strtoull(number.c_str(), nullptr, 10));
  }
  return pages;
}

std::uint64_t page_bytes() { return static_cast<std::uint64_t>(::sysconf(_SC_PAGE_SIZE)); }

}  // namespace

std::uint64_t private_resident_bytes(pid_t pid) {
  const auto pages = pages_of(pid);
  if (pages.size() < 3) return 0;
  return (pages[1] - std::min(pages[1], pages[2])) * page_bytes();
}

std::chrono::nanoseconds cpu_time_of(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return {};
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

void limit_own_memory([[maybe_unused]] std::uint64_t bytes) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // Not the address space, of which libraries and allocators reserve much that is never used.
  const auto pages = pages_of(0);
  if (pages.size() < 6) return;
  rlimit limit{};
  if (::getrlimit(RLIMIT_DATA, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(pages[5] * page_bytes() + bytes, limit.rlim_max);
  static_cast<void>(::setrlimit(RLIMIT_DATA, &limit));
#endif
}

void let_refused_writes_return() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

SignalShield::SignalShield() {
  sigset_t shielded;
  ::sigfillset(&shielded);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) {
    ::sigdelset(&shielded, fault);
  }
  ::pthread_sigmask(SIG_SETMASK, &shielded, &before_);
}

SignalShield::~SignalShield() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void close_descriptors_but(int kept) {
  const auto close_range = [](unsigned first, unsigned last) {
    if (first <= last) static_cast<void>(::close_range(first, last, 0));
  };
  const auto first = static_cast<unsigned>(STDERR_FILENO) + 1;
  close_range(first, static_cast<unsigned>(kept) - 1);
  close_range(std::max(first, static_cast<unsigned>(kept) + 1), UINT_MAX);
}

int lowest_free_descriptor() {
  const int free = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  if (free >= 0) ::close(free);
  return free;
}

}  // namespace tranche
