// Answers in Arrow: each batch that a program is sent is answered by one batch, whose rows say by
// `_id` whose they are; without that column there is one row a record, in order. A stream may end
// and another one begin.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "base/text.h"
#include "transforms/answers.h"

namespace tranche {
namespace {

std::string_view text_at(const Page& page, std::size_t column, std::size_t row) {
  if (!page.column(column).is_valid(row)) return {};
  return page.column(column).values<StringRef>()[row].view();
}

// The columns of a batch that were chosen, as an array that keeps it alive.
struct Chosen {
  std::shared_ptr<const ArrowHolder> batch;
  std::vector<ArrowArray*> pointers;
};

void release_chosen(ArrowArray* array) {
  delete static_cast<Chosen*>(array->private_data);
  array->release = nullptr;
}

}  // namespace

std::string Answers::encode_arrow(std::span<const std::uint32_t> rows) {
  if (rows.empty()) return {};
  const auto page = page_to_send(rows);
  std::vector<std::size_t> all(page->column_count());
  std::iota(all.begin(), all.end(), 0);
  const auto made = export_.make(*page, all);
  std::string bytes;
  if (made) {
    append_arrow_batch(bytes, export_.root());
  } else {
    for (const std::uint32_t row : rows) reject(row, made.error().message);
    asked_.clear();
  }
  return bytes;
}

std::optional<std::string> Answers::read_arrow(std::string_view message) {
  const auto kind = form_->arrow.take(message);
  if (!kind) return fmt::format("answered with {}", kind.error().message);
  switch (*kind) {
    case ArrowStreamReader::Kind::schema:
      if (form_->arrow_schema) return "answered with a second schema";
      return read_arrow_schema();
    case ArrowStreamReader::Kind::batch:
      if (!form_->arrow_schema) return "answered with a batch before any schema";
      if (is_complete()) return "wrote a batch that it was not asked for";
      return read_arrow_batch();
    case ArrowStreamReader::Kind::end:  // another stream may follow, of other columns
      *form_ = AnswerForm{};
  }
  return std::nullopt;
}

// The columns that mean something, as a schema.
ArrowSchema Answers::chosen_schema(std::vector<ArrowSchema*>& pointers) const {
  const ArrowSchema& given = form_->arrow.schema();
  for (const std::size_t column : form_->arrow_columns) pointers.push_back(given.children[column]);
  ArrowSchema schema{};
  schema.format = "+s";
  schema.n_children = static_cast<std::int64_t>(pointers.size());
  schema.children = pointers.data();
  return schema;
}

// Which of the program's columns mean what.
std::optional<std::string> Answers::read_arrow_schema() {
  const ArrowSchema& schema = form_->arrow.schema();
  const std::size_t rows_place = added_.fields.size() + 1;  // what JSON has for many rows
  Schema taken;
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    const std::string name = schema.children[i]->name;
    const auto place = answer_->find(name);
    if (!place || *place == rows_place) {
      return fmt::format("answered with a column \"{}\", which is none of `columns:`",
                         excerpt(name));
    }
    if (*place > rows_place + 1) continue;  // the record's own
    const Field& field = answer_->fields[*place];
    if (taken.find(field.name))
      return fmt::format("answered with two columns \"{}\"", excerpt(name));
    taken.fields.push_back(field);
    form_->arrow_columns.push_back(static_cast<std::size_t>(i));
    form_->arrow_places.push_back(*place);
  }
  std::vector<ArrowSchema*> pointers;
  if (const auto good = check_arrow_schema(chosen_schema(pointers), taken); !good)
    return fmt::format("answered with columns that do not fit: {}", good.error().message);
  form_->arrow_schema = std::make_shared<const Schema>(std::move(taken));
  return std::nullopt;
}

std::optional<std::string> Answers::read_arrow_batch() {
  auto chosen = std::make_unique<Chosen>();
  chosen->batch = form_->arrow.batch();
  for (const std::size_t column : form_->arrow_columns)
    chosen->pointers.push_back(chosen->batch->array.children[column]);
  ArrowArray array = chosen->batch->array;
  array.n_children = static_cast<std::int64_t>(chosen->pointers.size());
  array.children = chosen->pointers.data();
  array.private_data = chosen.release();
  array.release = release_chosen;
  std::vector<ArrowSchema*> pointers;
  std::vector<ArrowFault> found;
  const auto page =
      import_arrow(chosen_schema(pointers), std::make_shared<const ArrowHolder>(array),
                   form_->arrow_schema, found);
  if (!page) return fmt::format("answered with what is no batch: {}", page.error().message);
  Faults faults;
  for (ArrowFault& fault : found)
    faults.try_emplace(static_cast<std::uint32_t>(fault.row), std::move(fault.why));
  return place_batch(**page, faults);
}

// Puts the rows behind the answers that are there; gives the first one.
std::uint32_t Answers::copy_rows(const Page& batch) {
  const auto first = static_cast<std::uint32_t>(answers_->rows());
  if (answers_->capacity() < first + batch.rows()) answers_->reserve(2 * (first + batch.rows()));
  std::vector<bool> is_given(answer_->fields.size(), false);
  for (std::size_t i = 0; i < form_->arrow_places.size(); ++i) {
    const std::size_t place = form_->arrow_places[i];
    is_given[place] = true;
    for (std::size_t row = 0; row < batch.rows(); ++row)
      copy_value(answers_->column(place), first + row, batch.column(i), row, answers_->arena);
  }
  for (std::size_t place = 0; place < added_.fields.size(); ++place)
    for (std::size_t row = 0; row < batch.rows() && !is_given[place]; ++row)
      answers_->column(place).set_null(first + row);
  answers_->set_rows(first + batch.rows());
  return first;
}

// Why a row is no answer; empty: it is one. `copy`: where it is among the answers.
std::string Answers::fault_of_row(const Page& batch, const Faults& faults, std::uint32_t row,
                                  std::uint32_t copy) const {
  const auto error = form_->arrow_schema->find(answer_->fields[added_.fields.size() + 2].name);
  if (error && batch.column(*error).is_valid(row)) {
    const std::string_view said = text_at(batch, *error, row);
    return said.empty() ? "The program rejected it." : std::string(said);
  }
  const auto fault = faults.find(row);
  return fault != faults.end() ? fault->second : missing_value(copy);
}

// Gives the rows to their records; those that have none are filtered.
std::optional<std::string> Answers::place_batch(const Page& batch, const Faults& faults) {
  const auto rows = static_cast<std::uint32_t>(batch.rows());
  const auto id = form_->arrow_schema->find(answer_->fields[added_.fields.size()].name);
  if (!id && rows != asked_.size()) {
    return fmt::format(
        "answered with {} rows for {} records, and no column _id says whose they are", rows,
        asked_.size());
  }
  const std::uint32_t first = copy_rows(batch);
  std::size_t at = SIZE_MAX;
  for (std::uint32_t begin = 0, end = 0; begin < rows; begin = end) {
    end = begin + 1;
    ++at;  // mostly it is the next one
    if (id) {
      const std::string_view name = text_at(batch, *id, begin);
      while (end < rows && text_at(batch, *id, end) == name) ++end;
      if (at >= asked_.size() || ids_[asked_[at]] != name) {
        const auto found = find_asked(name);
        if (!found) {
          return fmt::format("answered with \"_id\" {}, which it was not asked about",
                             excerpt(name));
        }
        at = *found;
      }
      if (slots_[asked_[at]].is_settled) {
        suspect_ = at;
        return "answered more than once";
      }
    }
    std::string why;
    for (std::uint32_t row = begin; row < end && why.empty(); ++row)
      why = fault_of_row(batch, faults, row, first + row);
    const std::uint32_t count = why.empty() ? end - begin : 0;
    settle(asked_[at], first + begin, count, std::move(why));
  }
  for (const std::uint32_t row : asked_)
    if (!slots_[row].is_settled) settle(row, 0, 0, {});
  answered_ = named_ = asked_.size();
  return std::nullopt;
}

}  // namespace tranche
