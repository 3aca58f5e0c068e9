// A Segment: the encoded output of a chunk, or of a group after its segments were merged.
//
// Threads: built by one worker, then read by one other thread at a time.
// Lifetime: a cheap copy: its bytes, or the file that holds them, are shared and freed with the
// last.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <tranche/base/result.h>

namespace tranche {

// A file without a name that holds the bytes of segments, spilled or on their way to another
// process; it vanishes with its last owner.
class SegmentFile {
 public:
  virtual ~SegmentFile() = default;
  virtual Result<std::string> read(std::uint64_t offset, std::uint64_t bytes) const = 0;
  virtual bool is_in_memory() const { return false; }  // shared memory: it counts as such
  virtual int descriptor() const { return -1; }        // to hand it on to another process
};

struct Segment {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;     // encoded length
  std::uint64_t checksum = 0;  // digest64 of the encoded bytes
  std::string label;           // what the sink wants to know again (a part's temporary name)
  std::shared_ptr<const std::string> data;  // the bytes, when they are in memory
  std::shared_ptr<const SegmentFile> file;  // else where they are
  std::uint64_t file_offset = 0;
  std::string final_name;  // of a part file: after the seal, without the commit sequence

  // A segment of `bytes` in memory, with its length and checksum.
  static Segment make(std::string bytes, std::uint64_t rows);
  std::uint64_t memory_bytes() const {
    return data ? data->capacity() : file && file->is_in_memory() ? bytes : 0;
  }
  // The encoded bytes, read back when they are in a file. Errors: failed, when checksum or length
  // differ from what was encoded.
  Result<std::shared_ptr<const std::string>> load() const;
};

}  // namespace tranche
