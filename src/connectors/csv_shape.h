// What the heads of CSV files say: where data begin, which field is which column; and the guess of
// a schema where none is declared.
//
// Threads: pure functions over files. Errors: config, naming the file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <tranche/core/plan.h>

#include "connectors/text_source.h"
#include "formats/csv_head.h"
#include "formats/csv_reader.h"

namespace tranche {

struct CsvShape {
  CsvHead head;
  std::shared_ptr<const CsvColumns> columns;
};

// What is wrong with files that are one reject each, by input; empty: nothing.
using FileFaults = std::vector<std::string>;

// `faults`: takes what is wrong with files; nullptr: that is an error.
Result<std::vector<CsvHead>> read_csv_heads(const TextInputs& files, const CsvDialect& dialect,
                                            FileFaults* faults);
// A schema by the names of the first header, or column0, column1, ..., with guessed types.
Result<SchemaPtr> guess_csv_schema(const TextInputs& files, const std::vector<CsvHead>& heads,
                                   const CsvDialect& dialect, FileFaults* faults);
// Finds the columns of `schema` in the file's header, or takes them by position.
Result<std::shared_ptr<const CsvColumns>> match_csv_columns(const SchemaPtr& schema,
                                                            const CsvHead& head,
                                                            const std::string& name,
                                                            const CsvDialect& dialect,
                                                            bool guessed);

}  // namespace tranche
