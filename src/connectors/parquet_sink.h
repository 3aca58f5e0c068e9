// A folder of Parquet parts as a sink: docs/commit-protocol.md, "A directory of parts".
//
// Workers encode pages into frames, one segment a partition; merge writes each partition's part of
// the group under a hidden temporary name in its final folder and syncs it; the ledger's record of
// the receipt is the commit; the seal renames, and writes the manifest _tranche/NNNNNN.json.
// Threads and lifetime: as core/sink.h says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/sink.h>

namespace tranche {

struct ParquetSinkOptions {
  std::filesystem::path folder;
  std::string name;                       // the folder as the user wrote it
  std::vector<std::string> partition_by;  // columns, outermost folder first
  bool replace = false;
  std::uint64_t part_bytes = 64ULL << 20;  // of input, a group
  std::string compression = "zstd";        // zstd, snappy, none
  int compression_level = 1;               // of zstd: a sixth less time than 3, 4 % larger
  std::uint64_t row_group_rows = 61'440;   // half of the memory of twice as many, 1 % larger
};

class ParquetSink : public Sink {
 public:
  explicit ParquetSink(ParquetSinkOptions options) : options_(std::move(options)) {}

  std::vector<std::string> targets() const override;
  bool appends() const override { return !options_.replace; }
  bool merges() const override { return true; }
  bool uses_database() const override { return true; }
  std::uint64_t encoder_bytes() const override;
  std::uint64_t default_group_bytes() const override { return options_.part_bytes; }
  Result<void> examine(const SchemaPtr& schema) override;
  Result<std::vector<Receipt>> recover(const SinkRun& run, const SchemaPtr& schema,
                                       std::span<const Receipt> committed) override;
  void bind_encoders(const SinkRun& run, const SchemaPtr& schema) override;
  Result<std::unique_ptr<Encoder>> encoder(WorkerScope& worker) const override;
  Result<std::unique_ptr<Committer>> committer() override;
  Result<std::optional<Receipt>> find_receipt(std::uint64_t group) override;
  Result<std::string> plan_seal(std::span<const Receipt> committed) override;
  Result<void> seal(const std::string& intent) override;
  Result<bool> has_target() override;
  Result<std::optional<std::string>> sealed_until(const std::string& increment) override;
  Result<void> discard(const SinkRun& run, std::span<const Receipt> committed,
                       bool keep_committed) override;
  Result<std::vector<std::string>> verify(const SinkRun& run, const std::string& intent,
                                          std::span<const Receipt> committed) override;

 private:
  std::vector<std::size_t> partition_columns() const;  // once it is bound

  ParquetSinkOptions options_;
  SchemaPtr schema_;
  std::string temporary_prefix_;  // ".tranche-<run>-"
  std::string job_;
  std::string step_;
  Watermark watermark_;
};

}  // namespace tranche
