// What every stage counted by itself; nothing is found by subtraction.
// Threads: value types.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tranche/base/result.h>

namespace tranche {

struct StageCounts {
  std::string name;            // "sql", "function", ...
  std::uint64_t in = 0;        // records offered to the transform
  std::uint64_t out = 0;       // records that it gave back
  std::uint64_t rejected = 0;
  std::uint64_t filtered = 0;  // only where the transform counts them
  bool counts_filtered = false;  // then in = out + filtered + rejected
};

struct Counts {
  std::uint64_t planned = 0;        // records that the planner counted
  std::uint64_t read = 0;           // records that the reader gave
  std::uint64_t read_rejects = 0;
  std::uint64_t skipped = 0;        // processed by an earlier run: read, and left alone
  std::uint64_t bytes_read = 0;
  std::vector<StageCounts> stages;  // one a transform
  std::uint64_t offered = 0;        // records offered to the encoder
  std::uint64_t encoded = 0;        // records that the encoder says it wrote
  std::uint64_t written = 0;        // records that the sink acknowledged
  std::uint64_t write_rejects = 0;

  void add(const Counts& other);
  std::uint64_t rejected() const;  // read, transforms and write together
};

// Checks the equations of one group. Errors: bug, naming the stage ("read", "sql", "encode",
// "write") and both figures.
Result<void> reconcile(const Counts& counts);

}  // namespace tranche
