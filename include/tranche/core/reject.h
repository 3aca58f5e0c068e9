// A record that could not be read, processed or written, and why.
//
// Business logic in C++ rejects the record it is given by `throw tranche::Reject("why")`: it is
// caught, and where the record came from is added.
// Threads: a value type.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tranche/core/page.h>

namespace tranche {

struct Reject {
  Reject() = default;
  explicit Reject(std::string why) : error(std::move(why)) {}

  std::uint64_t record = 0;  // ordinal in the step, from 0
  std::string source;        // path or table
  std::uint64_t line = 0;    // from 1; 0: unknown
  std::uint64_t offset = 0;  // byte in the (decompressed) file, from 0
  bool has_position = false; // source, line and offset are known
  std::string phase;         // "read", "sql", "function", "write"
  std::string error;         // one sentence; names the column where there is one
  std::string raw;           // the record's bytes, or the row as JSON where it has none
  std::uint32_t attempts = 1;
  int signal = 0;            // what killed the business logic; 0: nothing
};

// A record that killed its worker, alone in a process of its own: it is rejected, never processed.
struct Culprit {
  std::uint64_t record = 0;    // ordinal in the step
  std::string phase;           // the transform that had it in hand; "read" where none had
  std::string error;           // one sentence
  int signal = 0;              // that killed the worker; 0: it ended otherwise
  std::uint32_t attempts = 1;  // how often it was tried alone
  bool operator==(const Culprit&) const = default;
};

// A reject of row `row` of `page`, with its position and bytes (or the row as JSON).
Reject reject_row(const Page& page, std::size_t row, std::string_view phase, std::string error);

}  // namespace tranche
