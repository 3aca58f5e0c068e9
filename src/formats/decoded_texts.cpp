#include "formats/decoded_texts.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

namespace tranche {
namespace {

constexpr std::size_t block_bytes = std::size_t{256} << 10;
constexpr std::size_t block_bytes_least = std::size_t{4} << 10;  // that a short one counts
constexpr std::uint64_t lane_bytes_default = std::uint64_t{12} << 20;
constexpr std::uint64_t window_bytes_least = std::uint64_t{8} << 20;  // of zstd's usual levels
// Checkpoints of a file in memory: beyond, those far behind are thinned out. The ledger has more.
constexpr std::size_t checkpoints_max = 128;

// Where a checkpoint at `offset` stands, or would stand, among those before it and those behind.
template <class Checkpoints>
auto place_of(Checkpoints& checkpoints, std::uint64_t offset) {
  return std::lower_bound(
      checkpoints.begin(), checkpoints.end(), offset,
      [](const Checkpoint& checkpoint, std::uint64_t at) { return checkpoint.offset < at; });
}

// What a decoder may take for the frames of a file: what the first one asks for, and the usual.
Result<std::uint64_t> window_bytes_max(const TextFile& file) {
  TRANCHE_ASSIGN(const std::uint64_t window, find_zstd_window(file));
  constexpr std::uint64_t window_bytes_most = std::uint64_t{1} << 41;  // of the format
  return std::max(window_bytes_least, std::bit_ceil(std::min(window, window_bytes_most)));
}

// A remote file is the one that it was: each of its ranges is checked when it is fetched.
Result<TextFile> open_file(const CodedFile& wanted) {
  if (wanted.remote) return TextFile(wanted.remote);
  TRANCHE_ASSIGN(File file, File::open_read(wanted.path));
  TRANCHE_ASSIGN(const std::uint64_t bytes, file.size());
  if (bytes == wanted.bytes) return TextFile(std::move(file));
  return make_error(ErrorKind::failed,
                    fmt::format("{} had {} bytes when the run began and has {} now. Give back "
                                "the file as it was and run again, or accept the change with "
                                "--accept input.", wanted.name, wanted.bytes, bytes));
}

void thin_out(std::vector<Checkpoint>& checkpoints) {
  if (checkpoints.size() <= checkpoints_max) return;
  std::vector<Checkpoint> left;
  for (std::size_t i = 0; i < checkpoints.size(); ++i) {
    if (i >= checkpoints_max / 2 || i % 2 == 0) left.push_back(std::move(checkpoints[i]));
  }
  checkpoints = std::move(left);
}

}  // namespace

struct DecodedTexts::Block {
  std::size_t file = 0;
  std::uint64_t offset = 0;
  std::size_t bytes = 0;
  std::uint64_t file_begin = 0;
  std::uint64_t file_end = 0;
  std::unique_ptr<char[]> text;
  std::uint64_t end() const { return offset + bytes; }
  std::uint64_t memory_bytes() const { return std::max(bytes, block_bytes_least); }
};

// A decoder with its file.
struct DecodedTexts::Way {
  std::size_t number = 0;
  std::unique_ptr<TextFile> file;  // where it is stays the same when the way is handed over
  std::unique_ptr<TextDecoder> decoder;

  bool leads_to(std::size_t wanted, std::uint64_t offset) const {
    return decoder != nullptr && number == wanted && decoder->offset() <= offset;
  }
};

struct DecodedTexts::Lane {
  Way way;                    // guarded by decoding_
  std::deque<BlockPtr> kept;  // guarded by mutex_
  std::uint64_t kept_bytes = 0;
};

struct DecodedTexts::Known {
  std::optional<std::uint64_t> text_bytes;  // once its end was reached
  std::vector<Checkpoint> checkpoints;      // by offset
};

class DecodedTexts::View final : public DistantText {
 public:
  View(const DecodedTexts& texts, std::size_t file, Reader reader)
      : texts_(texts), file_(file), reader_(reader) {}
  Result<std::size_t> read_at(char* buffer, std::size_t bytes,
                              std::uint64_t offset) const override {
    return texts_.read_at(file_, reader_, buffer, bytes, offset);
  }
  bool was_utf16() const override {
    const Encoding encoding = texts_.files_[file_].coding.encoding;
    return encoding != Encoding::utf8 && encoding != Encoding::latin1;
  }

 private:
  const DecodedTexts& texts_;
  const std::size_t file_;
  const Reader reader_;
};

DecodedTexts::DecodedTexts(std::vector<CodedFile> files, std::uint64_t checkpoint_bytes)
    : files_(std::move(files)),
      checkpoint_bytes_(checkpoint_bytes),
      known_(files_.size()),
      lane_bytes_max_(lane_bytes_default),
      ahead_(std::make_unique<Lane>()),
      behind_(std::make_unique<Lane>()) {}

DecodedTexts::~DecodedTexts() = default;

TextFile DecodedTexts::open(std::size_t file, Reader reader) const {
  return TextFile(std::make_shared<const View>(*this, file, reader));
}

void DecodedTexts::keep(std::uint64_t bytes_a_lane) {
  lane_bytes_max_ = std::max<std::uint64_t>(bytes_a_lane, block_bytes);
}

Result<std::uint64_t> DecodedTexts::decoder_bytes() const {
  std::uint64_t largest = 0;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    std::uint64_t bytes = decoder_buffer_bytes;
    if (files_[i].coding.compression == Compression::zstd) {
      TRANCHE_ASSIGN(const TextFile file, open_file(files_[i]));
      TRANCHE_ASSIGN(const std::uint64_t window, window_bytes_max(file));
      bytes += window;
    }
    largest = std::max(largest, bytes);
  }
  return 2 * largest;
}

std::vector<Checkpoint> DecodedTexts::take_checkpoints() {
  const std::lock_guard lock(mutex_);
  return std::exchange(fresh_, {});
}

void DecodedTexts::use_checkpoints(std::vector<Checkpoint> checkpoints) {
  const std::lock_guard lock(mutex_);
  collects_ = true;
  for (auto& checkpoint : checkpoints) {
    if (checkpoint.input < known_.size()) insert_checkpoint(std::move(checkpoint));
  }
}

bool DecodedTexts::insert_checkpoint(Checkpoint checkpoint) const {
  auto& all = known_[checkpoint.input].checkpoints;
  const auto place = place_of(all, checkpoint.offset);
  if (place != all.end() && place->offset == checkpoint.offset) return false;
  all.insert(place, std::move(checkpoint));
  thin_out(all);
  return true;
}

std::uint64_t DecodedTexts::bytes_before(std::size_t file, std::uint64_t offset) const {
  if (find(file, offset) != nullptr) return 0;
  const auto checkpoint = checkpoint_before(file, offset);
  return offset - (checkpoint ? checkpoint->offset : 0);
}

std::uint64_t DecodedTexts::file_offset(std::size_t file, std::uint64_t offset) const {
  {
    const std::lock_guard lock(mutex_);
    if (known_[file].text_bytes && offset >= *known_[file].text_bytes) return files_[file].bytes;
  }
  const BlockPtr block = offset == 0 ? nullptr : find(file, offset - 1);
  if (block == nullptr) return 0;
  return block->file_begin +
         (block->file_end - block->file_begin) * (offset - block->offset) / block->bytes;
}

Result<std::size_t> DecodedTexts::read_at(std::size_t file, Reader reader, char* buffer,
                                          std::size_t bytes, std::uint64_t offset) const {
  std::size_t done = 0;
  while (done < bytes) {
    BlockPtr block = find(file, offset + done);
    if (block == nullptr) {
      Lane& lane = reader == Reader::ahead ? *ahead_ : *behind_;
      TRANCHE_ASSIGN(block, decode_to(lane, file, offset + done));
      if (block == nullptr) break;
    }
    const auto at = static_cast<std::size_t>(offset + done - block->offset);
    const std::size_t count = std::min(bytes - done, block->bytes - at);
    std::memcpy(buffer + done, block->text.get() + at, count);
    done += count;
  }
  return done;
}

// The block that has the byte at `offset`; nullptr when none is kept.
DecodedTexts::BlockPtr DecodedTexts::find(std::size_t file, std::uint64_t offset) const {
  const std::lock_guard lock(mutex_);
  for (const Lane* lane : {ahead_.get(), behind_.get()}) {
    for (auto block = lane->kept.rbegin(); block != lane->kept.rend(); ++block) {
      const Block& one = **block;
      if (one.file == file && offset >= one.offset && offset < one.end()) return *block;
    }
  }
  return nullptr;
}

// Decodes until the byte at `offset` is there; nullptr when the text ends before it.
Result<DecodedTexts::BlockPtr> DecodedTexts::decode_to(Lane& lane, std::size_t file,
                                                       std::uint64_t offset) const {
  const std::lock_guard lock(decoding_);
  if (BlockPtr block = find(file, offset)) return block;  // somebody else was faster
  {
    const std::lock_guard known(mutex_);
    if (known_[file].text_bytes && offset >= *known_[file].text_bytes) return BlockPtr();
  }
  auto positioned = position(lane, file, offset);
  if (!positioned) {
    lane.way.decoder.reset();
    return std::move(positioned).error();
  }
  while (true) {
    auto block = decode_block(lane);
    if (!block) {
      lane.way.decoder.reset();
      return block;
    }
    if (*block == nullptr) return BlockPtr();
    keep_block(lane, *block, offset);
    if (offset < (*block)->end()) return block;
  }
}

// Puts the lane's decoder where the way to `offset` is shortest: a resume of one huge zstd frame
// comes to its place by the decoder of those behind, and the planner goes on with it.
Result<void> DecodedTexts::position(Lane& lane, std::size_t file, std::uint64_t offset) const {
  const auto checkpoint = checkpoint_before(file, offset);
  Way& other = (&lane == ahead_.get() ? *behind_ : *ahead_).way;
  const std::uint64_t own_begin =
      std::max(lane.way.leads_to(file, offset) ? lane.way.decoder->offset() : 0,
               checkpoint ? checkpoint->offset : 0);
  if (other.leads_to(file, offset) && other.decoder->offset() > own_begin + checkpoint_bytes_) {
    std::swap(lane.way, other);
    return {};
  }
  Way& way = lane.way;
  if (way.leads_to(file, offset) && way.decoder->offset() == own_begin) return {};
  if (way.decoder == nullptr || way.number != file || !checkpoint) {
    TRANCHE_TRY(begin_way(way, file));
  }
  if (!checkpoint) return {};
  return way.decoder->restore(checkpoint->offset, checkpoint->file_offset, checkpoint->state);
}

Result<void> DecodedTexts::begin_way(Way& way, std::size_t number) const {
  const CodedFile& wanted = files_[number];
  way.decoder.reset();
  TRANCHE_ASSIGN(TextFile file, open_file(wanted));
  way.file = std::make_unique<TextFile>(std::move(file));
  way.number = number;
  std::uint64_t window = 0;
  if (wanted.coding.compression == Compression::zstd) {
    TRANCHE_ASSIGN(window, window_bytes_max(*way.file));
  }
  TRANCHE_ASSIGN(way.decoder, make_text_decoder(*way.file, wanted.name, wanted.coding, window));
  return {};
}

// The next block of the lane; nullptr at the end of the text.
Result<DecodedTexts::BlockPtr> DecodedTexts::decode_block(Lane& lane) const {
  auto block = std::make_shared<Block>();
  block->file = lane.way.number;
  block->offset = lane.way.decoder->offset();
  block->file_begin = lane.way.decoder->file_offset();
  block->text = std::make_unique_for_overwrite<char[]>(block_bytes);
  std::uint64_t next = next_checkpoint(lane);
  while (block->bytes < block_bytes) {
    const bool is_due = lane.way.decoder->offset() >= next;
    TRANCHE_ASSIGN(const std::size_t count,
                   lane.way.decoder->read(block->text.get() + block->bytes,
                                      block_bytes - block->bytes, is_due));
    if (count == 0) {
      const std::lock_guard lock(mutex_);
      known_[lane.way.number].text_bytes = lane.way.decoder->offset();
      break;
    }
    block->bytes += count;
    if (is_due) {
      note_checkpoint(lane);
      next = next_checkpoint(lane);
    }
  }
  block->file_end = lane.way.decoder->file_offset();
  if (block->bytes == 0) return BlockPtr();
  if (block->bytes < block_bytes / 2) {  // of a small file, of which there may be thousands
    auto fitting = std::make_unique_for_overwrite<char[]>(block->bytes);
    std::memcpy(fitting.get(), block->text.get(), block->bytes);
    block->text = std::move(fitting);
  }
  return BlockPtr(std::move(block));
}

// Blocks far before what is wanted are only passed.
void DecodedTexts::keep_block(Lane& lane, const BlockPtr& block,
                              std::uint64_t wanted_offset) const {
  if (block->end() + lane_bytes_max_ / 2 < wanted_offset) return;
  const std::lock_guard lock(mutex_);
  lane.kept.push_back(block);
  lane.kept_bytes += block->memory_bytes();
  while (lane.kept_bytes > lane_bytes_max_ && lane.kept.size() > 1) {
    lane.kept_bytes -= lane.kept.front()->memory_bytes();
    lane.kept.pop_front();
  }
}

std::optional<Checkpoint> DecodedTexts::checkpoint_before(std::size_t file,
                                                          std::uint64_t offset) const {
  const std::lock_guard lock(mutex_);
  const auto& all = known_[file].checkpoints;
  const auto behind = place_of(all, offset + 1);
  return behind == all.begin() ? std::nullopt : std::optional<Checkpoint>(*(behind - 1));
}

// From where on a checkpoint is wanted.
std::uint64_t DecodedTexts::next_checkpoint(const Lane& lane) const {
  const std::lock_guard lock(mutex_);
  const auto& all = known_[lane.way.number].checkpoints;
  const auto behind = place_of(all, lane.way.decoder->offset() + 1);
  return (behind == all.begin() ? 0 : (behind - 1)->offset) + checkpoint_bytes_;
}

void DecodedTexts::note_checkpoint(Lane& lane) const {
  auto state = lane.way.decoder->state();
  if (!state) return;
  Checkpoint checkpoint;
  checkpoint.input = static_cast<std::uint32_t>(lane.way.number);
  checkpoint.offset = lane.way.decoder->offset();
  checkpoint.file_offset = lane.way.decoder->file_offset();
  checkpoint.state = *std::move(state);
  const std::lock_guard lock(mutex_);
  if (!insert_checkpoint(checkpoint) || !collects_) return;
  fresh_.push_back(std::move(checkpoint));
  thin_out(fresh_);
}

}  // namespace tranche
