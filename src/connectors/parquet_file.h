// What a Parquet file's footer says: its columns and where its row groups lie.
//
// Threads: read by one thread, then a value. A file is given to DuckDB by its descriptor
// (/proc/self/fd/N), so that a name full of wildcards is just a name, and what is read is what was
// opened even when the name is given to another file meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tranche/core/schema.h>

#include "base/file.h"
#include "drivers/duckdb_database.h"

namespace tranche {

struct RowGroup {
  std::uint64_t first_row = 0;
  std::uint64_t rows = 0;
  std::uint64_t offset = 0;        // of its first byte in the file
  std::uint64_t bytes = 0;         // in the file, compressed
  std::uint64_t memory_bytes = 0;  // estimate of its rows as Pages
};

struct ParquetFooter {
  SchemaPtr schema;  // of the columns that were asked for and are there
  std::uint64_t rows = 0;
  std::vector<RowGroup> groups;
  // The group that holds `row`. REQUIRES row < rows.
  const RowGroup& group_of(std::uint64_t row) const;
};

// Columns of a file that are asked for.
struct ParquetColumns {
  std::vector<std::string> names;      // empty: all
  std::vector<std::string> elsewhere;  // those that the file need not have: folders are named so
  bool may_lack = false;               // it need not have any
};

// `name`: for messages. Errors: config, for a file that is no Parquet, a column that is not there
// or of a type that we don't have.
Result<ParquetFooter> read_footer(DuckConnection& connection, const File& file,
                                  const std::string& name, const ParquetColumns& columns);

// The name by which DuckDB opens the file: valid while `file` is open.
std::string descriptor_path(const File& file);
// DuckDB's error about a file, with the name that people know.
Error file_error(Error error, const File& file, const std::string& name);
// digest64 of [offset, offset + bytes). Errors: failed, when the file ends before.
Result<std::uint64_t> digest_range(const File& file, std::uint64_t offset, std::uint64_t bytes);

}  // namespace tranche
