#include "connectors/csv_shape.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "connectors/bad_file.h"
#include "formats/csv_guess.h"

namespace tranche {
namespace {

// The guesses of one source's columns.
struct Sample {
  std::vector<std::string> names;
  std::vector<TypeGuess> guesses;
};

class Sampler {
 public:
  Sampler(const std::string& name, std::uint64_t end, const CsvDialect& dialect)
      : name_(name),
        end_(end),
        dialect_(dialect),
        guess_(dialect.date_formats, dialect.timestamp_formats),
        splitter_(dialect) {}

  // Looks at up to `records_max` records from `begin` on.
  Result<void> look(const TextFile& file, std::uint64_t begin, std::size_t records_max,
                    Sample& sample) {
    CsvCursor::Use use;
    use.begin = begin;
    use.end = end_;
    CsvCursor cursor(file, name_, dialect_, false, CsvCursor::Find::records, use);
    for (std::size_t seen = 0; seen < records_max;) {
      TRANCHE_ASSIGN(const auto block, cursor.next());
      if (block.empty()) break;
      for (const auto& record : block) {
        if (record.fault == CsvFault::none) add(cursor.at(record.offset), record, sample);
        if (++seen == records_max) break;
      }
    }
    return {};
  }

 private:
  void add(const char* begin, const CsvRecord& record, Sample& sample) {
    const char* const end = begin + record.bytes;
    const std::size_t count = splitter_.split(begin, begin, end, record.quoted, {});
    if (sample.names.empty()) {
      for (std::size_t i = 0; i < count; ++i) sample.names.push_back(fmt::format("column{}", i));
      sample.guesses.resize(count, guess_);
    }
    if (count != sample.names.size()) return;  // rejected later; it tells nothing about types
    fields_.resize(count);
    splitter_.split(begin, begin, end, record.quoted, {fields_.data(), count});
    for (std::size_t i = 0; i < count; ++i) {
      std::string text = splitter_.text(begin, fields_[i]);
      const bool is_null =
          (!fields_[i].quoted() || dialect_.quoted_nulls) &&
          std::find(dialect_.nulls.begin(), dialect_.nulls.end(), text) != dialect_.nulls.end();
      if (is_null) continue;
      if (dialect_.decimal_comma && text.find('.') == std::string::npos) {
        std::replace(text.begin(), text.end(), ',', '.');
      }
      sample.guesses[i].add(text, fields_[i].quoted());
    }
  }

  const std::string& name_;
  const std::uint64_t end_;
  const CsvDialect& dialect_;
  const TypeGuess guess_;
  CsvFields splitter_;
  std::vector<CsvField> fields_;
};

std::string quoted_list(const std::vector<std::string>& names) {
  std::vector<std::string> quoted;
  for (const auto& name : names) quoted.push_back(fmt::format("\"{}\"", name));
  return join(quoted, ", ");
}

Error header_mismatch(const std::string& name, const std::vector<std::string>& unknown,
                      const std::vector<std::string>& missing, const Schema& schema) {
  std::string text = fmt::format("The header of {} is not the expected one:", name);
  if (!missing.empty()) text += fmt::format(" it lacks {}", quoted_list(missing));
  if (!unknown.empty()) {
    text += fmt::format("{} it has {}, which nobody declared", missing.empty() ? "" : ", and",
                        quoted_list(unknown));
    const auto names = schema.names();
    if (const auto near = nearest(unknown[0], names)) text += fmt::format(" (\"{}\"?)", *near);
  }
  text += ".";
  if (!unknown.empty()) text += " Declare it in `columns:`, or say `extra_columns: undeclared`.";
  if (!missing.empty()) text += " For nulls in its place, say `missing_columns: null`.";
  return make_error(ErrorKind::config, std::move(text), name);
}

}  // namespace

Result<std::vector<CsvHead>> read_csv_heads(const TextInputs& files, const CsvDialect& dialect,
                                            FileFaults* faults) {
  std::vector<CsvHead> heads(files.inputs.size());
  const auto read = [&](std::size_t i) -> Result<void> {
    TRANCHE_ASSIGN(const TextFile file, files.open(i));
    TRANCHE_ASSIGN(heads[i], read_csv_head(file, files.end_of(i), files.inputs[i].name, dialect));
    return {};
  };
  for (std::size_t i = 0; i < files.inputs.size(); ++i) {
    if (faults != nullptr) TRANCHE_TRY(files.check_size(i));
    const auto done = read(i);
    if (!done && (faults == nullptr || may_pass(done.error()))) return done.error();
    if (!done) (*faults)[i] = done.error().message;
  }
  return heads;
}

Result<SchemaPtr> guess_csv_schema(const TextInputs& files, const std::vector<CsvHead>& heads,
                                   const CsvDialect& dialect, FileFaults* faults) {
  Sample sample;
  for (const std::size_t i : sampled_inputs(files)) {
    const CsvHead& head = heads[i];
    if (faults != nullptr && !(*faults)[i].empty()) continue;
    if (head.empty()) {
      TRANCHE_ASSIGN(const TextFile file, files.open(i));
      TRANCHE_ASSIGN(const bool is_empty, ends_at(file, head.data_begin));
      if (is_empty) continue;
    }
    if (sample.names.empty()) {
      sample.names = head.names;
      sample.guesses.resize(head.names.size(),
                            TypeGuess(dialect.date_formats, dialect.timestamp_formats));
    } else if (dialect.header && head.names != sample.names) {
      continue;  // said when the columns are matched
    }
    Sampler sampler(files.inputs[i].name, files.end_of(i), head.dialect);
    const auto look = [&](const TextFile& file, std::uint64_t begin, std::size_t records_max) {
      return sampler.look(file, begin, records_max, sample);
    };
    const auto sampled =
        sample_text(files, i, head.data_begin, head.dialect.return_ends_lines, look);
    if (!sampled && (faults == nullptr || may_pass(sampled.error()))) return sampled.error();
    if (!sampled) (*faults)[i] = sampled.error().message;
  }
  if (sample.names.empty()) {
    return make_error(ErrorKind::config,
                      fmt::format("{} is empty, so its columns can't be guessed; declare them in "
                                  "`columns:`.", files.inputs.empty() ? std::string("The input")
                                                                      : files.inputs[0].name));
  }
  auto schema = std::make_shared<Schema>();
  for (std::size_t i = 0; i < sample.names.size(); ++i) {
    schema->fields.push_back(Field{sample.names[i], sample.guesses[i].type()});
  }
  return SchemaPtr(std::move(schema));
}

Result<std::shared_ptr<const CsvColumns>> match_csv_columns(const SchemaPtr& schema,
                                                            const CsvHead& head,
                                                            const std::string& name,
                                                            const CsvDialect& dialect,
                                                            bool guessed) {
  auto columns = std::make_shared<CsvColumns>();
  columns->schema = schema;
  columns->guessed = guessed;
  const std::size_t count = schema->fields.size();
  if (head.empty()) {  // by position; a file that is empty has none anyway
    columns->fields = static_cast<std::uint32_t>(count);
    for (std::uint32_t i = 0; i < count; ++i) columns->field_of_column.push_back(i);
  } else {
    columns->fields = static_cast<std::uint32_t>(head.names.size());
    columns->field_of_column.assign(count, CsvColumns::absent);
    std::vector<std::string> unknown;
    for (std::uint32_t i = 0; i < head.names.size(); ++i) {
      const auto found = schema->find(head.names[i]);
      if (!found || columns->field_of_column[*found] != CsvColumns::absent) {
        unknown.push_back(head.names[i]);
      } else {
        columns->field_of_column[*found] = i;
      }
    }
    std::vector<std::string> missing;
    for (std::size_t i = 0; i < count; ++i) {
      if (columns->field_of_column[i] != CsvColumns::absent) continue;
      const Field& field = schema->fields[i];
      if (!dialect.missing_columns_null || field.required) missing.push_back(field.name);
    }
    if (dialect.undeclared_ignored) unknown.clear();
    if (!unknown.empty() || !missing.empty()) {
      return header_mismatch(name, unknown, missing, *schema);
    }
  }
  columns->empty_line_is_record = columns->fields == 1 && count > 0 && !schema->fields[0].required;
  return std::shared_ptr<const CsvColumns>(std::move(columns));
}

}  // namespace tranche
