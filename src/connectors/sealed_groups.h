// What an earlier run has written into one file, group by group, where the file is written anew.
//
// A group of which nothing is processed again is copied. Of one that is processed again, what the
// earlier run wrote must come out again, in its order, beside what it rejected: the lines that it
// has are looked for among the new ones.
//
// Threads: one. Lifetime: of a committer. Errors: failed, where the file, or what comes out, is not
// as it was.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <tranche/core/sink.h>

#include "base/file.h"
#include "formats/text_compressor.h"
#include "formats/text_file.h"

namespace tranche {

class SealedGroups {
 public:
  // `path`: of the file as the earlier run sealed it; `name`: for messages.
  static Result<SealedGroups> open(const std::filesystem::path& path, std::string name,
                                   EarlierOutput earlier, Compression compression);

  // Hands over the bytes of a group, piece by piece; its receipt.
  using TakeBytes = std::function<Result<void>(std::string_view)>;
  Result<Receipt> copy(std::uint64_t group, const TakeBytes& take) const;
  // That `segments` hold all lines of the group, unless they may be others.
  Result<void> check_kept(std::uint64_t group, std::span<const Segment> segments) const;

 private:
  SealedGroups(File file, std::string name, EarlierOutput earlier, Compression compression);
  Result<Receipt> receipt_of(std::uint64_t group) const;
  Result<bool> holds_lines(const TextFile& wanted, const TextFile& text) const;

  File file_;
  std::string name_;
  EarlierOutput earlier_;
  Compression compression_;
};

}  // namespace tranche
