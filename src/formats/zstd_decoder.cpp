// zstd (RFC 8878): frames one behind the other, among them frames to skip. Decoding can begin where
// a frame does.
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "base/text.h"
#include "formats/text_decoder.h"

namespace tranche {
namespace {

constexpr std::size_t input_bytes = std::size_t{128} << 10;
constexpr int window_log_least = 10;
constexpr int window_log_most = 31;

class ZstdDecoder final : public TextDecoder {
 public:
  ZstdDecoder(const TextFile& file, std::string name, std::uint64_t window_bytes_max)
      : file_(file),
        name_(std::move(name)),
        window_bytes_max_(window_bytes_max),
        context_(ZSTD_createDCtx()),
        buffer_(input_bytes, '\0') {}
  ZstdDecoder(const ZstdDecoder&) = delete;
  ZstdDecoder& operator=(const ZstdDecoder&) = delete;
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }

  Result<void> make() {
    const int log = std::clamp(static_cast<int>(std::bit_width(window_bytes_max_)) - 1,
                               window_log_least, window_log_most);
    if (context_ == nullptr ||
        ZSTD_isError(ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, log)) != 0) {
      return make_error(ErrorKind::failed, "zstd can't be set up: there is too little memory.");
    }
    return {};
  }

  Result<std::size_t> read(char* buffer, std::size_t bytes, bool to_checkpoint) override {
    ZSTD_outBuffer out{buffer, bytes, 0};
    while (out.pos < bytes) {
      if (!in_frame_ && to_checkpoint && out.pos > 0) break;
      if (input_.pos == input_.size) TRANCHE_TRY(refill());
      const bool at_end = input_.size == 0;
      if (at_end && !in_frame_) break;
      if (!in_frame_) frame_begin_ = file_offset();
      const std::size_t before = out.pos;
      const std::size_t found = ZSTD_decompressStream(context_, &out, &input_);
      offset_ += out.pos - before;
      if (ZSTD_isError(found) != 0) return broken(found);
      in_frame_ = found != 0;
      if (at_end && in_frame_ && out.pos == before) return broken_off();
    }
    return out.pos;
  }

  std::uint64_t offset() const override { return offset_; }
  std::uint64_t file_offset() const override { return input_end_ - (input_.size - input_.pos); }
  std::optional<std::string> state() const override {
    return in_frame_ ? std::nullopt : std::optional<std::string>(std::string());
  }
  Result<void> restore(std::uint64_t offset, std::uint64_t file_offset,
                       std::string_view) override {
    ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
    input_ = {};
    input_end_ = file_offset;
    offset_ = offset;
    in_frame_ = false;
    return {};
  }

 private:
  Result<void> refill() {
    TRANCHE_ASSIGN(const std::size_t count,
                   file_.read_at(buffer_.data(), buffer_.size(), input_end_));
    input_ = {buffer_.data(), count, 0};
    input_end_ += count;
    return {};
  }

  Error broken_off() const {
    return make_error(ErrorKind::failed,
                      fmt::format("{} is cut off: it ends at byte {} of the file, byte {} of its "
                                  "text, within a zstd frame. Bring the whole file, and run again.",
                                  name_, file_offset(), offset_), name_);
  }

  Error broken(std::size_t found) const {
    const ZSTD_ErrorCode code = ZSTD_getErrorCode(found);
    if (code == ZSTD_error_prefix_unknown && frame_begin_ == 0) {
      return make_error(ErrorKind::config,
                        fmt::format("{} is no zstd file, which its name or `compression:` says it "
                                    "is. If it is not compressed, say `compression: none`.",
                                    name_), name_);
    }
    if (code == ZSTD_error_prefix_unknown) {
      return make_error(ErrorKind::failed,
                        fmt::format("{} is damaged: what follows its last zstd frame from byte {} "
                                    "of the file on, behind byte {} of its text, is no zstd. If it "
                                    "does not belong there, cut it off (head -c {}), and run "
                                    "again.", name_, frame_begin_, offset_, frame_begin_), name_);
    }
    if (code == ZSTD_error_frameParameter_windowTooLarge) {
      return make_error(ErrorKind::failed,
                        fmt::format("The zstd frame at byte {} of {} asks for a larger window than "
                                    "{}, which is what the frames before it and the memory budget "
                                    "allow. Compress the file anew without --long and --ultra.",
                                    frame_begin_, name_, format_size(window_bytes_max_)), name_);
    }
    return make_error(ErrorKind::failed,
                      fmt::format("{} is damaged: zstd says \"{}\" at byte {} of the file, byte {} "
                                  "of its text. Bring the file as it was made, and run again.",
                                  name_, ZSTD_getErrorName(found), file_offset(), offset_), name_);
  }

  const TextFile& file_;
  const std::string name_;
  const std::uint64_t window_bytes_max_;
  ZSTD_DCtx* const context_;
  std::string buffer_;
  ZSTD_inBuffer input_{};
  std::uint64_t input_end_ = 0;    // the offset in the file behind what is in the buffer
  std::uint64_t frame_begin_ = 0;  // of the frame in work
  bool in_frame_ = false;
  std::uint64_t offset_ = 0;
};

std::uint32_t little_u32(const char* bytes) {
  std::uint32_t value = 0;
  for (std::uint32_t i = 0; i < 4; ++i) {
    value |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return value;
}

}  // namespace

Result<std::unique_ptr<TextDecoder>> make_zstd_decoder(const TextFile& file,
                                                       const std::string& name,
                                                       std::uint64_t window_bytes_max) {
  auto decoder = std::make_unique<ZstdDecoder>(file, name, window_bytes_max);
  TRANCHE_TRY(decoder->make());
  return std::unique_ptr<TextDecoder>(std::move(decoder));
}

// The header of a frame: magic number, descriptor, window (unless the frame is one segment, whose
// window is its content), dictionary, content size.
Result<std::uint64_t> find_zstd_window(const TextFile& file) {
  constexpr std::uint32_t frame_magic = 0xFD2FB528;
  constexpr std::uint32_t skippable_magic = 0x184D2A50;  // its last four bits are free
  std::uint64_t at = 0;
  while (true) {
    char header[18] = {};
    TRANCHE_ASSIGN(const std::size_t count, file.read_at(header, sizeof header, at));
    if (count >= 8 && (little_u32(header) & 0xFFFFFFF0U) == skippable_magic) {
      at += 8 + std::uint64_t{little_u32(header + 4)};
      continue;
    }
    if (count < 6 || little_u32(header) != frame_magic) return std::uint64_t{0};
    const auto byte = [&](std::size_t i) {
      return std::uint64_t{static_cast<unsigned char>(header[i])};
    };
    const std::uint64_t descriptor = byte(4);
    if ((descriptor & 0x20U) == 0) {
      const std::uint64_t base = std::uint64_t{1} << (10 + (byte(5) >> 3U));
      return base + base / 8 * (byte(5) & 7U);
    }
    constexpr std::size_t dictionary_bytes[] = {0, 1, 2, 4};
    constexpr std::size_t content_bytes[] = {1, 2, 4, 8};
    const std::size_t begin = 5 + dictionary_bytes[descriptor & 3U];
    const std::size_t size = content_bytes[descriptor >> 6U];
    std::uint64_t content = size == 2 ? 256 : 0;
    for (std::size_t i = 0; i < size; ++i) content += byte(begin + i) << (8 * i);
    return content;
  }
}

}  // namespace tranche
