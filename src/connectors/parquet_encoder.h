// How a worker makes Parquet parts: pages into frames, frames into files.
// Threads: belongs to one worker.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
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

Result<std::unique_ptr<Encoder>> make_parquet_encoder(PartTarget target, WorkerScope& worker);

}  // namespace tranche
