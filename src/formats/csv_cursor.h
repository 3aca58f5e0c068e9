// The cursor of CSV files: record_cursor.h with the scanner of csv_scanner.h.
//
// Threads, lifetime and errors: those of record_cursor.h.
#pragma once

#include <span>
#include <string>

#include "formats/csv_scanner.h"
#include "formats/record_cursor.h"

namespace tranche {

using CsvRecord = TextRecord;

class CsvCursor final : public RecordCursor {
 public:
  CsvCursor(const TextFile& file, std::string name, const CsvDialect& dialect,
            bool empty_line_is_record, const Use& use);
  Result<std::span<const CsvRecord>> next() override;

 private:
  CsvScanner scanner_;
};

}  // namespace tranche
