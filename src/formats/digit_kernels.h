// Columns of whole numbers -> their digits, four rows at a time where the machine has AVX2.
//
// Threads: pure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tranche {

// The eight digits of each number's magnitude as text, zeros in front, the first digit in the
// lowest byte; 0 where it has more of them. REQUIRES values and room for a multiple of four.
void write_eight_digits(const std::int32_t* values, std::size_t count, std::uint64_t* texts);
void write_eight_digits(const std::int64_t* values, std::size_t count, std::uint64_t* texts);

}  // namespace tranche
