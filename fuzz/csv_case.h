// A CSV file with a dialect, columns and windows, all of it from the bytes of a fuzzer: the first
// bytes choose, the rest is the text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/page.h>

#include "base/simd.h"
#include "formats/csv_dialect.h"

namespace tranche {

struct CsvCase {
  static constexpr std::size_t head_bytes = 16;

  CsvDialect dialect;
  Schema schema;
  bool empty_line_is_record = false;
  std::size_t window_bytes = 1;
  std::size_t block_records = 1;
  std::size_t first_cut = 0;  // where there are more places to cut than there is time for
  std::string text;
};

// Any bytes make a case; what is missing is 0.
CsvCase make_csv_case(std::string_view input);

// The bytes of a value in hexadecimal, for comparisons; a float that is no number has many faces.
std::string shown_value(Type type, std::string_view bytes);
std::string shown_value(const Column& column, std::size_t row);  // REQUIRES that it is valid

// The instruction sets that the fast path is tried with.
struct FastPath {
  const char* name;
  void (*choose)();
};
inline constexpr FastPath fast_paths[] = {
    {"portable", [] { set_simd_level(SimdLevel::portable); }},
    {"avx2, where the machine has it", [] { set_simd_level(SimdLevel::avx2); }},
    {"avx512, where the machine has it", [] { set_simd_level(SimdLevel::avx512); }},
};

}  // namespace tranche
