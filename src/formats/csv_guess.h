// Guesses the type of a column from sampled texts: bigint, double, date, timestamp, boolean, else
// varchar. Whole numbers with a zero in front (00501), or beyond bigint, stay text: as numbers they
// would be damaged.
//
// Threads: a value type.
#pragma once

#include <cstdint>
#include <string_view>

#include <tranche/core/type.h>

namespace tranche {

class TypeGuess {
 public:
  void add(std::string_view text, bool quoted);  // REQUIRES that it is not null
  Type type() const;

 private:
  enum Kind : std::uint8_t { boolean = 1, bigint = 2, double_ = 4, date = 8, timestamp = 16 };
  std::uint8_t possible_ = boolean | bigint | double_ | date | timestamp;
  bool seen_ = false;
};

}  // namespace tranche
