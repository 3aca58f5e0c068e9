// Takes the place of sync_file_range in a test's program: what is asked for is noted, and done.
// In one source file of a program.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace tranche {

struct WritebackRequest {
  std::filesystem::path file;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

// Since the last call; of any thread.
class WritebackRequests {
 public:
  static void note(int descriptor, off64_t offset, off64_t bytes) {
    std::error_code ignored;
    const auto link = std::filesystem::path("/proc/self/fd") / std::to_string(descriptor);
    const std::scoped_lock lock(mutex_);
    noted_.push_back({std::filesystem::read_symlink(link, ignored),
                      static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(bytes)});
  }
  static std::vector<WritebackRequest> take() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(noted_, {});
  }

 private:
  inline static std::mutex mutex_;
  inline static std::vector<WritebackRequest> noted_;
};

}  // namespace tranche

extern "C" int sync_file_range(int descriptor, off64_t offset, off64_t bytes, unsigned flags) {
  tranche::WritebackRequests::note(descriptor, offset, bytes);
  return static_cast<int>(::syscall(SYS_sync_file_range, descriptor, offset, bytes, flags));
}
