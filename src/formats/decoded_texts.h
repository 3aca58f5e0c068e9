// The texts of a source's files, decoded once for all that read them: the planner goes ahead and
// cuts, the workers read what was cut shortly after, from the memory that it is still in. What is
// not in memory any more, or was cut by an earlier process, is decoded again from the nearest
// checkpoint.
//
// There are two lanes, each a decoder and a bounded window of text behind it: one goes ahead with
// the planner, the other serves those who come behind. A lane notes checkpoints as it goes.
//
// Threads: all methods may be called by many threads at once; keep() and use_checkpoints() before
// others read. Lifetime: outlives the TextFiles that it opens.
// Errors: those of text_decoder.h; failed, when a file has another size than it had.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/plan.h>

#include "formats/text_decoder.h"
#include "formats/text_file.h"

namespace tranche {

struct CodedFile {
  std::filesystem::path path;
  std::string name;         // for messages
  std::uint64_t bytes = 0;  // that it must have
  TextCoding coding;
  // Its bytes, where it is no file here; many may read them at once.
  std::shared_ptr<const DistantText> remote = {};
};

class DecodedTexts {
 public:
  enum class Reader { ahead, behind };
  // Of text between two checkpoints, where the file allows for one.
  static constexpr std::uint64_t checkpoint_bytes_default = std::uint64_t{8} << 20;

  // Plain files may be among them; they are never opened here.
  explicit DecodedTexts(std::vector<CodedFile> files,
                        std::uint64_t checkpoint_bytes = checkpoint_bytes_default);
  DecodedTexts(const DecodedTexts&) = delete;
  DecodedTexts& operator=(const DecodedTexts&) = delete;
  ~DecodedTexts();

  TextFile open(std::size_t file, Reader reader) const;

  // How much text each lane keeps.
  void keep(std::uint64_t bytes_a_lane);
  // What the decoders of both lanes take, without the text that is kept. Reads the files' heads.
  Result<std::uint64_t> decoder_bytes() const;

  // What earlier readers noted. From here on what is noted is collected for take_checkpoints(),
  // which gives what is new since its last call.
  void use_checkpoints(std::vector<Checkpoint> checkpoints);
  std::vector<Checkpoint> take_checkpoints();

  // How much text must be decoded before `offset` of a file can be read.
  std::uint64_t bytes_before(std::size_t file, std::uint64_t offset) const;
  // About how many bytes of the file the text up to `offset` took. REQUIRES that it was just read
  // ahead.
  std::uint64_t file_offset(std::size_t file, std::uint64_t offset) const;

 private:
  struct Block;
  struct Way;
  struct Lane;
  struct Known;  // of a file
  using BlockPtr = std::shared_ptr<const Block>;
  class View;

  Result<std::size_t> read_at(std::size_t file, Reader reader, char* buffer, std::size_t bytes,
                              std::uint64_t offset) const;
  BlockPtr find(std::size_t file, std::uint64_t offset) const;
  Result<BlockPtr> decode_to(Lane& lane, std::size_t file, std::uint64_t offset) const;
  Result<void> position(Lane& lane, std::size_t file, std::uint64_t offset) const;
  Result<void> begin_way(Way& way, std::size_t number) const;
  Result<BlockPtr> decode_block(Lane& lane) const;
  void keep_block(Lane& lane, const BlockPtr& block, std::uint64_t wanted_offset) const;
  std::optional<Checkpoint> checkpoint_before(std::size_t file, std::uint64_t offset) const;
  std::uint64_t next_checkpoint(const Lane& lane) const;
  void note_checkpoint(Lane& lane) const;
  bool insert_checkpoint(Checkpoint checkpoint) const;  // false: it was there

  const std::vector<CodedFile> files_;
  const std::uint64_t checkpoint_bytes_;
  mutable std::mutex decoding_;  // held while text is decoded; taken before mutex_
  mutable std::mutex mutex_;     // guards what the lanes keep, and what is known of the files
  mutable std::vector<Known> known_;
  mutable std::vector<Checkpoint> fresh_;
  bool collects_ = false;
  std::uint64_t lane_bytes_max_;
  const std::unique_ptr<Lane> ahead_;
  const std::unique_ptr<Lane> behind_;
};

}  // namespace tranche
