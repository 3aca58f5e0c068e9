// Columns of CSV fields -> values, four rows at a time, where the machine has AVX2.
//
// Numbers are read as number_kernels.h does it, in vectors of four words; products of pairs join
// the digits (Wojciech Muła, "Parsing series of integers with SIMD",
// http://0x80.pl/articles/simd-parsing-int-sequences.html). Every function goes on from `row` as
// long as the fields have the usual form of their type, and returns the first row that it has not
// read: that one and the next three are for the caller, and all of them where there is no AVX2.
//
// Threads: pure, but for CsvTimestamps, which belongs to one thread. REQUIRES of every function:
// number_padding_bytes readable before each field and search_padding_bytes behind it, and that an
// empty field is the only null that has no mark.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "formats/csv_fields.h"

namespace tranche {

// The fields of one column.
struct CsvFieldColumn {
  const char* base = nullptr;        // of the fields' positions
  const CsvField* fields = nullptr;  // of the first row
  std::size_t stride = 0;            // fields from row to row
  std::size_t rows = 0;
  const CsvField& at(std::size_t row) const { return fields[row * stride]; }
};

// Whole numbers of up to 8 characters, of 64 bits up to 16; `out`: the column's first row.
std::size_t read_integers(const CsvFieldColumn& column, std::size_t row, std::int32_t* out);
std::size_t read_integers(const CsvFieldColumn& column, std::size_t row, std::int64_t* out);

// Numbers of up to 8 digits with exactly `scale` (1 to 7) of them behind a point, scaled. REQUIRES
// a width of 8 digits or more.
std::size_t read_decimals(const CsvFieldColumn& column, std::size_t row, unsigned scale,
                          std::int32_t* out);
std::size_t read_decimals(const CsvFieldColumn& column, std::size_t row, unsigned scale,
                          std::int64_t* out);

// YYYY-MM-DD HH:MM:SS, or with a T, and 0 or 3 digits behind a point.
class CsvTimestamps {
 public:
  std::size_t read(const CsvFieldColumn& column, std::size_t row, std::int64_t* out);

 private:
  // The calendar is asked once a month: a file has few of them for its many rows.
  struct Month {
    std::uint64_t text = 0;  // YYYY-MM-, as it stands in memory
    std::int64_t begin = 0;  // in microseconds
    std::uint32_t days = 0;
  };
  static constexpr unsigned month_bits = 6;
  const Month* find_month(std::uint64_t text);
  class Reading;

  std::array<Month, std::size_t{1} << month_bits> months_;  // each in the place its text says
};

}  // namespace tranche
