// Packs text as one gzip member or one zstd frame at a time. Such pieces, one behind the other, are
// a file that every reader of the format takes, and a file that is cut behind one of them is whole.
//
// What comes out is a function of the text and the level alone, however the text was handed over:
// no time, no name, and no dependence on the sizes of the pieces.
//
// Threads: belongs to one thread. Lifetime: keeps its memory from piece to piece.
// Errors: failed, when there is too little memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <tranche/base/result.h>

#include "formats/text_decoder.h"

namespace tranche {

struct TextPacking {
  Compression compression = Compression::none;
  int level = 0;  // 0: the usual one
};

// The level, if there is such a one. REQUIRES gzip or zstd. Errors: config.
Result<int> check_compression_level(Compression compression, std::uint64_t level);

class TextCompressor {
 public:
  virtual ~TextCompressor() = default;
  virtual Result<void> add(std::string_view text) = 0;
  // Ends the member or frame, which may be empty, and gives it.
  virtual Result<std::string> finish() = 0;
};

// REQUIRES a compression other than none.
Result<std::unique_ptr<TextCompressor>> make_text_compressor(const TextPacking& packing);

// What a compressor keeps in memory besides what it packs.
std::uint64_t compressor_bytes(const TextPacking& packing);

}  // namespace tranche
