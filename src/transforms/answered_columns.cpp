#include "transforms/answered_columns.h"

#include <algorithm>

#include <fmt/format.h>

namespace tranche {

Schema columns_with(const Schema& input, const Schema& added) {
  Schema made = input;
  for (const Field& field : added.fields) {
    if (const auto known = made.find(field.name))
      made.fields[*known] = field;
    else
      made.fields.push_back(field);
  }
  return made;
}

std::vector<std::string> record_ids(const Page& page) {
  std::vector<std::string> ids;
  std::uint64_t same = 0;
  for (std::size_t row = 0; row < page.rows(); ++row) {
    const std::uint64_t record = page.origins[row].record;
    same = row > 0 && record == page.origins[row - 1].record ? same + 1 : 0;
    std::string id = fmt::to_string(page.base.record + record);
    if (same > 0) id += fmt::format(".{}", same);
    ids.push_back(std::move(id));
  }
  return ids;
}

AnsweredColumns::AnsweredColumns(const Schema& input, const Schema& added, SchemaPtr output)
    : output_(std::move(output)) {
  for (const Field& field : output_->fields) {
    const auto given = added.find(field.name);
    sources_.push_back(given ? Source{true, *given} : Source{false, *input.find(field.name)});
  }
}

std::unique_ptr<Page> AnsweredColumns::join(const Page& asked, const Page& answers,
                                            std::span<const RowAndAnswer> rows) const {
  auto made = std::make_unique<Page>(output_, std::max<std::size_t>(rows.size(), 1));
  made->base = asked.base;
  made->keep_alive = asked.keep_alive;
  for (std::size_t column = 0; column < sources_.size(); ++column) {
    const Source source = sources_[column];
    const Column& from =
        source.is_answer ? answers.column(source.column) : asked.column(source.column);
    Column& to = made->column(column);
    for (std::size_t i = 0; i < rows.size(); ++i)
      copy_value(to, i, from, source.is_answer ? rows[i].second : rows[i].first, made->arena);
  }
  if (!asked.origins.empty())
    for (const auto& [row, answer] : rows) made->origins.push_back(asked.origins[row]);
  made->set_rows(rows.size());
  return made;
}

}  // namespace tranche
