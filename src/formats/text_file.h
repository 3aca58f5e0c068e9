// The text of a file as UTF-8 bytes, at any offset: a plain file's own bytes, straight from the
// operating system; those of a remote one; of a compressed file, or one in another encoding, what
// they decode to. Decoders read the file itself by the same means, as bytes.
//
// Threads: read_at may be called by many threads at once. Lifetime: owns or shares what it reads
// from.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "base/file.h"

namespace tranche {

// Bytes that are in no plain file here: text that is decoded first, objects of a server.
class DistantText {
 public:
  virtual ~DistantText() = default;
  virtual Result<std::size_t> read_at(char* buffer, std::size_t bytes,
                                      std::uint64_t offset) const = 0;
  // It was UTF-16: what is no UTF-8 in it was no UTF-16.
  virtual bool was_utf16() const { return false; }
};

class TextFile {
 public:
  // An end that is not known before it is reached: of text that is decoded.
  static constexpr std::uint64_t unknown_end = UINT64_MAX;

  TextFile() = default;
  TextFile(File file) : file_(std::move(file)) {}  // NOLINT: a plain file is a text
  explicit TextFile(std::shared_ptr<const DistantText> distant) : distant_(std::move(distant)) {}

  // Reads up to `bytes` at `offset` into `buffer`; returns the count, less only at the text's end.
  Result<std::size_t> read_at(char* buffer, std::size_t bytes, std::uint64_t offset) const {
    return distant_ ? distant_->read_at(buffer, bytes, offset)
                    : file_.read_at(buffer, bytes, offset);
  }
  bool was_utf16() const { return distant_ && distant_->was_utf16(); }

 private:
  File file_;
  std::shared_ptr<const DistantText> distant_;
};

}  // namespace tranche
