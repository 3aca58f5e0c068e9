#include "base/early_writeback.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

namespace tranche {
namespace {

constexpr std::uint64_t part_bytes = std::uint64_t{2} << 20;

std::optional<std::uint64_t> size_of(int descriptor) {
  struct stat found {};
  if (::fstat(descriptor, &found) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(found.st_size);
}

}  // namespace

void EarlyWriteback::begin(int descriptor) { begun_ = size_of(descriptor).value_or(0); }

void EarlyWriteback::advance(int descriptor, std::uint64_t lag_bytes) {
  const auto size = size_of(descriptor);
  if (!size) return;
  begun_ = std::min(begun_, *size);  // it was cut: a transaction was rolled back
  const std::uint64_t bytes = *size - begun_;
  if (bytes < lag_bytes + part_bytes) return;
  static_cast<void>(::sync_file_range(descriptor, static_cast<off64_t>(begun_),
                                      static_cast<off64_t>(bytes - lag_bytes),
                                      SYNC_FILE_RANGE_WRITE));
  begun_ += bytes - lag_bytes;
}

}  // namespace tranche
