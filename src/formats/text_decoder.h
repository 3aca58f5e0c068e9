// Turns the bytes of a file into UTF-8 text: unpacks gzip and zstd, converts latin-1 and UTF-16, or
// both, piece by piece from the beginning or from a checkpoint.
//
// A checkpoint is a place at which decoding can begin, with what a decoder must know there: a
// boundary of a deflate block with the 32 KiB of text before it, the beginning of a gzip member or
// of a zstd frame, the bytes of a character that is not complete.
//
// Threads: a decoder belongs to one thread. Lifetime: the file outlives its decoder.
// Errors: failed, with the place in the file and in the text, where the file is cut off, damaged,
// or followed by something else; config for an encoding that the file's own mark denies.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "formats/text_file.h"

namespace tranche {

enum class Compression : std::uint8_t { none, gzip, zstd };
enum class Encoding : std::uint8_t { utf8, latin1, utf16, utf16le, utf16be };

struct TextCoding {
  Compression compression = Compression::none;
  Encoding encoding = Encoding::utf8;
  // The text is the file's bytes.
  bool is_plain() const { return compression == Compression::none && encoding == Encoding::utf8; }
};

// gzip for .gz, zstd for .zst, else none.
Compression compression_of(std::string_view file_name);

class TextDecoder {
 public:
  virtual ~TextDecoder() = default;
  // The next bytes of the text; fewer at its end, and, where `to_checkpoint` is set, when decoding
  // can begin at what comes next. None only at the end.
  virtual Result<std::size_t> read(char* buffer, std::size_t bytes, bool to_checkpoint) = 0;
  virtual std::uint64_t offset() const = 0;       // in the text, behind what was read
  virtual std::uint64_t file_offset() const = 0;  // behind the bytes of the file that this took
  // What restore() needs to begin behind what was read; nullopt: decoding can't begin there.
  virtual std::optional<std::string> state() const = 0;
  // Errors: failed, when the state is not as it was written.
  virtual Result<void> restore(std::uint64_t offset, std::uint64_t file_offset,
                               std::string_view state) = 0;
};

// What was no UTF-16 in a record of text that was decoded from it, as a sentence; nullopt: nothing.
// `offset`: of the record in the text.
std::optional<std::string> describe_broken_utf16(std::string_view record, std::uint64_t offset);

// A decoder at the beginning of `file`; `name` is for messages. `window_bytes_max`: the largest
// window that a zstd frame may ask for.
Result<std::unique_ptr<TextDecoder>> make_text_decoder(const TextFile& file,
                                                       const std::string& name,
                                                       const TextCoding& coding,
                                                       std::uint64_t window_bytes_max);

// The window that the first zstd frame of the file asks for, as far as one begins there; what a
// decoder of the file takes besides is less than decoder_buffer_bytes.
Result<std::uint64_t> find_zstd_window(const TextFile& file);
inline constexpr std::uint64_t decoder_buffer_bytes = std::uint64_t{1} << 20;

// The layers that make_text_decoder puts together.
Result<std::unique_ptr<TextDecoder>> make_gzip_decoder(const TextFile& file,
                                                       const std::string& name);
Result<std::unique_ptr<TextDecoder>> make_zstd_decoder(const TextFile& file,
                                                       const std::string& name,
                                                       std::uint64_t window_bytes_max);
std::unique_ptr<TextDecoder> make_encoding_decoder(std::unique_ptr<TextDecoder> bytes,
                                                   const std::string& name, Encoding encoding);

}  // namespace tranche
