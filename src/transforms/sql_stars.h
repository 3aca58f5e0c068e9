// The stars of a SELECT over `batch`, and how the columns that batch has only when they are named
// (_file, _line) are kept out of them.
// Threads: pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <tranche/base/result.h>

namespace tranche {

// A star over `batch`, where _file and _line must not come out.
struct Star {
  bool is_written = true;  // FROM batch alone means SELECT * FROM batch
  std::size_t offset = 0;  // in the text; of the first table, when it is not written
  std::vector<std::string> excluded;
};

// Takes the hidden columns out of the stars over batch. Errors: config, where the text does not let
// it.
Result<std::string> narrow_stars(std::string text, std::vector<Star> stars,
                                 const std::vector<std::string>& hidden);

}  // namespace tranche
