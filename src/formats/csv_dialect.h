// How a CSV file is written: what separates, quotes and means nothing.
//
// Threads: a value type. Lifetime: owns its texts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tranche/base/result.h>

#include "core/time_format.h"

namespace tranche {

struct CsvDialect {
  std::string delimiter = ",";         // one or more characters
  char quote = '"';                    // 0: fields are never quoted
  char escape = '"';                   // inside quotes; the quote itself: it is doubled
  char comment = 0;                    // a line that begins with it is no record; 0: none
  bool header = true;                  // the first line names the columns
  std::uint64_t skip_lines = 0;        // at the beginning of a file, before the header
  bool trim = false;                   // blanks and tabs around fields and quotes don't count
  std::vector<std::string> nulls{""};  // spellings of null, when not quoted
  bool quoted_nulls = false;           // also when quoted
  bool decimal_comma = false;          // decimals and floats are written 12,5
  std::vector<TimeFormat> date_formats;       // tried in this order; none: ISO 8601
  std::vector<TimeFormat> timestamp_formats;  // of timestamptz too
  bool undeclared_ignored = false;     // the header may have columns that nobody declared
  bool extra_columns_ignored = false;  // a record may have more columns than the header
  bool missing_columns_null = false;   // fewer columns than expected are null
  std::uint64_t max_record_bytes = std::uint64_t{1} << 20;  // a longer record is a reject
  // A CR that no LF follows ends a line; else it may stand inside quotes only. Nobody says so in a
  // job: it is found at the head of each file (csv_head.h).
  bool return_ends_lines = false;
};

// Errors: config, when its characters contradict each other.
Result<void> check_dialect(const CsvDialect& dialect);

}  // namespace tranche
