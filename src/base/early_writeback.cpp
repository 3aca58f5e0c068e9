#include "base/early_writeback.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/file.h"

namespace tranche {
namespace {

constexpr std::uint64_t part_bytes = std::uint64_t{2} << 20;

}  // namespace

EarlyWriteback::EarlyWriteback(int descriptor) {
  struct stat found {};
  if (::fstat(descriptor, &found) != 0) return;
  descriptor_ = descriptor;
  device_ = found.st_dev;
  inode_ = found.st_ino;
  begun_ = static_cast<std::uint64_t>(found.st_size);
}

void EarlyWriteback::advance(std::uint64_t lag_bytes) {
  struct stat found {};
  if (descriptor_ < 0 || ::fstat(descriptor_, &found) != 0) return;
  if (found.st_dev != device_ || found.st_ino != inode_) return;
  const auto size = static_cast<std::uint64_t>(found.st_size);
  begun_ = std::min(begun_, size);  // it was cut: a transaction was rolled back
  if (size - begun_ < lag_bytes + part_bytes) return;
  const std::uint64_t bytes = size - begun_ - lag_bytes;
  begin_writeback(descriptor_, begun_, bytes);
  begun_ += bytes;
}

}  // namespace tranche
