// What web services answered about the records of a page, as values of columns.
//
// Threads: belongs to one thread. Lifetime: a value type.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
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
  // Takes the values for a record out of an answer; what is wrong with it, as a sentence part
  // behind the answer's status: ", but ...".
  std::optional<std::string> take(std::string body, std::uint32_t row);
  // The record gets no values.
  std::optional<std::string> take_nothing(std::uint32_t row);
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
