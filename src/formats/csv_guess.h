// Guesses the type of a column from sampled texts: bigint, double, date, timestamp, timestamptz,
// boolean, else varchar. Whole numbers with a zero in front (00501), or beyond bigint, stay text:
// as numbers they would be damaged.
//
// Threads: a value type. Lifetime: the formats outlive it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <tranche/core/type.h>

#include "core/time_format.h"

namespace tranche {

class TypeGuess {
 public:
  TypeGuess() = default;
  // With formats, dates and timestamps are what they can read, and nothing else.
  TypeGuess(std::span<const TimeFormat> date_formats,
            std::span<const TimeFormat> timestamp_formats);
  void add(std::string_view text, bool quoted);  // REQUIRES that it is not null
  Type type() const;

 private:
  enum Kind : std::uint8_t {
    boolean = 1, bigint = 2, double_ = 4, date = 8, timestamp = 16, timestamptz = 32,
  };
  bool is_date(std::string_view text) const;
  bool is_timestamp(std::string_view text) const;
  bool is_timestamptz(std::string_view text) const;

  std::span<const TimeFormat> date_formats_;
  std::span<const TimeFormat> timestamp_formats_;
  std::uint8_t possible_ = boolean | bigint | double_ | date | timestamp | timestamptz;
  bool seen_ = false;
};

}  // namespace tranche
