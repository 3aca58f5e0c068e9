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
  std::uint64_t bytes = 0;               // of a table: about
  std::int64_t modified_nanoseconds = 0; // since the epoch; of a table: 0
  // Of a database: what all batches see, whoever writes to it meanwhile; by this name the source
  // finds it again. Empty: a file.
  std::string snapshot = {};
  // Of an increment of a table: the values of its column from which, and below which, records are
  // read; empty: no bound. The digest of a new file's bytes; of a remote file its ETag, in quotes.
  std::string from = {};
  std::string until = {};
  std::string digest = {};
  std::uint32_t source = 0;  // which of the step's sources it belongs to, from 0
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
  std::uint64_t begin = 0;          // text: bytes of it, decoded; else: rows of the file, or table
  std::uint64_t end = 0;
  std::uint64_t records = 0;        // that the planner counted, broken ones included
  std::uint64_t first_record = 0;   // ordinal in the step, from 0
  std::uint64_t first_line = 0;     // text: line number of `begin`, from 1 with the header
  std::uint64_t end_line = 0;       // text: line number of `end`
  std::uint64_t bytes = 0;          // of input: text: end - begin; Parquet: its share of the file
  std::uint64_t memory_bytes = 0;   // estimate of what its records take as Pages
  std::uint64_t digest = 0;         // digest64 of its bytes in the input
  std::uint64_t file_bytes = 0;     // of the file, for progress; compressed: fewer than `bytes`
  std::string range = {};           // of a database: its bounds; of a time window too: the source's
                                    // own. Empty: begin and end say all
  bool ends_batch = false;          // with it ends what the job divides by: a window of time
  bool operator==(const Slice&) const = default;
};

// How much a slice may hold at most; it holds at least one record, however long. A range of a key
// ends with the key in which a limit is reached: it holds all records of that key.
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

// `batch: { every: 1 day, on: sold_at }`: each window of time is a batch of its own.
struct WindowDivision {
  std::string column;    // what tells when; a date, a timestamp or a timestamptz
  std::string every;     // how long a window is: "1 day", "15 minutes", "1 month"
  std::string timezone;  // whose calendar cuts a timestamptz: "Europe/Berlin"; empty: UTC
  bool rejects_late = false;  // text: a record of an earlier window is a reject; else it is kept
  bool operator==(const WindowDivision&) const = default;
};

// `batch:` of a job file. What is 0 does not limit.
struct Division {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::uint64_t chunk_bytes = 0;  // text: the unit of parallel work
  std::uint64_t group_bytes = 0;  // of input, after which a group closes; 0: each batch is one
  // Databases: records are read in the order of this column and cut between two of its values.
  std::string key = {};
  std::optional<WindowDivision> window = {};
  bool operator==(const Division&) const = default;
};

}  // namespace tranche
