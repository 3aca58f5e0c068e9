// gzip (RFC 1952), with restarts inside a member: raw deflate with header, checksum and length in
// our hands, since zlib can't check a member whose beginning it has not seen.
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "formats/text_decoder.h"

namespace tranche {
namespace {

constexpr std::size_t input_bytes = std::size_t{128} << 10;
constexpr std::size_t window_bytes = std::size_t{32} << 10;

constexpr char at_member = 'm';   // the state at the beginning of a member
constexpr char inside_member = 'b';  // at a block: bits, checksum, length, window (packed)

void put_u32(std::string& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift);
}

std::uint32_t get_u32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return value;
}

class GzipDecoder final : public TextDecoder {
 public:
  GzipDecoder(const TextFile& file, std::string name)
      : file_(file), name_(std::move(name)), input_(input_bytes, '\0') {}
  GzipDecoder(const GzipDecoder&) = delete;
  GzipDecoder& operator=(const GzipDecoder&) = delete;
  ~GzipDecoder() override {
    if (made_) inflateEnd(&stream_);
  }

  Result<void> make() {
    if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) {
      return make_error(ErrorKind::failed, "zlib can't be set up: there is too little memory.");
    }
    made_ = true;
    return {};
  }

  Result<std::size_t> read(char* buffer, std::size_t bytes, bool to_checkpoint) override {
    std::size_t done = 0;
    at_block_ = false;
    while (done < bytes) {
      if (!in_member_) {
        if (to_checkpoint && done > 0) break;
        TRANCHE_ASSIGN(const bool more, has_input());
        if (!more) break;
        TRANCHE_TRY(read_header());
        continue;
      }
      TRANCHE_ASSIGN(const std::size_t count, inflate_some(buffer + done, bytes - done));
      done += count;
      if (to_checkpoint && done > 0 && at_block_) break;
    }
    return done;
  }

  std::uint64_t offset() const override { return offset_; }
  std::uint64_t file_offset() const override { return input_end_ - stream_.avail_in; }

  std::optional<std::string> state() const override {
    if (!in_member_) return std::string(1, at_member);
    if (!at_block_) return std::nullopt;
    std::string state(1, inside_member);
    state += static_cast<char>(stream_.data_type & 7);
    put_u32(state, static_cast<std::uint32_t>(checksum_));
    put_u32(state, member_bytes_);
    std::array<Bytef, window_bytes> window;
    uInt length = 0;
    if (inflateGetDictionary(&stream_, window.data(), &length) != Z_OK) return std::nullopt;
    const std::size_t begin = state.size();
    state.resize(begin + ZSTD_compressBound(length));
    const std::size_t packed =
        ZSTD_compress(state.data() + begin, state.size() - begin, window.data(), length, 1);
    if (ZSTD_isError(packed) != 0) return std::nullopt;
    state.resize(begin + packed);
    return state;
  }

  Result<void> restore(std::uint64_t offset, std::uint64_t file_offset,
                       std::string_view state) override {
    offset_ = offset;
    input_end_ = file_offset;
    stream_.avail_in = 0;
    at_block_ = false;
    if (state.size() == 1 && state[0] == at_member) {
      in_member_ = false;
      return {};
    }
    if (state.size() < 10 || state[0] != inside_member || inflateReset(&stream_) != Z_OK) {
      return not_as_written();
    }
    const int bits = state[1];
    if (bits > 0) {  // the rest of a byte of which the block before has the other part
      char byte = 0;
      TRANCHE_ASSIGN(const std::size_t count, file_.read_at(&byte, 1, file_offset - 1));
      if (count != 1) return broken_off();
      inflatePrime(&stream_, bits, static_cast<unsigned char>(byte) >> (8 - bits));
    }
    checksum_ = get_u32(state.substr(2));
    member_bytes_ = get_u32(state.substr(6));
    std::array<Bytef, window_bytes> window;
    const std::string_view packed = state.substr(10);
    const std::size_t length =
        ZSTD_decompress(window.data(), window.size(), packed.data(), packed.size());
    if (ZSTD_isError(length) != 0 ||
        inflateSetDictionary(&stream_, window.data(), static_cast<uInt>(length)) != Z_OK) {
      return not_as_written();
    }
    in_member_ = true;
    return {};
  }

 private:
  Error broken(std::string_view what) const {
    return make_error(ErrorKind::failed,
                      fmt::format("{} is damaged: {} at byte {} of the file, byte {} of its text. "
                                  "Bring the file as it was made, and run again.",
                                  name_, what, file_offset(), offset_));
  }
  Error broken_off() const {
    return make_error(ErrorKind::failed,
                      fmt::format("{} is cut off: it ends at byte {} of the file, byte {} of its "
                                  "text, within a gzip member. Bring the whole file, and run "
                                  "again.",
                                  name_, file_offset(), offset_));
  }
  Error not_as_written() const {
    return make_error(ErrorKind::failed,
                      fmt::format("The checkpoint at byte {} of the text of {} is not as it was "
                                  "written; the ledger is damaged.", offset_, name_));
  }

  // Whether there is input, read from the file if need be.
  Result<bool> has_input() {
    if (stream_.avail_in > 0) return true;
    TRANCHE_ASSIGN(const std::size_t count,
                   file_.read_at(input_.data(), input_.size(), input_end_));
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
    stream_.avail_in = static_cast<uInt>(count);
    input_end_ += count;
    return count > 0;
  }

  Result<unsigned> next_byte() {
    TRANCHE_ASSIGN(const bool more, has_input());
    if (!more) return broken_off();
    --stream_.avail_in;
    return unsigned{*stream_.next_in++};
  }

  Result<unsigned> next_header_byte() {
    TRANCHE_ASSIGN(const unsigned byte, next_byte());
    const auto one = static_cast<Bytef>(byte);
    checksum_ = crc32(checksum_, &one, 1);
    return byte;
  }

  Result<void> skip_header_text() {
    while (true) {
      TRANCHE_ASSIGN(const unsigned byte, next_header_byte());
      if (byte == 0) return {};
    }
  }

  Result<void> read_header() {
    const std::uint64_t begin = file_offset();
    checksum_ = crc32(0, nullptr, 0);
    for (const unsigned expected : {0x1fU, 0x8bU}) {
      TRANCHE_ASSIGN(const unsigned byte, next_header_byte());
      if (byte != expected) return no_member(begin);
    }
    std::array<unsigned, 8> fixed{};  // method, flags, time, extra flags, system
    for (unsigned& byte : fixed) {
      TRANCHE_ASSIGN(byte, next_header_byte());
    }
    const unsigned flags = fixed[1];
    if (fixed[0] != Z_DEFLATED || (flags & 0xE0U) != 0) return broken("no known kind of gzip");
    if ((flags & 4U) != 0) {
      TRANCHE_ASSIGN(const unsigned low, next_header_byte());
      TRANCHE_ASSIGN(const unsigned high, next_header_byte());
      for (unsigned left = low | (high << 8U); left > 0; --left) TRANCHE_TRY(next_header_byte());
    }
    if ((flags & 8U) != 0) TRANCHE_TRY(skip_header_text());   // the name of the file
    if ((flags & 16U) != 0) TRANCHE_TRY(skip_header_text());  // a comment
    if ((flags & 2U) != 0) {
      const auto expected = static_cast<unsigned>(checksum_ & 0xFFFFU);
      TRANCHE_ASSIGN(const unsigned low, next_byte());
      TRANCHE_ASSIGN(const unsigned high, next_byte());
      if ((low | (high << 8U)) != expected) return broken("a header whose checksum is wrong");
    }
    if (inflateReset(&stream_) != Z_OK) return broken("a stream that can't be begun");
    checksum_ = crc32(0, nullptr, 0);
    member_bytes_ = 0;
    in_member_ = true;
    return {};
  }

  Error no_member(std::uint64_t begin) const {
    if (begin == 0) {
      return make_error(ErrorKind::config,
                        fmt::format("{} is no gzip file, which its name or `compression:` says it "
                                    "is. If it is not compressed, say `compression: none`.",
                                    name_), name_);
    }
    return make_error(ErrorKind::failed,
                      fmt::format("{} is damaged: what follows its last gzip member from byte {} "
                                  "of the file on, behind byte {} of its text, is no gzip. If it "
                                  "does not belong there, cut it off (head -c {}), and run again.",
                                  name_, begin, offset_, begin), name_);
  }

  // One step of inflate; sets at_block_ where decoding can begin.
  Result<std::size_t> inflate_some(char* buffer, std::size_t bytes) {
    TRANCHE_ASSIGN(const bool more, has_input());
    constexpr std::size_t step_bytes_max = std::size_t{1} << 30;
    const auto wanted = static_cast<uInt>(std::min(bytes, step_bytes_max));
    stream_.next_out = reinterpret_cast<Bytef*>(buffer);
    stream_.avail_out = wanted;
    const uInt input_before = stream_.avail_in;
    const int found = inflate(&stream_, Z_BLOCK);
    const std::size_t count = wanted - stream_.avail_out;
    checksum_ = crc32(checksum_, reinterpret_cast<const Bytef*>(buffer),
                      static_cast<uInt>(count));
    member_bytes_ += static_cast<std::uint32_t>(count);
    offset_ += count;
    if (found == Z_STREAM_END) {
      TRANCHE_TRY(read_trailer());
      return count;
    }
    if (found == Z_MEM_ERROR) {
      return make_error(ErrorKind::failed, "zlib has too little memory to go on.");
    }
    if (found != Z_OK && found != Z_BUF_ERROR) {
      return broken(stream_.msg != nullptr ? stream_.msg : "no deflated data");
    }
    at_block_ = (stream_.data_type & 128) != 0 && (stream_.data_type & 64) == 0;
    const bool stands = count == 0 && stream_.avail_in == input_before;
    if (stands && !more) return broken_off();
    if (stands && !at_block_) return broken("data that lead nowhere");
    return count;
  }

  Result<void> read_trailer() {
    std::string trailer;
    for (int i = 0; i < 8; ++i) {
      TRANCHE_ASSIGN(const unsigned byte, next_byte());
      trailer += static_cast<char>(byte);
    }
    if (get_u32(trailer) != static_cast<std::uint32_t>(checksum_)) {
      return broken("a member whose checksum is wrong ends");
    }
    if (get_u32(std::string_view(trailer).substr(4)) != member_bytes_) {
      return broken("a member whose length is wrong ends");
    }
    in_member_ = false;
    at_block_ = false;
    return {};
  }

  const TextFile& file_;
  const std::string name_;
  std::string input_;
  std::uint64_t input_end_ = 0;  // the offset in the file behind what is in input_
  mutable z_stream stream_{};    // zlib's getters take no const
  bool made_ = false;
  bool in_member_ = false;
  bool at_block_ = false;        // decoding can begin behind what was read
  uLong checksum_ = 0;           // of the header, then of the text of the member
  std::uint32_t member_bytes_ = 0;  // of its text, modulo 2^32 as in the trailer
  std::uint64_t offset_ = 0;
};

}  // namespace

Result<std::unique_ptr<TextDecoder>> make_gzip_decoder(const TextFile& file,
                                                       const std::string& name) {
  auto decoder = std::make_unique<GzipDecoder>(file, name);
  TRANCHE_TRY(decoder->make());
  return std::unique_ptr<TextDecoder>(std::move(decoder));
}

}  // namespace tranche
