#include "formats/text_compressor.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace tranche {
namespace {

// Text is handed over in pieces of this size, so that nothing depends on how it came.
constexpr std::size_t piece_bytes = std::size_t{128} << 10;
constexpr int gzip_level_usual = 6;
constexpr int zstd_level_usual = 3;
constexpr int zstd_level_max = 19;  // those beyond take hundreds of megabytes a worker

Error too_little_memory(std::string_view library) {
  return make_error(ErrorKind::failed,
                    fmt::format("{} has too little memory to compress the output.", library));
}

// Collects text into pieces; a format packs them.
class PieceCompressor : public TextCompressor {
 public:
  Result<void> add(std::string_view text) final {
    while (!text.empty()) {
      const std::size_t count = std::min(text.size(), piece_bytes - filled_);
      std::memcpy(piece_.data() + filled_, text.data(), count);
      text.remove_prefix(count);
      filled_ += count;
      if (filled_ == piece_bytes) TRANCHE_TRY(flush(false));
    }
    return {};
  }

  Result<std::string> finish() final {
    TRANCHE_TRY(flush(true));
    return std::string(out_.data(), std::exchange(length_, 0));
  }

 protected:
  // Packs the piece with pack_some until all of it is taken, and at the end all is written.
  Result<void> flush(bool is_last) {
    std::string_view piece(piece_.data(), filled_);
    filled_ = 0;
    while (true) {
      if (out_.size() - length_ < piece_bytes / 2) out_.resize(length_ + 2 * piece_bytes);
      TRANCHE_ASSIGN(const bool done, pack_some(piece, is_last));
      if (done) return {};
    }
  }

  // Takes from the piece and writes behind length_; true when nothing is left to take or to write.
  virtual Result<bool> pack_some(std::string_view& piece, bool is_last) = 0;

  std::string out_;  // its size is the room there is; kept
  std::size_t length_ = 0;

 private:
  std::string piece_ = std::string(piece_bytes, '\0');
  std::size_t filled_ = 0;
};

class GzipCompressor final : public PieceCompressor {
 public:
  ~GzipCompressor() override {
    if (made_) deflateEnd(&stream_);
  }

  Result<void> make(int level) {
    constexpr int gzip_format = 16;  // with a header that has neither time nor name
    constexpr int memory_level = 8;
    if (deflateInit2(&stream_, level, Z_DEFLATED, MAX_WBITS + gzip_format, memory_level,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
      return too_little_memory("zlib");
    }
    made_ = true;
    return {};
  }

 private:
  Result<bool> pack_some(std::string_view& piece, bool is_last) override {
    // zlib takes no const, and changes nothing.
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(piece.data()));
    stream_.avail_in = static_cast<uInt>(piece.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out_.data() + length_);
    stream_.avail_out = static_cast<uInt>(out_.size() - length_);
    const int found = deflate(&stream_, is_last ? Z_FINISH : Z_NO_FLUSH);
    piece.remove_prefix(piece.size() - stream_.avail_in);
    length_ = out_.size() - stream_.avail_out;
    if (found == Z_STREAM_END) {
      deflateReset(&stream_);
      return true;
    }
    if (found != Z_OK && found != Z_BUF_ERROR) return too_little_memory("zlib");
    return !is_last && piece.empty() && stream_.avail_out > 0;
  }

  z_stream stream_{};
  bool made_ = false;
};

class ZstdCompressor final : public PieceCompressor {
 public:
  ZstdCompressor() : context_(ZSTD_createCCtx()) {}
  ~ZstdCompressor() override { ZSTD_freeCCtx(context_); }

  Result<void> make(int level) {
    if (context_ == nullptr ||
        ZSTD_isError(ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level)) != 0 ||
        ZSTD_isError(ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 1)) != 0) {
      return too_little_memory("zstd");
    }
    return {};
  }

  std::size_t bytes() const { return ZSTD_sizeof_CCtx(context_); }

 private:
  Result<bool> pack_some(std::string_view& piece, bool is_last) override {
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    ZSTD_outBuffer out{out_.data(), out_.size(), length_};
    const std::size_t left =
        ZSTD_compressStream2(context_, &out, &in, is_last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left) != 0) return too_little_memory("zstd");
    piece.remove_prefix(in.pos);
    length_ = out.pos;
    return is_last ? left == 0 : piece.empty();
  }

  ZSTD_CCtx* const context_;
};

int level_of(const TextPacking& packing) {
  if (packing.level > 0) return packing.level;
  return packing.compression == Compression::gzip ? gzip_level_usual : zstd_level_usual;
}

}  // namespace

Result<int> check_compression_level(Compression compression, std::uint64_t level) {
  const bool is_gzip = compression == Compression::gzip;
  const int level_max = is_gzip ? Z_BEST_COMPRESSION : zstd_level_max;
  if (level > 0 && level <= static_cast<std::uint64_t>(level_max)) return static_cast<int>(level);
  return make_error(ErrorKind::config, fmt::format("`compression_level` of {} is 1 to {}, not {}.",
                                                   is_gzip ? "gzip" : "zstd", level_max, level));
}

Result<std::unique_ptr<TextCompressor>> make_text_compressor(const TextPacking& packing) {
  if (packing.compression == Compression::gzip) {
    auto made = std::make_unique<GzipCompressor>();
    TRANCHE_TRY(made->make(level_of(packing)));
    return std::unique_ptr<TextCompressor>(std::move(made));
  }
  auto made = std::make_unique<ZstdCompressor>();
  TRANCHE_TRY(made->make(level_of(packing)));
  return std::unique_ptr<TextCompressor>(std::move(made));
}

std::uint64_t compressor_bytes(const TextPacking& packing) {
  constexpr std::uint64_t buffers = 4 * piece_bytes;
  if (packing.compression == Compression::none) return 0;
  if (packing.compression == Compression::gzip) return buffers + (std::uint64_t{256} << 10);
  // zstd knows when it has begun.
  ZstdCompressor begun;
  std::string text(piece_bytes + 1, ' ');
  if (!begun.make(level_of(packing)) || !begun.add(text)) return buffers;
  return buffers + begun.bytes();
}

}  // namespace tranche
