#include "formats/csv_cursor.h"

namespace tranche {

CsvCursor::CsvCursor(const TextFile& file, std::string name, const CsvDialect& dialect,
                     bool empty_line_is_record, const Use& use)
    : RecordCursor(file, std::move(name), use, true), scanner_(dialect, empty_line_is_record) {}

Result<std::span<const CsvRecord>> CsvCursor::next() { return walk(scanner_); }

}  // namespace tranche
