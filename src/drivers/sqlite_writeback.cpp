#include "drivers/sqlite_writeback.h"

#include <sys/stat.h>

#include <charconv>
#include <string>
#include <system_error>

#include "base/process.h"

namespace tranche {
namespace {

namespace fs = std::filesystem;

// The descriptor by which SQLite has the file open: it tells nobody. One of our own would not do,
// since POSIX takes away all locks of a process on a file when it closes any descriptor of it.
int descriptor_of(const fs::path& path) {
  struct stat wanted {};
  if (::stat(path.c_str(), &wanted) != 0) return -1;
  std::error_code failed;
  for (fs::directory_iterator at("/proc/self/fd", failed), end; !failed && at != end;
       at.increment(failed)) {
    const std::string name = at->path().filename().native();
    int descriptor = -1;
    std::from_chars(name.data(), name.data() + name.size(), descriptor);
    struct stat found {};
    if (::fstat(descriptor, &found) != 0) continue;
    if (found.st_dev == wanted.st_dev && found.st_ino == wanted.st_ino) return descriptor;
  }
  return -1;
}

}  // namespace

SqliteWriteback::SqliteWriteback(const fs::path& path) {
  const int descriptor = descriptor_of(path);
  if (descriptor < 0) return;
  writeback_ = EarlyWriteback(descriptor);
  const SignalShield shield;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {  // no more threads: the COMMIT waits for longer
  }
}

SqliteWriteback::~SqliteWriteback() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    ends_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void SqliteWriteback::advance(std::uint64_t lag_bytes) {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    lag_bytes_ = lag_bytes;
  }
  changed_.notify_one();
}

void SqliteWriteback::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ends_ || lag_bytes_; });
    if (ends_) return;
    const std::uint64_t lag_bytes = *lag_bytes_;
    lag_bytes_.reset();
    lock.unlock();
    writeback_.advance(lag_bytes);
    lock.lock();
  }
}

}  // namespace tranche
