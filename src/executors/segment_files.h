// Segments whose bytes are in files without a name: spilled to a disk, or in shared memory on their
// way to another process.
//
// Threads: an AnonymousFile is written by one thread; what was written may be read by many.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <tranche/core/segment.h>

#include "base/file.h"

namespace tranche {

class AnonymousFile final : public SegmentFile {
 public:
  static Result<std::shared_ptr<AnonymousFile>> create_on_disk(const std::string& folder);
  static Result<std::shared_ptr<AnonymousFile>> create_in_memory();
  // One that another process wrote. Errors: crash, when shared memory is not sealed, so that its
  // writer could still change it.
  static Result<std::shared_ptr<AnonymousFile>> adopt(int descriptor, bool is_in_memory);

  Result<std::string> read(std::uint64_t offset, std::uint64_t bytes) const override;
  bool is_in_memory() const override { return is_in_memory_; }
  int descriptor() const override { return file_.descriptor(); }
  Result<std::uint64_t> size() const { return file_.size(); }
  // Nobody can write to it from here on.
  Result<void> seal() { return file_.seal(); }

 private:
  friend Result<void> move_to_file(const std::shared_ptr<AnonymousFile>& file,
                                   std::vector<Segment>& segments);
  AnonymousFile(File file, bool is_in_memory)
      : file_(std::move(file)), is_in_memory_(is_in_memory) {}

  File file_;
  std::uint64_t bytes_ = 0;
  bool is_in_memory_;
};

// Moves the bytes that the segments hold to the end of the file.
Result<void> move_to_file(const std::shared_ptr<AnonymousFile>& file,
                          std::vector<Segment>& segments);

}  // namespace tranche
