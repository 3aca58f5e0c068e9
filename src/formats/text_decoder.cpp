#include "formats/text_decoder.h"

#include <utility>

namespace tranche {
namespace {

// The bytes of a file as they are, for an encoding on top of them.
class PlainDecoder final : public TextDecoder {
 public:
  explicit PlainDecoder(const TextFile& file) : file_(file) {}

  Result<std::size_t> read(char* buffer, std::size_t bytes, bool) override {
    TRANCHE_ASSIGN(const std::size_t count, file_.read_at(buffer, bytes, offset_));
    offset_ += count;
    return count;
  }
  std::uint64_t offset() const override { return offset_; }
  std::uint64_t file_offset() const override { return offset_; }
  std::optional<std::string> state() const override { return std::string(); }
  Result<void> restore(std::uint64_t offset, std::uint64_t, std::string_view) override {
    offset_ = offset;
    return {};
  }

 private:
  const TextFile& file_;
  std::uint64_t offset_ = 0;
};

}  // namespace

Compression compression_of(std::string_view file_name) {
  if (file_name.ends_with(".gz")) return Compression::gzip;
  return file_name.ends_with(".zst") ? Compression::zstd : Compression::none;
}

Result<std::unique_ptr<TextDecoder>> make_text_decoder(const TextFile& file,
                                                       const std::string& name,
                                                       const TextCoding& coding,
                                                       std::uint64_t window_bytes_max) {
  std::unique_ptr<TextDecoder> decoder;
  switch (coding.compression) {
    case Compression::none:
      decoder = std::make_unique<PlainDecoder>(file);
      break;
    case Compression::gzip: {
      TRANCHE_ASSIGN(decoder, make_gzip_decoder(file, name));
      break;
    }
    case Compression::zstd: {
      TRANCHE_ASSIGN(decoder, make_zstd_decoder(file, name, window_bytes_max));
      break;
    }
  }
  if (coding.encoding == Encoding::utf8) return decoder;
  return make_encoding_decoder(std::move(decoder), name, coding.encoding);
}

}  // namespace tranche
