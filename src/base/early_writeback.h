// Has the system write a growing file to the disk while more of it is made, so that the sync at its
// end waits for less.
//
// Advice: whatever becomes of it, only the sync tells whether the bytes are on the disk.
// Threads: one at a time. Lifetime: a value; the descriptor is the caller's. When it is closed, and
// its number given to another file, nothing is asked for any more.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace tranche {

class EarlyWriteback {
 public:
  EarlyWriteback() = default;  // of no file
  // Of a file that grows from its present end on.
  explicit EarlyWriteback(int descriptor);
  // Begins to write what the file has grown by, but for the last `lag_bytes`, whose pages may be
  // written anew before the sync. Small parts wait for more: each request costs the processor.
  void advance(std::uint64_t lag_bytes = 0);

 private:
  int descriptor_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::uint64_t begun_ = 0;  // all before it is on its way, or was there
};

}  // namespace tranche
