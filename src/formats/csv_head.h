// The beginning of a CSV file: byte order mark, what ends its lines, skipped lines, header.
//
// Threads: pure functions. Lifetime: results own what they hold.
#pragma once

#include <string>
#include <vector>

#include "formats/csv_dialect.h"
#include "formats/text_file.h"

namespace tranche {

struct CsvHead {
  CsvDialect dialect;                  // that was asked for, with the line ends of this file
  std::uint64_t data_begin = 0;        // offset of the first record
  std::uint64_t data_line = 1;         // its line, from 1
  std::vector<std::string> names;      // of the columns; empty without a header
  bool empty() const { return names.empty(); }
};

// Whether a CR by itself ends lines: it does where it ends the first one. That is the line of the
// first record outside quotes, or one that is skipped or a comment. A function of the text alone,
// so that everybody who reads the file knows the same. Errors: failed, when it can't be read.
Result<bool> return_ends_first_line(const TextFile& file, std::uint64_t end,
                                    const std::string& name, const CsvDialect& dialect);

// Reads the head of `file`, whose text ends at `end`, if that is known. An empty file has no names.
// Errors: config, when the header is broken, names a column twice, or the file is UTF-16.
Result<CsvHead> read_csv_head(const TextFile& file, std::uint64_t end, const std::string& name,
                              const CsvDialect& dialect);

}  // namespace tranche
