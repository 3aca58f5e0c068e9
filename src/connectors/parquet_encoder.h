// How a worker makes Parquet parts: pages into frames, frames into files.
// Threads: belongs to one worker.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/sink.h>

#include "connectors/parquet_sink.h"

namespace tranche {

struct PartTarget {
  ParquetSinkOptions options;
  SchemaPtr schema;
  std::vector<std::size_t> partition_columns;
  std::string temporary_prefix;
  std::string job;   // it and the step stand in the files' metadata; the run never does
  std::string step;
};

// The label of a segment of frames, not of a part: rows whose partition no folder can stand for. A
// folder's name has no such character.
inline constexpr std::string_view refused_label = "?refused";

// What a folder's name says of a null.
inline constexpr std::string_view null_partition = "__HIVE_DEFAULT_PARTITION__";

// What most file systems let the name of a folder have.
inline constexpr std::size_t folder_name_bytes_max = 255;

// "day=2026-01-31": a folder's name, percent-encoded where need be. A null has its own.
std::string partition_folder(std::string_view column, std::string_view value);

// Why no folder can stand for the partition of a row, as a sentence; empty: one can.
std::string partition_fault(const Page& page, std::size_t row,
                            const std::vector<std::size_t>& partition_columns);

Result<std::unique_ptr<Encoder>> make_parquet_encoder(PartTarget target, WorkerScope& worker);

}  // namespace tranche
