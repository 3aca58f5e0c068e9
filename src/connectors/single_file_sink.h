// Writes one file of records, which grows group by group under a temporary name beside the target
// and gets its name at the seal. Formats of text share it: what they say is how rows become bytes.
//
// The temporary file begins with the format's header. A group is appended and synced; a resume
// checks the bytes of the last committed group and cuts off what lies behind it. The seal compares
// the file with what was committed and renames it; both may be done again after a crash.
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

#include <tranche/core/sink.h>

namespace tranche {

struct SingleFileFormat {
  std::string key;  // of the system in `write:`
  // The bytes before the first record; may be none.
  std::function<std::string(const SchemaPtr&)> header;
  // Whether it can hold such records, before anything is written; may be none.
  std::function<Result<void>(const Schema&)> check = nullptr;
  // Makes an encoder whose segments hold whole lines.
  std::function<std::unique_ptr<Encoder>(const SchemaPtr&)> encoder;
};

// `target` as the user wrote it. Errors: config.
Result<std::unique_ptr<Sink>> make_single_file_sink(const std::string& target,
                                                    const std::filesystem::path& base,
                                                    SingleFileFormat format);

// An encoder around a writer of text: add(page) -> void or Result<void>, rows() since the
// beginning, take() of the bytes.
template <class Writer>
class WriterEncoder final : public Encoder {
 public:
  explicit WriterEncoder(Writer writer) : writer_(std::move(writer)) {}
  Result<void> add(const Page& page) override {
    if constexpr (std::is_void_v<decltype(writer_.add(page))>) {
      writer_.add(page);
      return {};
    } else {
      return writer_.add(page);
    }
  }
  std::uint64_t rows_encoded() const override { return writer_.rows(); }
  Result<std::vector<Segment>> finish() override {
    std::vector<Segment> segments;
    const std::uint64_t rows = writer_.rows() - rows_finished_;
    if (rows > 0) segments.push_back(Segment::make(writer_.take(), rows));
    rows_finished_ = writer_.rows();
    return segments;
  }

 private:
  Writer writer_;
  std::uint64_t rows_finished_ = 0;
};

}  // namespace tranche
