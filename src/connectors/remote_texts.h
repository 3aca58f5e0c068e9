// The bytes of a source's remote files. The planner goes over all of them, through blocks that
// threads of its own fetch some way ahead; they stay in a bounded window, from which the workers of
// the same process take what was cut, so that in an undisturbed run it is fetched once. What is in
// no window (for worker processes, after a resume) is fetched by its range.
//
// Threads: all methods may be called by many threads at once; keep() before others read.
// Lifetime: outlives the texts that it opens. No thread is started before the first block is asked
// for.
// Errors: those of drivers/curl.h. The planner's blocks are asked for again for some seconds before
// an error is transient; others are told of it at once, since the engine tries their batch again.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "drivers/curl.h"
#include "formats/text_file.h"

namespace tranche {

struct RemoteFile {
  HttpPlace place;
  HttpObject object;
};

// Asks a server about a file, again where an error may pass. Errors: those of curl.h.
Result<HttpObject> examine_remote(const HttpPlace& place);

class RemoteTexts {
 public:
  // One an input; nullopt: it is no remote one.
  explicit RemoteTexts(std::vector<std::optional<RemoteFile>> files);
  RemoteTexts(const RemoteTexts&) = delete;
  RemoteTexts& operator=(const RemoteTexts&) = delete;
  ~RemoteTexts();

  // REQUIRES a remote file. `ahead`: by blocks, which are kept; else by the ranges that are asked
  // for, where no block has them.
  std::shared_ptr<const DistantText> open_ahead(std::size_t file) const;
  std::shared_ptr<const DistantText> open_behind(std::size_t file) const;

  // How much the window keeps.
  void keep(std::uint64_t bytes);
  // What is held besides: transfers, and blocks that nobody has asked for yet.
  static std::uint64_t fetching_bytes();

 private:
  struct Block;
  using BlockPtr = std::shared_ptr<Block>;
  class AheadView;
  class BehindView;

  Result<std::size_t> read_ahead(std::size_t file, char* buffer, std::size_t bytes,
                                 std::uint64_t offset) const;
  Result<std::size_t> read_behind(std::size_t file, char* buffer, std::size_t bytes,
                                  std::uint64_t offset) const;
  Result<void> fetch_range(std::size_t file, char* buffer, std::size_t bytes,
                           std::uint64_t offset) const;
  Result<BlockPtr> await_block(std::size_t file, std::uint64_t number) const;
  // These REQUIRE that mutex_ is held.
  BlockPtr find(std::size_t file, std::uint64_t number) const;
  BlockPtr ask_for(std::size_t file, std::uint64_t number) const;
  void ask_for_following(std::size_t file, std::uint64_t number) const;
  void drop_oldest() const;

  void fetch_blocks() const;  // of one thread, until the end
  Result<void> fetch(HttpReader& reader, Block& block) const;

  const std::vector<std::optional<RemoteFile>> files_;
  std::uint64_t window_bytes_max_;
  std::atomic<bool> ended_ = false;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::condition_variable changed_;
  mutable std::deque<BlockPtr> window_;  // in the order in which they were asked for
  mutable std::uint64_t window_bytes_ = 0;
  mutable std::deque<BlockPtr> asked_;
  mutable std::vector<HttpReader> idle_;  // of those behind
  mutable std::vector<std::thread> fetchers_;
  mutable std::size_t waiting_fetchers_ = 0;
};

}  // namespace tranche
