#include "connectors/standard_output.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/data_output.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/system_error.h"

namespace tranche {
namespace {

Result<void> write_out(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(data_output(), bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EPIPE) {
      return make_error(ErrorKind::failed,
                        "Whoever read standard output has closed it, so nothing more was written.");
    } else if (errno != EINTR) {
      return system_error(ErrorKind::failed, "write to", "standard output", errno);
    }
  }
  return {};
}

class StandardOutputCommitter final : public Committer {
 public:
  Result<Applied> apply(std::uint64_t group, std::span<const Segment> segments,
                        const std::string&) override {
    group_ = group;
    segments_.assign(segments.begin(), segments.end());
    Applied applied;
    for (const Segment& segment : segments_) applied.rows += segment.rows;
    return applied;
  }

  Result<Receipt> commit() override {
    Receipt receipt;
    receipt.group = group_;
    Digest digest;
    for (const Segment& segment : segments_) {
      TRANCHE_ASSIGN(const auto bytes, segment.load());
      TRANCHE_TRY(write_out(*bytes));
      digest.update(*bytes);
      receipt.rows += segment.rows;
      receipt.bytes += bytes->size();
    }
    receipt.checksum = digest.value();
    segments_.clear();
    return receipt;
  }

  void rollback() override { segments_.clear(); }

 private:
  std::uint64_t group_ = 0;
  std::vector<Segment> segments_;
};

class StandardOutputSink final : public Sink {
 public:
  explicit StandardOutputSink(SingleFileFormat format) : format_(std::move(format)) {}

  // Each run has one of its own.
  std::vector<std::string> targets() const override { return {}; }
  bool appends() const override { return false; }
  Result<void> examine(const SchemaPtr& schema) override {
    return format_.check ? format_.check(*schema) : Result<void>();
  }
  Result<std::vector<Receipt>> recover(const SinkRun&, const SchemaPtr& schema,
                                       std::span<const Receipt> committed) override {
    if (!committed.empty()) {
      return make_error(ErrorKind::failed,
                        "What the run wrote to standard output is gone, so it can't be gone on "
                        "with. Start again with `tranche run`.");
    }
    bind_encoders({}, schema);
    return std::vector<Receipt>();
  }
  void bind_encoders(const SinkRun&, const SchemaPtr& schema) override { schema_ = schema; }
  Result<std::unique_ptr<Encoder>> encoder(WorkerScope&) const override {
    TRANCHE_ASSIGN(auto compressor, packer());
    return format_.encoder(schema_, std::move(compressor));
  }
  std::uint64_t encoder_bytes() const override { return compressor_bytes(format_.packing); }
  Result<std::unique_ptr<Committer>> committer() override {
    std::string header = format_.header(schema_);
    TRANCHE_ASSIGN(const auto compressor, packer());
    if (compressor != nullptr) {
      TRANCHE_TRY(compressor->add(header));
      TRANCHE_ASSIGN(header, compressor->finish());
    }
    TRANCHE_TRY(write_out(header));
    return std::unique_ptr<Committer>(std::make_unique<StandardOutputCommitter>());
  }
  Result<std::optional<Receipt>> find_receipt(std::uint64_t) override {
    return std::optional<Receipt>();
  }
  Result<std::string> plan_seal(std::span<const Receipt>) override {
    return Json(Json::Object{}).dump();
  }
  Result<void> seal(const std::string&) override { return {}; }
  Result<void> discard(const SinkRun&, std::span<const Receipt>, bool) override { return {}; }
  Result<std::vector<std::string>> verify(const SinkRun&, const std::string&,
                                          std::span<const Receipt>) override {
    return std::vector<std::string>{
        "What was written to standard output is kept nowhere, so it can't be compared."};
  }

 private:
  Result<std::unique_ptr<TextCompressor>> packer() const {
    if (format_.packing.compression == Compression::none)
      return std::unique_ptr<TextCompressor>();
    return make_text_compressor(format_.packing);
  }

  const SingleFileFormat format_;
  SchemaPtr schema_;
};

}  // namespace

std::unique_ptr<Sink> make_standard_output_sink(SingleFileFormat format) {
  return std::make_unique<StandardOutputSink>(std::move(format));
}

}  // namespace tranche
