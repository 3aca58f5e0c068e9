// Pages -> CSV: RFC 4180 with as few quotes as possible, LF line ends, UTF-8.
//
// A field is quoted when it holds the delimiter, a quote or a line end, when it is an empty string
// (which null, being nothing, is not), or when it would be read back as null.
// Threads: a CsvWriter belongs to one thread. Lifetime: owns the bytes until they are taken.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/page.h>

#include "core/time_format.h"
#include "core/timestamp_writer.h"
#include "formats/byte_search.h"

namespace tranche {

struct CsvOutput {
  std::string delimiter = ",";
  char quote = '"';
  std::string null;  // how a null is written
  bool header = true;
  TimeFormats time_formats = {};
};

class CsvWriter {
 public:
  CsvWriter(SchemaPtr schema, const CsvOutput& output);
  CsvWriter(CsvWriter&&) noexcept;
  ~CsvWriter();

  // The line with the names of the columns; empty when the output has none.
  std::string header() const;
  void add(const Page& page);
  std::uint64_t rows() const { return rows_; }  // since the beginning, counted as each is written
  std::size_t bytes() const { return bytes_.size(); }
  // What was written since the last call.
  std::string take();

 private:
  struct PageColumn;
  PageColumn look_up(const Column& column) const;
  char* make_room(std::size_t bytes);
  void write_digits(std::size_t row, std::size_t rows);
  char* write_row(char* out, std::size_t row, std::size_t in_strip);
  char* write_other(char* out, const PageColumn& column, std::size_t row) const;
  char* write_string(char* out, const StringRef& string) const;
  char* write_text(char* out, std::string_view text, bool is_typed) const;
  char* write_quoted(char* out, std::string_view text) const;
  bool needs_quotes(const char* begin, const char* end) const;

  SchemaPtr schema_;
  CsvOutput output_;
  bool check_typed_;                // values of other types than text may need quotes too
  std::vector<PageColumn> columns_; // of the page in work
  static constexpr std::size_t strip_rows_max = 32;
  std::vector<std::uint64_t> digits_;  // of each column, so many
  TimestampWriter timestamps_;
  ByteSearch<4> special_;           // what makes quotes necessary
  std::unique_ptr<char[]> buffer_;  // of the rows in work
  std::size_t capacity_ = 0;
  std::string bytes_;
  std::size_t bytes_expected_ = 0;  // until they are taken
  std::uint64_t rows_ = 0;
};

}  // namespace tranche
