// Writes one file of records, which grows group by group under a temporary name beside the target
// and gets its name at the seal. Formats of text share it: what they say is how rows become bytes.
//
// The temporary file begins with the format's header. A group is appended and synced; a resume
// checks the bytes of the last committed group and cuts off what lies behind it. The seal compares
// the file with what was committed and renames it; both may be done again after a crash.
//
// A compressed file is a sequence of gzip members or zstd frames: one of the header, even where
// there is none, and one of each chunk, which its worker packs. So it is cut and checked as a plain
// one is.
//
// Threads and lifetime: those of core/sink.h.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tranche/core/options.h>
#include <tranche/core/sink.h>

#include "formats/text_compressor.h"

namespace tranche {

struct SingleFileFormat {
  std::string key;  // of the system in `write:`
  // The bytes before the first record; may be none.
  std::function<std::string(const SchemaPtr&)> header;
  // Whether it can hold such records, before anything is written; may be none.
  std::function<Result<void>(const Schema&)> check = nullptr;
  // Makes an encoder whose segments hold whole lines, packed where there is a compressor.
  std::function<std::unique_ptr<Encoder>(const SchemaPtr&, std::unique_ptr<TextCompressor>)>
      encoder;
  TextPacking packing;
};

// The options that say how a file is compressed, and what they say for `target`. Errors: config.
std::vector<Option> packing_options();
Result<TextPacking> read_packing(const OptionReader& options, const std::string& target);

// `target` as the user wrote it. Errors: config.
Result<std::unique_ptr<Sink>> make_single_file_sink(const std::string& target,
                                                    const std::filesystem::path& base,
                                                    SingleFileFormat format);

// An encoder around a writer of text: add(page) -> void or Result<void>, rows() since the
// beginning, bytes() and take() of what it holds. With a compressor it is packed as it grows.
template <class Writer>
class WriterEncoder final : public Encoder {
 public:
  WriterEncoder(Writer writer, std::unique_ptr<TextCompressor> compressor)
      : writer_(std::move(writer)), compressor_(std::move(compressor)) {}
  Result<void> add(const Page& page) override {
    if constexpr (std::is_void_v<decltype(writer_.add(page))>) {
      writer_.add(page);
    } else {
      TRANCHE_TRY(writer_.add(page));
    }
    constexpr std::size_t plain_bytes_max = std::size_t{1} << 20;
    if (compressor_ == nullptr || writer_.bytes() < plain_bytes_max) return {};
    return compressor_->add(writer_.take());
  }
  std::uint64_t rows_encoded() const override { return writer_.rows(); }
  Result<std::vector<Segment>> finish() override {
    std::vector<Segment> segments;
    const std::uint64_t rows = writer_.rows() - rows_finished_;
    if (rows > 0) {
      std::string bytes = writer_.take();
      if (compressor_ != nullptr) {
        TRANCHE_TRY(compressor_->add(bytes));
        TRANCHE_ASSIGN(bytes, compressor_->finish());
      }
      segments.push_back(Segment::make(std::move(bytes), rows));
    }
    rows_finished_ = writer_.rows();
    return segments;
  }

 private:
  Writer writer_;
  std::unique_ptr<TextCompressor> compressor_;  // nullptr: plain text
  std::uint64_t rows_finished_ = 0;
};

}  // namespace tranche
