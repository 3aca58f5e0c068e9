// Reads files of JSON Lines: schema, cuts and readers.
//
// Threads and lifetime: those of core/source.h.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <tranche/core/source.h>

#include "connectors/text_source.h"
#include "formats/jsonl_reader.h"

namespace tranche {

// `declared` has no fields: keys and types are guessed. Errors: config.
Result<std::unique_ptr<Source>> make_jsonl_source(std::vector<std::string> patterns,
                                                  const std::filesystem::path& base,
                                                  const JsonlDialect& dialect,
                                                  const AskedCoding& coding,
                                                  const FileRules& rules, Schema declared);

}  // namespace tranche
