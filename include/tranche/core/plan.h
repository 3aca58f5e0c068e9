// What a plan is made of: inputs, slices, batches, groups. Fixed and durable before the work that
// it describes is dispatched; a batch has the same content for ever.
// Threads: value types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tranche/base/result.h>

namespace tranche {

// A file (or table) that a source reads, as it was when the plan began.
struct Input {
  std::string name;                      // the path as the user wrote it, or the table
  std::uint64_t bytes = 0;
  std::int64_t modified_nanoseconds = 0; // since the epoch
  bool operator==(const Input&) const = default;
};

// Where the reading of an input can begin that is else read from its beginning only: a compressed
// file. Known from the first time that somebody came by; kept with the plan.
struct Checkpoint {
  std::uint32_t input = 0;        // index into the plan's inputs
  std::uint64_t offset = 0;       // in the decoded text
  std::uint64_t file_offset = 0;  // in the file
  std::string state;              // what the source must know there; its own
  bool operator==(const Checkpoint&) const = default;
};

// Where a chunk's records are: enough to read them again. Never crosses an input's end.
struct Slice {
  std::uint32_t input = 0;          // index into the plan's inputs
  std::uint64_t begin = 0;          // text: bytes of it, decoded; Parquet: rows of the file
  std::uint64_t end = 0;
  std::uint64_t records = 0;        // that the planner counted, broken ones included
  std::uint64_t first_record = 0;   // ordinal in the step, from 0
  std::uint64_t first_line = 0;     // text: line number of `begin`, from 1 with the header
  std::uint64_t end_line = 0;       // text: line number of `end`
  std::uint64_t bytes = 0;          // of input: text: end - begin; Parquet: its share of the file
  std::uint64_t memory_bytes = 0;   // estimate of what its records take as Pages
  std::uint64_t digest = 0;         // digest64 of its bytes in the input
  std::uint64_t file_bytes = 0;     // of the file, for progress; compressed: fewer than `bytes`
  bool operator==(const Slice&) const = default;
};

// How much a slice may hold at most; it holds at least one record, however long.
struct CutLimits {
  std::uint64_t records_max = UINT64_MAX;
  std::uint64_t bytes_max = UINT64_MAX;  // it ends with the record in which this is reached
};

struct BatchPlan {
  std::uint64_t number = 0;   // from 0
  std::uint64_t group = 0;    // from 0
  std::vector<Slice> chunks;
  std::uint64_t records() const;
  std::uint64_t bytes() const;
  std::uint64_t file_bytes() const;
  std::uint64_t memory_bytes() const;
  std::uint64_t digest() const;  // of the digests of its chunks
  bool operator==(const BatchPlan&) const = default;
};

// `batch:` of a job file. What is 0 does not limit.
struct Division {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::uint64_t chunk_bytes = 0;  // text: the unit of parallel work
  std::uint64_t group_bytes = 0;  // of input, after which a group closes; 0: each batch is one
  bool operator==(const Division&) const = default;
};

}  // namespace tranche
