// Reads CSV files: inputs, schema, cuts and readers.
//
// Threads and lifetime: those of core/source.h. The inputs' heads are read once, at first use.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <tranche/core/source.h>

#include "connectors/text_source.h"
#include "formats/csv_dialect.h"

namespace tranche {

// `declared` has no fields: the types are guessed. Errors: config.
Result<std::unique_ptr<Source>> make_csv_source(std::vector<std::string> patterns,
                                                const std::filesystem::path& base,
                                                const CsvDialect& dialect,
                                                const AskedCoding& coding,
                                                const FileRules& rules, Schema declared);

}  // namespace tranche
