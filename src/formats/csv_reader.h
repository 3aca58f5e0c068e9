// Parses a slice of a CSV file into Pages of typed columns.
//
// Threads: a CsvReader belongs to one thread. Lifetime: its pages hold the bytes they point to.
// Errors: failed, when the slice can't be read or is not what was planned. A broken record is a
// reject of phase "read" with its position and bytes, never an error.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/source.h>

#include "formats/csv_cursor.h"
#include "formats/csv_fields.h"
#include "formats/record_reader.h"

namespace tranche {

// How the fields of a file become the columns of a schema.
struct CsvColumns {
  static constexpr std::uint32_t absent = UINT32_MAX;
  SchemaPtr schema;
  std::vector<std::uint32_t> field_of_column;  // absent: the file has no such column, it is null
  std::uint32_t fields = 0;                    // that a record of the file has
  bool empty_line_is_record = false;           // the only column of the file may be empty
  bool guessed = false;                        // the schema, from a sample
};

class CsvReader final : public Reader {
 public:
  // `slice` is one that was cut with the same dialect and columns. A digest of 0 is not compared.
  CsvReader(TextFile file, std::shared_ptr<const std::string> name, const CsvDialect& dialect,
            std::shared_ptr<const CsvColumns> columns, const Slice& slice);
  ~CsvReader() override;
  Result<std::unique_ptr<Page>> next(std::vector<Reject>& rejects) override;
  std::uint64_t bytes_read() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tranche
