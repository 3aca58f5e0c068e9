// Parses a slice of a file of JSON Lines, or of one JSON array, into Pages of typed columns.
//
// A record is one object, on a line of its own or as an element of the array; how its keys become
// columns, jsonl_row.h says.
//
// Threads, lifetime and errors: those of record_reader.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <tranche/core/source.h>

#include "formats/jsonl_row.h"
#include "formats/record_cursor.h"
#include "formats/text_file.h"

namespace tranche {

enum class JsonLayout : std::uint8_t {
  automatic,  // array where the first byte that is no blank is a bracket, and records are objects
  lines,
  array,
};

// What is known of a file once its beginning was looked at.
struct JsonPlace {
  std::uint64_t begin = 0;  // of the records; of an array its bracket
  std::uint64_t line = 1;   // there
  std::uint64_t end = 0;    // of the file; TextFile::unknown_end where it is decoded
  bool is_array = false;
};

struct JsonlDialect {
  JsonRules rules;
  JsonLayout layout = JsonLayout::automatic;
  std::uint64_t max_record_bytes = std::uint64_t{1} << 20;  // a longer record is a reject
};

// Looks at the beginning of a file that ends at `end`. Errors: config, when it is UTF-16, or to be
// an array and none.
Result<JsonPlace> find_json_place(const TextFile& file, const std::string& name, std::uint64_t end,
                                  const JsonlDialect& dialect);
// A cursor over records of the file, lines or elements.
std::unique_ptr<RecordCursor> make_json_cursor(const TextFile& file, const std::string& name,
                                               const JsonlDialect& dialect, const JsonPlace& place,
                                               const RecordCursor::Use& use);

class JsonlReader final : public Reader {
 public:
  // `slice` is one that was cut with the same dialect. A digest of 0 is not compared.
  JsonlReader(TextFile file, std::shared_ptr<const std::string> name, const JsonlDialect& dialect,
              const JsonPlace& place, SchemaPtr schema, const Slice& slice);
  ~JsonlReader() override;
  Result<std::unique_ptr<Page>> next(std::vector<Reject>& rejects) override;
  std::uint64_t bytes_read() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tranche
