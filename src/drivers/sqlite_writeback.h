// Has the system write what a transaction adds to the end of a SQLite database while it still adds,
// on a thread of its own: who inserts is busy, and the requests cost the processor.
//
// SQLite itself leaves all that to the COMMIT, which then waits until the disk has taken it.
// Threads: one calls. Lifetime: while the database is open; its descriptor may be that of another
// connection to the file, and closed before: then nothing is asked for any more.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "base/early_writeback.h"

namespace tranche {

class SqliteWriteback {
 public:
  // Of the database at `path`, which is open, from its present end on. Where it can't work it does
  // nothing.
  explicit SqliteWriteback(const std::filesystem::path& path);
  ~SqliteWriteback();
  // Of the file as it is now, but for its last `lag_bytes`. Does not wait.
  void advance(std::uint64_t lag_bytes);

 private:
  void run();

  EarlyWriteback writeback_;  // the thread's, once there is one
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::uint64_t> lag_bytes_;  // asked for, not yet begun
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace tranche
