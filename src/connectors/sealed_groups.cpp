#include "connectors/sealed_groups.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/digest.h"
#include "formats/text_decoder.h"

namespace tranche {
namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20;
// More than any level of ours asks for.
constexpr std::uint64_t window_bytes_max = std::uint64_t{1} << 27;

// The bytes of one group, as a text of their own.
class PartOfFile final : public DistantText {
 public:
  PartOfFile(const File& file, std::uint64_t begin, std::uint64_t bytes)
      : file_(file), begin_(begin), bytes_(bytes) {}
  Result<std::size_t> read_at(char* buffer, std::size_t bytes,
                              std::uint64_t offset) const override {
    const std::uint64_t left = bytes_ - std::min(offset, bytes_);
    return file_.read_at(buffer, static_cast<std::size_t>(std::min<std::uint64_t>(bytes, left)),
                         begin_ + offset);
  }

 private:
  const File& file_;
  std::uint64_t begin_;
  std::uint64_t bytes_;
};

// Segments, one behind the other; the one that is read last is in memory.
class TextOfSegments final : public DistantText {
 public:
  explicit TextOfSegments(std::span<const Segment> segments) : segments_(segments) {}
  Result<std::size_t> read_at(char* buffer, std::size_t bytes,
                              std::uint64_t offset) const override {
    std::uint64_t begin = 0;
    for (const Segment& segment : segments_) {
      if (offset < begin + segment.bytes) {
        if (loaded_of_ != &segment) {
          TRANCHE_ASSIGN(loaded_, segment.load());
          loaded_of_ = &segment;
        }
        const std::size_t at = static_cast<std::size_t>(offset - begin);
        return loaded_->copy(buffer, bytes, at);
      }
      begin += segment.bytes;
    }
    return std::size_t{0};
  }

 private:
  std::span<const Segment> segments_;
  mutable const Segment* loaded_of_ = nullptr;
  mutable std::shared_ptr<const std::string> loaded_;
};

// The lines of a decoder's text, the last one with or without its end.
class Lines {
 public:
  explicit Lines(TextDecoder& decoder) : decoder_(decoder) {}

  // False behind the last one.
  Result<bool> next() {
    line_.clear();
    while (true) {
      const std::size_t end = piece_.find('\n', at_);
      if (end != std::string::npos) {
        line_.append(piece_, at_, end + 1 - at_);
        at_ = end + 1;
        return true;
      }
      line_.append(piece_, at_);
      piece_.resize(piece_bytes);
      TRANCHE_ASSIGN(const std::size_t count, decoder_.read(piece_.data(), piece_.size(), false));
      piece_.resize(count);
      at_ = 0;
      if (count == 0) return !line_.empty();
    }
  }
  const std::string& line() const { return line_; }

 private:
  TextDecoder& decoder_;
  std::string piece_;
  std::size_t at_ = 0;
  std::string line_;
};

}  // namespace

SealedGroups::SealedGroups(File file, std::string name, EarlierOutput earlier,
                           Compression compression)
    : file_(std::move(file)),
      name_(std::move(name)),
      earlier_(std::move(earlier)),
      compression_(compression) {}

Result<SealedGroups> SealedGroups::open(const std::filesystem::path& path, std::string name,
                                        EarlierOutput earlier, Compression compression) {
  TRANCHE_ASSIGN(auto file, File::open_read(path));
  return SealedGroups(std::move(file), std::move(name), std::move(earlier), compression);
}

Result<Receipt> SealedGroups::receipt_of(std::uint64_t group) const {
  if (group < earlier_.committed.size()) return earlier_.committed[group];
  return make_error(ErrorKind::bug, fmt::format("The earlier run has written no group {}.", group));
}

Result<Receipt> SealedGroups::copy(std::uint64_t group, const TakeBytes& take) const {
  TRANCHE_ASSIGN(const Receipt receipt, receipt_of(group));
  Digest digest;
  std::string piece;
  for (std::uint64_t done = 0; done < receipt.bytes; done += piece.size()) {
    piece.resize(
        static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, receipt.bytes - done)));
    TRANCHE_ASSIGN(const std::size_t count, file_.read_at(piece.data(), piece.size(),
                                                          receipt.position - receipt.bytes + done));
    if (count == 0) break;
    piece.resize(count);
    digest.update(piece);
    TRANCHE_TRY(take(piece));
  }
  if (digest.value() == receipt.checksum) return receipt;
  return make_error(ErrorKind::failed,
                    fmt::format("{} was changed from outside: bytes {} to {} are not what was "
                                "written there. Run the whole job again.",
                                name_, receipt.position - receipt.bytes, receipt.position));
}

Result<void> SealedGroups::check_kept(std::uint64_t group,
                                      std::span<const Segment> segments) const {
  if (earlier_.may_change) return {};
  TRANCHE_ASSIGN(const Receipt receipt, receipt_of(group));
  const TextFile wanted(
      std::make_shared<PartOfFile>(file_, receipt.position - receipt.bytes, receipt.bytes));
  const TextFile text(std::make_shared<TextOfSegments>(segments));
  TRANCHE_ASSIGN(const bool holds, holds_lines(wanted, text));
  if (holds) return {};
  return make_error(
      ErrorKind::failed,
      fmt::format("Batch {} does not come out as it is in {}, besides the records that were "
                  "rejected: the job, or what it asks, answers otherwise by now. With --accept job "
                  "the batch takes its place as it comes out now; without --in-place only what was "
                  "rejected is added, at the end.",
                  group, name_));
}

Result<bool> SealedGroups::holds_lines(const TextFile& wanted, const TextFile& text) const {
  const TextCoding coding{.compression = compression_};
  TRANCHE_ASSIGN(const auto wanted_bytes,
                 make_text_decoder(wanted, name_, coding, window_bytes_max));
  TRANCHE_ASSIGN(const auto text_bytes, make_text_decoder(text, name_, coding, window_bytes_max));
  Lines wanted_lines(*wanted_bytes);
  Lines lines(*text_bytes);
  while (true) {
    TRANCHE_ASSIGN(const bool is_wanted, wanted_lines.next());
    if (!is_wanted) return true;
    do {
      TRANCHE_ASSIGN(const bool is_there, lines.next());
      if (!is_there) return false;
    } while (lines.line() != wanted_lines.line());
  }
}

}  // namespace tranche
