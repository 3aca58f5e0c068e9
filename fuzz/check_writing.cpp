#include <fmt/format.h>

#include "base/text.h"
#include "checks.h"
#include "csv_case.h"
#include "formats/csv_reader.h"
#include "formats/csv_reference.h"
#include "formats/csv_writer.h"
#include "formats/value_reference.h"
#include "memory_file.h"

namespace tranche {
namespace {

using Pages = std::vector<std::unique_ptr<Page>>;

// The good rows of the case.
Result<Pages> read_pages(const CsvCase& made, const SchemaPtr& schema) {
  MemoryFile file;
  file.set(made.text);
  auto columns = std::make_shared<CsvColumns>();
  columns->schema = schema;
  columns->fields = static_cast<std::uint32_t>(schema->fields.size());
  for (std::uint32_t i = 0; i < columns->fields; ++i) columns->field_of_column.push_back(i);
  columns->empty_line_is_record = made.empty_line_is_record;
  Slice slice;
  slice.end = made.text.size();
  slice.first_line = 1;
  CsvReader reader(file.open(), std::make_shared<const std::string>("input"), made.dialect, columns,
                   slice);
  Pages pages;
  std::vector<Reject> rejects;
  while (true) {
    TRANCHE_ASSIGN(auto page, reader.next(rejects));
    if (page == nullptr) return pages;
    pages.push_back(std::move(page));
  }
}

CsvOutput output_of(const CsvCase& made) {
  CsvOutput output;
  output.header = false;
  output.delimiter = made.dialect.delimiter;
  output.quote = made.dialect.quote;
  output.null = made.dialect.nulls[0];
  if (output.null.find(output.delimiter[0]) != std::string::npos) output.null.clear();
  return output;
}

// What is wrong with a field that was written of a value.
std::string compare(const ReferenceField& field, const Column& column, std::size_t row,
                    const CsvOutput& output) {
  const bool is_null = !field.quoted && field.text == output.null;
  if (is_null != !column.is_valid(row)) return is_null ? "it became null" : "it was null";
  if (is_null) return {};
  const auto value = reference::parse(column.type(), field.text);
  if (!value) return fmt::format("\"{}\" is no {}", excerpt(field.text), to_string(column.type()));
  const bool is_same = shown_value(column.type(), *value) == shown_value(column, row);
  return is_same ? std::string() : fmt::format("\"{}\" is another value", excerpt(field.text));
}

std::string check_rows(const CsvCase& made) {
  const auto schema = std::make_shared<const Schema>(made.schema);
  const auto pages = read_pages(made, schema);
  if (!pages) return pages.error().message;
  const CsvOutput output = output_of(made);
  CsvWriter writer(schema, output);
  for (const auto& page : *pages) writer.add(*page);
  const std::string text = writer.take();
  CsvDialect dialect;
  dialect.delimiter = output.delimiter;
  dialect.quote = dialect.escape = output.quote;
  const auto records = ReferenceCsv(text, dialect, made.schema.fields.size() == 1).records();
  if (records.size() != writer.rows()) {
    return fmt::format("{} rows were written as {} records", writer.rows(), records.size());
  }
  std::size_t at = 0;
  for (const auto& page : *pages) {
    for (std::size_t row = 0; row < page->rows(); ++row, ++at) {
      if (records[at].fields.size() != page->column_count()) return "a row has other columns";
      for (std::size_t i = 0; i < page->column_count(); ++i) {
        std::string wrong = compare(records[at].fields[i], page->column(i), row, output);
        if (!wrong.empty()) return fmt::format("row {}, column {}: {}", at, i, wrong);
      }
    }
  }
  return {};
}

}  // namespace

std::string check_writing(std::string_view input) {
  const CsvCase made = make_csv_case(input);
  if (made.dialect.quote == 0) return {};  // nothing is written without a quote
  for (const FastPath& path : fast_paths) {
    path.choose();
    std::string wrong = check_rows(made);
    if (!wrong.empty()) return fmt::format("{}: {}", path.name, wrong);
  }
  return {};
}

}  // namespace tranche
