// Values as people read them in a report.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tranche/core/page.h>

namespace tranche::reporting {

// More of a cell is not shown in pages; how long it is, is said.
inline constexpr std::size_t cell_bytes_max = 2000;

// Whether the numbers of a column are amounts: written with thousands separators. Names of keys
// and years ("id", "store_id", "year") say that they are not.
bool is_amount(const Field& field);

// Numbers with thousands separators where `is_amount`, floats with up to six digits behind the
// point, timestamps with a blank instead of the T; everything else as in CSV. In UTF-8, what is not
// is U+FFFD. Nulls: nothing.
void append_cell_text(std::string& out, const Column& column, std::size_t row, bool is_amount);

// "1234567.5" -> "1,234,567.5"; what does not begin as a number does stays as it is.
std::string with_separators(std::string_view number);

// `text` in UTF-8: what is not is U+FFFD, control characters are the pictures of them, except for
// tabs and line ends.
std::string readable(std::string_view text);

// The beginning of it, when it is longer than that, at the end of a character.
std::string shortened(std::string text, std::size_t bytes_max);

}  // namespace tranche::reporting
