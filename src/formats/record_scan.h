// What the scanner of a text format says of a record: where it begins and ends, and whether it is
// broken.
//
// Threads: value types. Lifetime: spans point into the bytes that were given.
#pragma once

#include <cstdint>

namespace tranche {

enum class RecordFault : std::uint8_t {
  none,
  stray_quote,   // a quote inside a field that is not quoted
  open_quote,    // a quoted field does not close before a delimiter or a line end
  stray_return,  // a CR outside quotes that ends no line
  long_quote,    // a quoted field that does not close within max_record_bytes, if it does at all
  too_long,      // no end within max_record_bytes
};

struct RecordSpan {
  const char* begin = nullptr;
  const char* end = nullptr;       // without the line end
  const char* next = nullptr;      // behind the line end
  const char* fault_at = nullptr;  // the quote or CR in question
  std::uint32_t lines_before = 0;  // skipped lines between the beginning of the search and `begin`
  std::uint32_t lines = 0;         // line ends in it, its own included
  RecordFault fault = RecordFault::none;
  bool quoted = false;             // it has a quote
};

enum class ScanStep {
  record,    // the span is a record, maybe a broken one
  more,      // more bytes are needed, from span.begin on
  endless,   // a broken record begins at span.begin whose first line does not end in these bytes
  comment,   // the same of a line of comment
  end,       // no further record
};

}  // namespace tranche
