// An advisory lock on a file, held by living processes only: the kernel drops it when the last
// descriptor that shares it is closed, so nobody ever removes a lock file by hand.
//
// flock(2) is used because a child made by fork shares the lock with its parent, and the lock lives
// until both are gone: a supervisor and its engine hold it together.
#pragma once

#include <optional>
#include <string>

#include "base/file.h"

namespace tranche {

class FileLock {
 public:
  FileLock() = default;
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

  // Takes the lock, or returns nullopt when a living process holds it. Creates file and folders.
  // The holder's `note` (a process id and what it does) is written into the file.
  static Result<std::optional<FileLock>> try_take(const fs::path& path, const std::string& note);
  // What the holder wrote; empty when there is no file.
  static std::string read_note(const fs::path& path);
  // True when a living process holds the lock.
  static Result<bool> is_held(const fs::path& path);

  bool held() const { return descriptor_ >= 0; }
  // Gives up this process's share; the lock lasts while a parent or child has theirs.
  void release();

 private:
  int descriptor_ = -1;
};

}  // namespace tranche
