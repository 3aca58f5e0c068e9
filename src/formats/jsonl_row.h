// One record of JSON -> one row of a page, in one pass over its bytes: values go from their digits
// and letters straight into the memory of their columns, those of lists and structs into the
// columns of their elements and members.
//
// Keys mostly come in the order of the record before, so the next one is compared first. A column
// without a key is null. A key twice is an error, and one that is no column too, unless told
// otherwise; both hold for members of structs.
//
// Threads: belongs to one thread. Lifetime: strings of the page point into the record or into the
// page's arena.
#pragma once

#include <memory>
#include <span>
#include <string>

#include <tranche/core/page.h>

namespace tranche {

struct JsonRules {
  bool unknown_keys_ignored = false;  // a record may have keys that are no columns
  // What to do about such a key, for people.
  const char* unknown_key_hint = "to skip such keys, say `unknown_keys: ignore`";
  bool guessed = false;               // the schema, from a sample
  bool is_any_value = false;          // a record is not an object but a value of the only column
};

// A copy with the room around it that reading needs.
std::string_view copy_to_read(std::string_view text, Arena& arena);

class JsonlRow {
 public:
  // REQUIRES one column where a record is any value.
  JsonlRow(SchemaPtr schema, JsonRules rules);
  ~JsonlRow();

  // Fills row `row` of `page`. False: error() says why, and the row holds rubbish. REQUIRES UTF-8,
  // search_padding_bytes readable behind it, and room for the row.
  bool read(std::string_view record, Page& page, std::size_t row);
  // Fills rows of `page` from `row` on, a column at a time, with those of the records that have the
  // usual form: the expected keys in their order, maybe not all of them, no blanks but one behind a
  // colon or a comma. `is_read` says of each whether it was one; the others are for read().
  // REQUIRES 1 to usual_records_max records, in the order of their bytes, and what read() does.
  static constexpr std::size_t usual_records_max = 64;
  void read_usual(std::span<const std::string_view> records, Page& page, std::size_t row,
                  bool* is_read);
  // REQUIRES that read() has just failed.
  const std::string& error() const;
  // Whether the record is no JSON, or no object: then `error_at` is where, from its beginning, and
  // the error is a part of a sentence. Else it is a sentence about a column.
  bool is_malformed() const;
  std::size_t error_at() const;

 private:
  class Walk;
  std::unique_ptr<Walk> walk_;
};

}  // namespace tranche
