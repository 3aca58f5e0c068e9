#include "connectors/remote_texts.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace tranche {
namespace {

constexpr std::uint64_t block_bytes = std::uint64_t{1} << 20;
constexpr std::uint64_t window_bytes_default = std::uint64_t{12} << 20;
constexpr std::size_t fetchers_max = 3;
constexpr std::uint64_t blocks_ahead = 3;
// A connection with its buffers, and with the certificates that it trusts: 0.9 MiB of the system's.
constexpr std::uint64_t transfer_bytes = std::uint64_t{1} << 20;
// Nobody else tries again for the planner: about 15 seconds in all.
constexpr int attempts_max = 7;
constexpr std::chrono::milliseconds first_pause{250};

std::chrono::milliseconds pause_before(int attempt) { return first_pause * (1 << (attempt - 1)); }

}  // namespace

struct RemoteTexts::Block {
  enum class State { asked, there, failed };
  std::size_t file = 0;
  std::uint64_t number = 0;
  std::uint64_t offset = 0;
  std::size_t bytes = 0;
  State state = State::asked;     // guarded by mutex_; what follows is written before it is there
  std::unique_ptr<char[]> text;
  std::optional<Error> error;
  std::uint64_t end() const { return offset + bytes; }
  // Of a small file, of which there may be thousands, the least that it counts.
  std::uint64_t memory_bytes() const { return std::max(bytes, std::size_t{16} << 10); }
};

class RemoteTexts::AheadView final : public DistantText {
 public:
  AheadView(const RemoteTexts& texts, std::size_t file) : texts_(texts), file_(file) {}
  Result<std::size_t> read_at(char* buffer, std::size_t bytes,
                              std::uint64_t offset) const override {
    return texts_.read_ahead(file_, buffer, bytes, offset);
  }

 private:
  const RemoteTexts& texts_;
  const std::size_t file_;
};

class RemoteTexts::BehindView final : public DistantText {
 public:
  BehindView(const RemoteTexts& texts, std::size_t file) : texts_(texts), file_(file) {}
  Result<std::size_t> read_at(char* buffer, std::size_t bytes,
                              std::uint64_t offset) const override {
    return texts_.read_behind(file_, buffer, bytes, offset);
  }

 private:
  const RemoteTexts& texts_;
  const std::size_t file_;
};

Result<HttpObject> examine_remote(const HttpPlace& place) {
  HttpReader reader;
  for (int attempt = 1;; ++attempt) {
    auto object = reader.examine(place);
    const bool may_pass = !object && object.error().kind == ErrorKind::transient;
    if (!may_pass || attempt == attempts_max) return object;
    std::this_thread::sleep_for(pause_before(attempt));
  }
}

RemoteTexts::RemoteTexts(std::vector<std::optional<RemoteFile>> files)
    : files_(std::move(files)), window_bytes_max_(window_bytes_default) {}

RemoteTexts::~RemoteTexts() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  for (auto& fetcher : fetchers_) fetcher.join();
}

std::shared_ptr<const DistantText> RemoteTexts::open_ahead(std::size_t file) const {
  return std::make_shared<const AheadView>(*this, file);
}

std::shared_ptr<const DistantText> RemoteTexts::open_behind(std::size_t file) const {
  return std::make_shared<const BehindView>(*this, file);
}

// The blocks ahead come on top: they must not push out what is still to be read.
void RemoteTexts::keep(std::uint64_t bytes) {
  window_bytes_max_ = bytes + (blocks_ahead + 1) * block_bytes;
}

std::uint64_t RemoteTexts::fetching_bytes() {
  return fetchers_max * transfer_bytes + (blocks_ahead + 1) * block_bytes;
}

Result<std::size_t> RemoteTexts::read_ahead(std::size_t file, char* buffer, std::size_t bytes,
                                            std::uint64_t offset) const {
  const std::uint64_t size = files_[file]->object.bytes;
  std::size_t done = 0;
  while (done < bytes && offset + done < size) {
    TRANCHE_ASSIGN(const BlockPtr block, await_block(file, (offset + done) / block_bytes));
    const auto at = static_cast<std::size_t>(offset + done - block->offset);
    const std::size_t count = std::min(bytes - done, block->bytes - at);
    std::memcpy(buffer + done, block->text.get() + at, count);
    done += count;
  }
  return done;
}

Result<std::size_t> RemoteTexts::read_behind(std::size_t file, char* buffer, std::size_t bytes,
                                             std::uint64_t offset) const {
  const std::uint64_t size = files_[file]->object.bytes;
  if (offset >= size) return std::size_t{0};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, size - offset));
  const auto kept = [&](std::uint64_t at) {
    const std::lock_guard lock(mutex_);
    const BlockPtr block = find(file, at / block_bytes);
    return block != nullptr && block->state == Block::State::there ? block : nullptr;
  };
  std::size_t done = 0;
  while (done < wanted) {
    const std::uint64_t at = offset + done;
    if (const BlockPtr block = kept(at)) {
      const auto count = static_cast<std::size_t>(
          std::min<std::uint64_t>(wanted - done, block->end() - at));
      std::memcpy(buffer + done, block->text.get() + (at - block->offset), count);
      done += count;
      continue;
    }
    // All that no block has, in one piece.
    std::uint64_t end = (at / block_bytes + 1) * block_bytes;
    while (end < offset + wanted && kept(end) == nullptr) end += block_bytes;
    const auto count = static_cast<std::size_t>(std::min(end, offset + wanted) - at);
    TRANCHE_TRY(fetch_range(file, buffer + done, count, at));
    done += count;
  }
  return done;
}

Result<void> RemoteTexts::fetch_range(std::size_t file, char* buffer, std::size_t bytes,
                                      std::uint64_t offset) const {
  std::optional<HttpReader> reader;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      reader = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!reader) reader.emplace();
  auto read = reader->read(files_[file]->place, files_[file]->object, buffer, bytes, offset);
  const std::lock_guard lock(mutex_);
  idle_.push_back(*std::move(reader));
  return read;
}

Result<RemoteTexts::BlockPtr> RemoteTexts::await_block(std::size_t file,
                                                       std::uint64_t number) const {
  std::unique_lock lock(mutex_);
  BlockPtr block = find(file, number);
  if (block == nullptr) block = ask_for(file, number);
  // Who came from the block before will go on.
  if (number > 0 && find(file, number - 1) != nullptr) ask_for_following(file, number);
  changed_.wait(lock, [&] { return block->state != Block::State::asked; });
  if (block->state == Block::State::failed) return *block->error;
  return block;
}

RemoteTexts::BlockPtr RemoteTexts::find(std::size_t file, std::uint64_t number) const {
  for (auto block = window_.rbegin(); block != window_.rend(); ++block) {
    if ((*block)->file == file && (*block)->number == number) return *block;
  }
  return nullptr;
}

RemoteTexts::BlockPtr RemoteTexts::ask_for(std::size_t file, std::uint64_t number) const {
  auto block = std::make_shared<Block>();
  block->file = file;
  block->number = number;
  block->offset = number * block_bytes;
  block->bytes = static_cast<std::size_t>(
      std::min<std::uint64_t>(block_bytes, files_[file]->object.bytes - block->offset));
  window_.push_back(block);
  window_bytes_ += block->memory_bytes();
  asked_.push_back(block);
  drop_oldest();
  if (waiting_fetchers_ < asked_.size() && fetchers_.size() < fetchers_max) {
    fetchers_.emplace_back([this] { fetch_blocks(); });
  }
  changed_.notify_all();
  return block;
}

void RemoteTexts::ask_for_following(std::size_t file, std::uint64_t number) const {
  for (std::uint64_t next = number + 1; next <= number + blocks_ahead; ++next) {
    if (next * block_bytes >= files_[file]->object.bytes) return;
    if (find(file, next) == nullptr) ask_for(file, next);
  }
}

// Whoever copies from a block holds it.
void RemoteTexts::drop_oldest() const {
  while (window_bytes_ > window_bytes_max_ && window_.front()->state == Block::State::there) {
    window_bytes_ -= window_.front()->memory_bytes();
    window_.pop_front();
  }
}

void RemoteTexts::fetch_blocks() const {
  HttpReader reader(&ended_);
  std::unique_lock lock(mutex_);
  while (true) {
    ++waiting_fetchers_;
    changed_.wait(lock, [&] { return ended_ || !asked_.empty(); });
    --waiting_fetchers_;
    if (ended_) return;
    const BlockPtr block = asked_.front();
    asked_.pop_front();
    lock.unlock();
    auto fetched = fetch(reader, *block);
    lock.lock();
    block->state = fetched ? Block::State::there : Block::State::failed;
    if (!fetched) {  // whoever wants it next asks anew
      block->error = std::move(fetched).error();
      window_bytes_ -= block->memory_bytes();
      std::erase(window_, block);
    }
    changed_.notify_all();
  }
}

Result<void> RemoteTexts::fetch(HttpReader& reader, Block& block) const {
  const RemoteFile& file = *files_[block.file];
  block.text = std::make_unique_for_overwrite<char[]>(block.bytes);
  for (int attempt = 1;; ++attempt) {
    auto read = reader.read(file.place, file.object, block.text.get(), block.bytes, block.offset);
    const bool may_pass = !read && read.error().kind == ErrorKind::transient;
    if (!may_pass || attempt == attempts_max) return read;
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, pause_before(attempt), [&] { return ended_.load(); })) return read;
  }
}

}  // namespace tranche
