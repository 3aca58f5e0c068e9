// Pages -> JSON Lines: an object a row, keys in the order of the columns, no blanks, LF, UTF-8.
//
// Integers and decimals are numbers with all their digits, floats the shortest numbers that read
// back; what JSON has no number for are the strings "nan", "inf" and "-inf", since a null would
// lose it. Dates and times are strings in ISO 8601 or by the formats, blobs strings of hexadecimal
// digits, nulls null. Strings escape what RFC 8259 asks for and nothing else.
// Threads: a JsonlWriter belongs to one thread. Lifetime: owns the bytes until they are taken.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/page.h>

#include "core/time_format.h"

namespace tranche {

class JsonlWriter {
 public:
  explicit JsonlWriter(const SchemaPtr& schema, TimeFormats time_formats = {});

  // Errors: failed, when a varchar is not UTF-8, which JSON can't hold. What was written of the
  // page stays.
  Result<void> add(const Page& page);
  std::uint64_t rows() const { return rows_; }  // since the beginning, counted as each is written
  std::size_t bytes() const { return length_; }
  // What was written since the last call.
  std::string take();

 private:
  Result<void> add_row(const Page& page, std::size_t row);
  void add_value(const Column& column, std::size_t row);
  void add_string(std::string_view text);
  void put(std::string_view bytes);
  void grow(std::size_t room);

  std::vector<std::string> keys_;  // with what stands before them and their colon
  TimeFormats time_formats_;
  std::string buffer_;             // its size is the room there is
  std::size_t length_ = 0;
  std::uint64_t rows_ = 0;
};

}  // namespace tranche
