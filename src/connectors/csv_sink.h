// Writes one CSV file: the sink of single_file_sink.h, with rows as CSV.
//
// Threads and lifetime: those of core/sink.h.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <tranche/core/sink.h>

#include "formats/csv_writer.h"
#include "formats/text_compressor.h"

namespace tranche {

// `target` as the user wrote it. Errors: config.
Result<std::unique_ptr<Sink>> make_csv_sink(const std::string& target,
                                            const std::filesystem::path& base,
                                            const CsvOutput& output,
                                            const TextPacking& packing = {});

}  // namespace tranche
