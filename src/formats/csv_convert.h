// Fields of a block of records -> values of columns, one column at a time.
//
// Threads: a converter belongs to one thread. Lifetime: strings of the columns point into the
// block's bytes or into the arena.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/page.h>
#include <tranche/core/value.h>

#include "formats/csv_fields.h"
#include "formats/csv_kernels.h"

namespace tranche {

// A value that could not become its column's.
struct CsvBadValue {
  std::uint32_t row = 0;     // of the block
  std::uint32_t column = 0;  // of the schema
  ParseStatus status = ParseStatus::malformed;
  bool is_null = false;      // null where a value is required
};

class CsvConverter {
 public:
  CsvConverter(const CsvDialect& dialect, const CsvFields& splitter);

  // The fields of records, `stride` for each; absent ones are null.
  struct Block {
    const char* base = nullptr;
    const CsvField* fields = nullptr;
    std::size_t stride = 0;
    std::size_t rows = 0;
  };
  // Writes the column's values from row `first_row` on. `field` is its place in the record.
  // REQUIRES room in the column, number_padding_bytes readable before each field and
  // search_padding_bytes behind it. What can't be converted is appended to `bad`.
  void convert(const Block& block, std::size_t field, const Field& type,
               std::uint32_t column_number, Column& column, std::size_t first_row, Arena& arena,
               std::vector<CsvBadValue>& bad);
  // The field's text, as it was given to the parser of its type.
  std::string_view text(const char* base, const CsvField& field, Arena& arena) const;

 private:
  struct Target;
  template <class T, class ReadMany, class Read, class Parse>
  void run(const Target& target, ReadMany read_many, Read read, Parse parse);
  template <class T, class Read, class Parse>
  void run(const Target& target, Read read, Parse parse);
  template <class T, class Parse>
  void run(const Target& target, Parse parse);
  template <class T, class Read, class Parse>
  void run_rows(const Target& target, std::size_t first, std::size_t last, Read read, Parse parse);
  template <class T>
  void convert_integer(const Target& target);
  template <class T>
  void convert_decimal(const Target& target, Type type);
  template <class T>
  void convert_float(const Target& target);
  void convert_times(const Target& target, TypeId type);
  void convert_varchar(const Target& target);
  std::string_view with_point(std::string_view text);
  bool is_null(const char* base, const CsvField& field) const {
    if (only_empty_is_null_) return field.marks == 0 || field.absent();
    if (field.absent()) return true;
    if (field.quoted() && !quoted_nulls_) return false;
    return is_null_spelling(base, field);
  }
  bool is_null_spelling(const char* base, const CsvField& field) const;

  const CsvFields& splitter_;
  std::vector<std::string> nulls_;
  bool only_empty_is_null_;
  bool quoted_nulls_;
  bool decimal_comma_;
  std::vector<TimeFormat> date_formats_;
  std::vector<TimeFormat> timestamp_formats_;
  CsvTimestamps timestamps_;
  std::string number_;  // a number with a comma, rewritten with a point
};

}  // namespace tranche
