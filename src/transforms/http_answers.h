// What web services answered about the records of a page, as values of columns.
//
// Threads: belongs to one thread. Lifetime: a value type.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tranche/core/page.h>

#include "formats/json_pointer.h"
#include "formats/jsonl_row.h"

namespace tranche {

struct HttpColumn {
  Field field;
  JsonPointer pointer;  // where in an answer its value is
};

class HttpAnswers {
 public:
  explicit HttpAnswers(std::vector<HttpColumn> columns);

  // Another page, of so many records.
  void begin(std::size_t rows);
  // The values that an answer has, as a record of JSON. Errors: bad_record, as a sentence part
  // behind the answer's status: ", but ...".
  Result<std::string> extract(std::string body) const;
  // The same of JSON, with search_padding_bytes readable behind it.
  Result<std::string> values_of(std::string_view json) const;
  // Of a record that gets no values.
  static std::string nothing() { return "{}"; }
  // Gives the values to a record; what is wrong with them, likewise.
  std::optional<std::string> take(std::string_view values, std::uint32_t row);
  // A row a record.
  const Page& page() const { return *page_; }
  const Schema& schema() const { return page_->schema(); }

 private:
  std::optional<std::string> missing_value(std::uint32_t row) const;

  std::vector<HttpColumn> columns_;
  SchemaPtr schema_;
  JsonlRow reader_;
  std::unique_ptr<Page> page_;
};

}  // namespace tranche
