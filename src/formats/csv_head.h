// The beginning of a CSV file: byte order mark, skipped lines, header.
//
// Threads: pure functions. Lifetime: results own what they hold.
#pragma once

#include <string>
#include <vector>

#include "formats/csv_dialect.h"
#include "formats/text_file.h"

namespace tranche {

struct CsvHead {
  std::uint64_t data_begin = 0;        // offset of the first record
  std::uint64_t data_line = 1;         // its line, from 1
  std::vector<std::string> names;      // of the columns; empty without a header
  bool empty() const { return names.empty(); }
};

// Reads the head of `file`, whose text ends at `end`, if that is known. An empty file has no names.
// Errors: config, when the header is broken, names a column twice, or the file is UTF-16.
Result<CsvHead> read_csv_head(const TextFile& file, std::uint64_t end, const std::string& name,
                              const CsvDialect& dialect);

}  // namespace tranche
