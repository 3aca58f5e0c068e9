// Parses a slice of a file of JSON Lines into Pages of typed columns.
//
// A record is one object on one line; its keys are columns, in any order. A column without a key is
// null. A key twice, or one that is no column, is a reject, unless unknown keys are ignored.
//
// Threads, lifetime and errors: those of record_reader.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <tranche/core/source.h>

#include "formats/text_file.h"

namespace tranche {

struct JsonlDialect {
  bool unknown_keys_ignored = false;  // a record may have keys that are no columns
  std::uint64_t max_record_bytes = std::uint64_t{1} << 20;  // a longer line is a reject
};

class JsonlReader final : public Reader {
 public:
  // `slice` is one that was cut with the same dialect. A digest of 0 is not compared.
  JsonlReader(TextFile file, std::shared_ptr<const std::string> name, const JsonlDialect& dialect,
              SchemaPtr schema, const Slice& slice);
  ~JsonlReader() override;
  Result<std::unique_ptr<Page>> next(std::vector<Reject>& rejects) override;
  std::uint64_t bytes_read() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tranche
