// Has the system write a growing file to the disk while more of it is made, so that the sync at its
// end waits for the last part alone.
//
// Advice: whatever becomes of it, only the sync tells whether the bytes are on the disk.
// Threads: one at a time. Lifetime: a value; the file is the caller's.
#pragma once

#include <cstdint>

namespace tranche {

class EarlyWriteback {
 public:
  // The file grows from its present end on.
  void begin(int descriptor);
  // Begins to write what the file has grown by, but for the last `lag_bytes`, whose pages may be
  // written anew before the sync. Small parts wait for more: each request costs the processor.
  void advance(int descriptor, std::uint64_t lag_bytes = 0);

 private:
  std::uint64_t begun_ = 0;  // all before it is on its way, or was there
};

}  // namespace tranche
