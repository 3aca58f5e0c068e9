// latin-1 and UTF-16 to UTF-8, on top of the bytes that another decoder gives.
//
// What is no UTF-16 becomes bytes that are no UTF-8, so that the record it stands in is rejected
// and no other: an unpaired surrogate its three bytes (ED A0 80 and on), a single byte at the end
// of the file the byte FF.
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "formats/text_decoder.h"

namespace tranche {
namespace {

constexpr std::size_t piece_bytes = std::size_t{64} << 10;
constexpr std::size_t pending_bytes_max = 4;  // half a unit, or a high surrogate and half a unit

// At most two bytes for one of latin-1, three for the two of a unit, one for a byte at the end.
constexpr std::size_t text_bytes_max = 2 * (piece_bytes + pending_bytes_max);

char* put_character(char* out, std::uint32_t c) {
  const auto put = [&out](std::uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
  return out;
}

char* put_latin1(const char* begin, const char* end, char* out) {
  while (begin != end) {
    std::uint64_t eight = 0;
    if (end - begin >= 8) {
      std::memcpy(&eight, begin, 8);
      if ((eight & 0x8080808080808080ULL) == 0) {
        std::memcpy(out, &eight, 8);
        begin += 8;
        out += 8;
        continue;
      }
    }
    out = put_character(out, static_cast<unsigned char>(*begin++));
  }
  return out;
}

class EncodingDecoder final : public TextDecoder {
 public:
  EncodingDecoder(std::unique_ptr<TextDecoder> bytes, std::string name, Encoding encoding)
      : bytes_(std::move(bytes)),
        name_(std::move(name)),
        encoding_(encoding),
        big_(encoding == Encoding::utf16be),
        piece_(pending_bytes_max + piece_bytes, '\0'),
        text_(text_bytes_max, '\0') {}

  Result<std::size_t> read(char* buffer, std::size_t bytes, bool to_checkpoint) override {
    std::size_t done = 0;
    while (done < bytes) {
      if (text_at_ == text_end_) {
        if (to_checkpoint && done > 0 && inner_state_) break;
        TRANCHE_TRY(decode_piece(to_checkpoint));
        if (text_at_ == text_end_ && at_end_) break;
        continue;
      }
      const std::size_t count = std::min(bytes - done, text_end_ - text_at_);
      std::memcpy(buffer + done, text_.data() + text_at_, count);
      text_at_ += count;
      done += count;
    }
    offset_ += done;
    return done;
  }

  std::uint64_t offset() const override { return offset_; }
  std::uint64_t file_offset() const override { return bytes_->file_offset(); }

  std::optional<std::string> state() const override {
    if (text_at_ != text_end_ || !inner_state_ || at_end_) return std::nullopt;
    std::string state;
    for (int shift = 0; shift < 64; shift += 8) {
      state += static_cast<char>(bytes_->offset() >> shift);
    }
    state += static_cast<char>(big_);
    state += static_cast<char>(pending_);
    state.append(piece_.data(), pending_);
    return state + *inner_state_;
  }

  Result<void> restore(std::uint64_t offset, std::uint64_t file_offset,
                       std::string_view state) override {
    constexpr std::size_t fixed_bytes = 10;
    const std::size_t pending =
        state.size() < fixed_bytes ? 0 : static_cast<unsigned char>(state[fixed_bytes - 1]);
    if (state.size() < fixed_bytes + pending || pending > pending_bytes_max) {
      return make_error(ErrorKind::failed,
                        fmt::format("The checkpoint at byte {} of the text of {} is not as it was "
                                    "written; the ledger is damaged.", offset, name_));
    }
    std::uint64_t inner = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      inner |= std::uint64_t{static_cast<unsigned char>(state[i])} << (8 * i);
    }
    big_ = state[8] != 0;
    pending_ = pending;
    std::memcpy(piece_.data(), state.data() + fixed_bytes, pending);
    begun_ = true;
    at_end_ = false;
    text_at_ = text_end_ = 0;
    inner_state_.reset();
    offset_ = offset;
    return bytes_->restore(inner, file_offset, state.substr(fixed_bytes + pending));
  }

 private:
  // The next piece of the file as text; none at the end.
  Result<void> decode_piece(bool to_checkpoint) {
    inner_state_.reset();
    TRANCHE_ASSIGN(const std::size_t count,
                   bytes_->read(piece_.data() + pending_, piece_bytes, to_checkpoint));
    at_end_ = count == 0;
    if (to_checkpoint && !at_end_) inner_state_ = bytes_->state();
    const char* begin = piece_.data();
    const char* const end = begin + pending_ + count;
    if (!begun_) {
      // A mark may come in two pieces.
      if (end - begin < 3 && !at_end_) {
        pending_ = static_cast<std::size_t>(end - begin);
        inner_state_.reset();
        return {};
      }
      TRANCHE_TRY(pass_mark(begin, end));
      begun_ = true;
    }
    char* out = text_.data();
    if (encoding_ == Encoding::latin1) {
      out = put_latin1(begin, end, out);
      begin = end;
    } else {
      out = put_utf16(begin, end, out);
    }
    pending_ = static_cast<std::size_t>(end - begin);
    std::memmove(piece_.data(), begin, pending_);
    text_at_ = 0;
    text_end_ = static_cast<std::size_t>(out - text_.data());
    return {};
  }

  // Goes behind the byte order mark, which settles the order of `utf-16`.
  Result<void> pass_mark(const char*& begin, const char* end) {
    const std::string_view start(begin, static_cast<std::size_t>(end - begin));
    const auto refuse = [this](std::string_view what) {
      return make_error(ErrorKind::config, fmt::format("{} {}", name_, what), name_);
    };
    if (start.starts_with("\xEF\xBB\xBF")) {
      return refuse("begins with the byte order mark of UTF-8: leave `encoding` out.");
    }
    if (encoding_ == Encoding::latin1) return {};
    const bool little = start.starts_with("\xFF\xFE");
    const bool big = start.starts_with("\xFE\xFF");
    if (encoding_ == Encoding::utf16) {
      if (!little && !big && !start.empty()) {
        return refuse("has no byte order mark: say `encoding: utf-16le` or `utf-16be`.");
      }
      big_ = big;
    } else if ((little && big_) || (big && !big_)) {
      return refuse(fmt::format("has the byte order mark of the other order: say `encoding: "
                                "utf-16`, or `{}`.", big_ ? "utf-16le" : "utf-16be"));
    }
    if (little || big) begin += 2;
    return {};
  }

  std::uint32_t unit_at(const char* p) const {
    const auto byte = [p](int i) { return std::uint32_t{static_cast<unsigned char>(p[i])}; };
    return big_ ? (byte(0) << 8U) | byte(1) : byte(0) | (byte(1) << 8U);
  }

  // Moves `begin` behind what was decoded: what is not complete waits for the next piece.
  char* put_utf16(const char*& begin, const char* end, char* out) const {
    const std::uint64_t not_ascii = big_ ? 0x80FF80FF80FF80FFULL : 0xFF80FF80FF80FF80ULL;
    while (end - begin >= 2) {
      std::uint64_t four = 0;
      if (end - begin >= 8) {
        std::memcpy(&four, begin, 8);
        if ((four & not_ascii) == 0) {
          if (big_) four >>= 8;
          for (int i = 0; i < 4; ++i) *out++ = static_cast<char>(four >> (16 * i));
          begin += 8;
          continue;
        }
      }
      const std::uint32_t unit = unit_at(begin);
      if (unit >= 0xD800 && unit < 0xDC00) {
        if (end - begin < 4 && !at_end_) return out;
        const std::uint32_t low = end - begin < 4 ? 0 : unit_at(begin + 2);
        if (low >= 0xDC00 && low < 0xE000) {
          out = put_character(out, 0x10000 + ((unit - 0xD800) << 10U) + (low - 0xDC00));
          begin += 4;
          continue;
        }
      }
      out = put_character(out, unit);
      begin += 2;
    }
    if (begin != end && at_end_) {  // half a unit
      *out++ = '\xFF';
      begin = end;
    }
    return out;
  }

  const std::unique_ptr<TextDecoder> bytes_;
  const std::string name_;
  const Encoding encoding_;
  bool big_;
  bool begun_ = false;        // the mark is behind
  bool at_end_ = false;       // of the bytes
  std::string piece_;         // first what the piece before left over
  std::size_t pending_ = 0;
  std::string text_;          // of the piece
  std::size_t text_at_ = 0;
  std::size_t text_end_ = 0;
  std::optional<std::string> inner_state_;  // behind the piece, where decoding can begin there
  std::uint64_t offset_ = 0;
};

}  // namespace

std::optional<std::string> describe_broken_utf16(std::string_view record, std::uint64_t offset) {
  for (std::size_t i = 0; i < record.size(); ++i) {
    const auto byte = static_cast<unsigned char>(record[i]);
    if (byte == 0xFF) {
      return fmt::format("The file ends within a character of UTF-16, at byte {} of its text.",
                         offset + i);
    }
    if (byte != 0xED || i + 2 >= record.size()) continue;
    const auto second = static_cast<unsigned char>(record[i + 1]);
    if (second < 0xA0) continue;
    const auto third = static_cast<unsigned char>(record[i + 2]);
    return fmt::format("The surrogate U+{:X} of UTF-16 at byte {} of the text has no other half.",
                       0xD000U | ((second & 0x3FU) << 6U) | (third & 0x3FU), offset + i);
  }
  return std::nullopt;
}

std::unique_ptr<TextDecoder> make_encoding_decoder(std::unique_ptr<TextDecoder> bytes,
                                                   const std::string& name, Encoding encoding) {
  return std::make_unique<EncodingDecoder>(std::move(bytes), name, encoding);
}

}  // namespace tranche
