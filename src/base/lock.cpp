#include "base/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "base/system_error.h"

namespace tranche {
namespace {

// is_held takes the lock for an instant; whoever meets that instant looks again.
constexpr int attempts_max = 20;
constexpr std::chrono::milliseconds pause_between_looks{5};

// Closes on every way out until `keep` takes the descriptor.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }
  int keep() { return std::exchange(number_, -1); }

 private:
  int number_;
};

Error lock_failure(const fs::path& path, int error_number) {
  return system_error(ErrorKind::failed, "lock", path.native(), error_number);
}

int open_lock(const fs::path& path, int flags) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

int take_flock(int descriptor, int operation) {
  int result = -1;
  do {
    result = ::flock(descriptor, operation | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  return result;
}

// False when the file was removed, or replaced, between open and flock: that lock guards nothing.
bool is_still_named(int descriptor, const fs::path& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

// No fsync: after a power cut nobody holds the lock, and nobody reads the note.
Result<void> write_note(int descriptor, const fs::path& path, std::string_view note) {
  if (::ftruncate(descriptor, 0) != 0) return lock_failure(path, errno);
  off_t offset = 0;
  while (!note.empty()) {
    const ssize_t count = ::pwrite(descriptor, note.data(), note.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return lock_failure(path, errno);
    note.remove_prefix(static_cast<std::size_t>(count));
    offset += count;
  }
  return {};
}

}  // namespace

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  if (this != &other) {
    release();
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

FileLock::~FileLock() { release(); }

Result<std::optional<FileLock>> FileLock::try_take(const fs::path& path, const std::string& note) {
  TRANCHE_TRY(create_folders(path.parent_path()));
  for (int attempt = 1; attempt <= attempts_max; ++attempt) {
    if (attempt > 1) std::this_thread::sleep_for(pause_between_looks);
    Descriptor descriptor(open_lock(path, O_RDWR | O_CREAT));
    if (descriptor.number() < 0) return lock_failure(path, errno);
    if (take_flock(descriptor.number(), LOCK_EX) != 0) {
      if (errno == EWOULDBLOCK) continue;
      return lock_failure(path, errno);
    }
    if (!is_still_named(descriptor.number(), path)) continue;
    TRANCHE_TRY(write_note(descriptor.number(), path, note));
    FileLock lock;
    lock.descriptor_ = descriptor.keep();
    return std::optional<FileLock>(std::move(lock));
  }
  return std::optional<FileLock>();
}

std::string FileLock::read_note(const fs::path& path) {
  Result<std::string> note = read_file(path);
  return note ? std::move(note).value() : std::string();
}

Result<bool> FileLock::is_held(const fs::path& path) {
  const Descriptor descriptor(open_lock(path, O_RDONLY));
  if (descriptor.number() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return lock_failure(path, errno);
  }
  // Shared, so that two that ask at the same time don't see each other.
  if (take_flock(descriptor.number(), LOCK_SH) == 0) return false;
  if (errno == EWOULDBLOCK) return true;
  return lock_failure(path, errno);
}

// By close alone: LOCK_UN would take the lock from the parent or child that shares it.
void FileLock::release() {
  if (held()) ::close(std::exchange(descriptor_, -1));
}

}  // namespace tranche
