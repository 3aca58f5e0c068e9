#include "transforms/http_answers.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/json.h"
#include "formats/json_body.h"

namespace tranche {
namespace {

SchemaPtr schema_of(const std::vector<HttpColumn>& columns) {
  Schema made;
  for (const HttpColumn& column : columns) {
    made.fields.push_back(column.field);
    made.fields.back().required = false;  // judged when it is known what there is
  }
  return std::make_shared<const Schema>(std::move(made));
}

}  // namespace

HttpAnswers::HttpAnswers(std::vector<HttpColumn> columns)
    : columns_(std::move(columns)), schema_(schema_of(columns_)), reader_(schema_, JsonRules{}) {}

void HttpAnswers::begin(std::size_t rows) {
  page_ = std::make_unique<Page>(schema_, std::max<std::size_t>(rows, 1));
  page_->set_rows(rows);
}

// The values are put together to a record of the columns, which is read as JSON Lines are: the same
// rules hold for what fits into which type.
Result<std::string> HttpAnswers::extract(std::string body) const {
  if (columns_.empty()) return nothing();
  TRANCHE_ASSIGN(const std::string_view text, json_of_body(body));
  return values_of(text);
}

Result<std::string> HttpAnswers::values_of(std::string_view json) const {
  std::string record = "{";
  for (const HttpColumn& column : columns_) {
    const auto found = column.pointer.find(json);
    if (!found)
      return make_error(ErrorKind::bad_record,
                        fmt::format(", but its answer {}", found.error().message));
    if (!*found) continue;
    if (record.size() > 1) record += ',';
    append_json_string(record, column.field.name);
    record += ':';
    record += **found;
  }
  return record + '}';
}

std::optional<std::string> HttpAnswers::take(std::string_view values, std::uint32_t row) {
  if (columns_.empty()) return std::nullopt;
  if (!reader_.read(copy_to_read(values, page_->arena), *page_, row))
    return fmt::format(", but its answer does not fit: {}", reader_.error());
  return missing_value(row);
}

std::optional<std::string> HttpAnswers::missing_value(std::uint32_t row) const {
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    if (!columns_[column].field.required || page_->column(column).is_valid(row)) continue;
    return fmt::format(", but without a value for column \"{}\", which is required",
                       columns_[column].field.name);
  }
  return std::nullopt;
}

}  // namespace tranche
