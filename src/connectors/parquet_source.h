// Parquet files as a source. A slice is a range of rows inside one row group, or what the group has
// of a window of time; its digest is that of the row group's bytes and of the range.
//
// Threads and lifetime: as core/source.h says. Footers are read once, by use_inputs.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/source.h>

#include "connectors/parquet_inputs.h"
#include "connectors/time_windows.h"

namespace tranche {

class ParquetSource : public Source {
 public:
  explicit ParquetSource(ParquetSourceOptions options) : options_(std::move(options)) {}

  Result<std::vector<Input>> inputs() override;
  Result<void> use_inputs(std::vector<Input> inputs) override;
  Result<SchemaPtr> schema() override;
  Result<void> use_division(const Division& division) override;
  Result<std::unique_ptr<SliceStream>> divide(const Slice* after) override;
  Result<std::unique_ptr<Reader>> open(const Slice& slice, WorkerScope& worker) const override;
  Result<std::optional<std::uint64_t>> digest(const Slice& slice) const override;
  Division default_division() const override;
  bool uses_database() const override { return true; }

 private:
  std::filesystem::path path_of(const Input& input) const;
  Result<File> open_unchanged(const Input& input) const;

  ParquetSourceOptions options_;
  std::vector<Input> inputs_;
  ParquetInputs files_;
  std::optional<TimeWindows> windows_;  // what the job divides by; else by rows and bytes
};

}  // namespace tranche
