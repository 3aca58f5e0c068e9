// Pages -> JSON Lines: an object a row, keys in the order of the columns, no blanks, LF, UTF-8.
//
// Integers and decimals are numbers with all their digits, floats the shortest numbers that read
// back; what JSON has no number for are the strings "nan", "inf" and "-inf", since a null would
// lose it. Dates and times are strings in ISO 8601 or by the formats, blobs strings of hexadecimal
// digits. Lists are arrays, structs objects, json is written as it is, with a blank for each line
// end in it. Strings escape what RFC 8259 asks for and nothing else.
// Threads: a JsonlWriter belongs to one thread. Lifetime: owns the bytes until they are taken.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/page.h>

#include "core/time_format.h"

namespace tranche {

struct JsonlOutput {
  bool omit_nulls = false;  // no key for a null, of columns and of members; else it is null
  TimeFormats time_formats = {};
};

class JsonlWriter {
 public:
  JsonlWriter(const SchemaPtr& schema, const JsonlOutput& output);

  // Errors: failed, when a text is not UTF-8, or a json no JSON, which a line can't hold. What was
  // written of the page stays.
  Result<void> add(const Page& page);
  std::uint64_t rows() const { return rows_; }  // since the beginning, counted as each is written
  std::size_t bytes() const { return length_; }
  // What was written since the last call.
  std::string take();

 private:
  // A column, or a part of it.
  struct Slot {
    Type type;
    std::string key;  // "name":
    std::vector<Slot> parts;
  };
  static Slot make_slot(std::string_view name, Type type);

  Result<void> add_row(const Page& page, std::size_t row);
  // `at(i)` is the column of slot i. False: a value can't be written, bad_ is it.
  template <class ColumnAt>
  bool add_object(const std::vector<Slot>& slots, std::size_t row, ColumnAt at);
  bool add_value(const Slot& slot, const Column& column, std::size_t row);
  bool add_list(const Slot& slot, const Column& column, std::size_t row);
  bool add_text(std::string_view text);
  bool add_json(std::string_view text);
  void add_blob(std::string_view bytes);
  void add_scalar(const Column& column, std::size_t row);
  void add_escaped(std::string_view text);
  void put(std::string_view bytes);
  void grow(std::size_t room);

  std::vector<Slot> slots_;
  const JsonlOutput output_;
  std::string buffer_;             // its size is the room there is
  std::size_t length_ = 0;
  std::uint64_t rows_ = 0;
  std::string_view bad_;
  bool bad_is_json_ = false;
};

}  // namespace tranche
