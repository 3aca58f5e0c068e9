#include "transforms/answers.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "formats/json_text.h"

namespace tranche {
namespace {

constexpr const char* id_column = "_id";
constexpr const char* rows_column = "_rows";
constexpr const char* error_column = "_error";
constexpr std::array protocol_columns{id_column, rows_column, error_column};
constexpr std::size_t result_rows = 8 * vector_rows;

bool is_declared(const Schema& schema, std::string_view name) {
  return schema.find(name).has_value();
}

SchemaPtr shared(Schema schema) { return std::make_shared<const Schema>(std::move(schema)); }

SchemaPtr sent_schema(const Schema& input) {
  Schema made;
  made.fields.push_back({id_column, Type{TypeId::varchar}});
  for (const Field& field : input.fields) made.fields.push_back(field);
  return shared(std::move(made));
}

// What an answer may hold. The input's own columns may be repeated in it, and are passed over.
SchemaPtr answer_schema(const Schema& input, const Schema& added) {
  Schema made;
  for (Field field : added.fields) {
    field.required = false;  // judged when it is known that the answer is a record
    made.fields.push_back(std::move(field));
  }
  made.fields.push_back({id_column, Type{TypeId::varchar}});
  made.fields.push_back({rows_column, Type{TypeId::json}});
  made.fields.push_back({error_column, Type{TypeId::varchar}});
  for (const Field& field : input.fields)
    if (!is_declared(added, field.name)) made.fields.push_back({field.name, Type{TypeId::json}});
  return shared(std::move(made));
}

SchemaPtr id_schema() { return shared(Schema{{{id_column, Type{TypeId::varchar}}}}); }

JsonRules answer_rules() {
  JsonRules rules;
  rules.unknown_key_hint = "declare it in the program's `columns:`";
  return rules;
}

JsonRules lenient_rules() {
  JsonRules rules;
  rules.unknown_keys_ignored = true;
  return rules;
}

std::string text_of(const Page& page, std::size_t column, std::size_t row) {
  if (!page.column(column).is_valid(row)) return {};
  return std::string(page.column(column).values<StringRef>()[row].view());
}

}  // namespace

Result<SchemaPtr> columns_behind_program(const Schema& input, const Schema& added,
                                         ProgramFormat format) {
  for (const char* name : protocol_columns) {
    if (!is_declared(input, name) && !is_declared(added, name)) continue;
    return make_error(ErrorKind::config,
                      fmt::format("A column is called \"{}\", which means something else between "
                                  "Tranche and a program; give it another name, in SQL before it.",
                                  name));
  }
  for (const Field& field : added.fields) {
    if (format == ProgramFormat::csv && is_nested(field.type)) {
      return make_error(ErrorKind::config,
                        fmt::format("Column \"{}\" is a {}, which a line of CSV can't hold; take "
                                    "`format: jsonl`.",
                                    field.name, to_string(field.type)));
    }
  }
  return shared(columns_with(input, added));
}

Answers::Answers(SchemaPtr input, const Schema& added, SchemaPtr output, ProgramFormat format)
    : input_(std::move(input)),
      added_(added),
      output_(std::move(output)),
      sent_(sent_schema(*input_)),
      answer_(answer_schema(*input_, added_)),
      format_(format),
      columns_(*input_, added_, output_),
      json_row_(answer_, answer_rules()),
      id_row_(id_schema(), lenient_rules()),
      csv_fields_(csv_dialect_),
      csv_values_(csv_dialect_, csv_fields_) {}

void Answers::begin(const Page& page) {
  page_ = &page;
  slots_.assign(page.rows(), Slot{});
  rejects_.clear();
  answers_ = std::make_unique<Page>(answer_, std::max<std::size_t>(page.rows(), 1));
  asked_.clear();
  name_records();
}

void Answers::name_records() {
  ids_.clear();
  if (!page_->origins.empty()) {
    ids_ = record_ids(*page_);
    return;
  }
  for (std::size_t row = 0; row < page_->rows(); ++row)
    ids_.push_back(fmt::to_string(ids_given_++));
}

std::string Answers::greeting() const {
  if (format_ == ProgramFormat::arrow) return arrow_schema_message(*sent_);
  return format_ == ProgramFormat::csv ? CsvWriter(sent_, CsvOutput{}).header() : std::string();
}

Result<std::size_t> Answers::answer_bytes(std::string_view heard) const {
  if (format_ == ProgramFormat::arrow) return ArrowStreamReader::message_bytes(heard);
  const std::size_t end = heard.find('\n');
  return end == std::string_view::npos ? 0 : end + 1;
}

void Answers::end_of_output(std::string& heard) const {
  if (!heard.empty() && format_ != ProgramFormat::arrow) heard += '\n';
}

std::string Answers::ask(std::vector<std::uint32_t> rows) {
  asked_ = std::move(rows);
  asked_by_id_.clear();
  next_ = answered_ = named_ = 0;
  suspect_.reset();
  return encode(asked_);
}

std::unique_ptr<Page> Answers::page_to_send(std::span<const std::uint32_t> rows) const {
  auto page = std::make_unique<Page>(sent_, std::max<std::size_t>(rows.size(), 1));
  for (std::size_t i = 0; i < rows.size(); ++i)
    page->column(0).values<StringRef>()[i] = StringRef::make(ids_[rows[i]]);
  for (std::size_t column = 1; column < page->column_count(); ++column) {
    for (std::size_t i = 0; i < rows.size(); ++i)
      copy_value(page->column(column), i, page_->column(column - 1), rows[i], page->arena);
  }
  page->set_rows(rows.size());
  return page;
}

std::string Answers::encode(std::span<const std::uint32_t> rows) {
  if (format_ == ProgramFormat::arrow) return encode_arrow(rows);
  const auto page = page_to_send(rows);
  if (format_ == ProgramFormat::csv) {
    CsvWriter writer(sent_, CsvOutput{});
    writer.add(*page);
    return writer.take();
  }
  JsonlWriter writer(sent_, JsonlOutput{});
  const auto written = writer.add(*page);
  if (written) return writer.take();
  if (rows.size() == 1) {
    reject(rows[0], written.error().message);
    asked_.erase(std::find(asked_.begin(), asked_.end(), rows[0]));
    return {};
  }
  const std::vector<std::uint32_t> all(rows.begin(), rows.end());
  std::string bytes;
  for (const std::uint32_t& row : all) bytes += encode({&row, 1});
  return bytes;
}

std::optional<std::string> Answers::take(std::string_view answer) {
  auto wrong = format_ == ProgramFormat::arrow ? read_arrow(answer)
                                               : understand(answer.substr(0, answer.size() - 1));
  if (wrong && asked_.size() == 1) suspect_ = 0;  // also where it had its answer before
  return wrong;
}

std::optional<std::string> Answers::understand(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (format_ == ProgramFormat::csv && form_->csv_header.empty()) return read_csv_header(line);
  Reading reading;
  const auto wrong = format_ == ProgramFormat::csv ? read_csv(kept(line), reading)
                                                   : read_json(kept(line), reading);
  if (wrong) return wrong;
  if (reading.id.empty() && is_complete())
    return fmt::format("wrote more than it was asked for: \"{}\"", excerpt(line));
  return place(std::move(reading));
}

// The line, for as long as the page is in work.
std::string_view Answers::kept(std::string_view line) {
  return copy_to_read(line, answers_->arena);
}

std::uint32_t Answers::next_row() {
  const std::size_t row = answers_->rows();
  if (row == answers_->capacity()) answers_->reserve(2 * row);
  return static_cast<std::uint32_t>(row);
}

std::optional<std::string> Answers::read_json(std::string_view line, Reading& reading) {
  const std::string_view text = trim(line);
  if (const auto at = find_invalid_utf8(text))
    return fmt::format("answered something that is not UTF-8: \"{}\"", excerpt(text));
  reading.first = next_row();
  if (text == "null") return std::nullopt;
  return text.starts_with('[') ? read_list(text, reading) : read_object(text, reading, false);
}

std::optional<std::string> Answers::read_list(std::string_view text, Reading& reading) {
  const auto no_list = [&] {
    return fmt::format("answered something that is no JSON: \"{}\"", excerpt(text));
  };
  JsonText walk(text.data(), text.data() + text.size());
  walk.take('[');
  walk.skip_blanks();
  for (bool more = !walk.take(']'); more;) {
    const char* const begin = walk.at();
    if (!walk.skip_value()) return no_list();
    const std::string_view element(begin, static_cast<std::size_t>(walk.at() - begin));
    if (auto wrong = read_object(element, reading, true)) return wrong;
    walk.skip_blanks();
    more = walk.take(',');
    if (!more && !walk.take(']')) return no_list();
    walk.skip_blanks();
  }
  if (walk.at() != walk.end()) return no_list();
  return std::nullopt;
}

std::optional<std::string> Answers::read_object(std::string_view text, Reading& reading,
                                                bool is_element) {
  const std::uint32_t row = next_row();
  if (!json_row_.read(text, *answers_, row)) {
    if (json_row_.is_malformed()) {
      return fmt::format("answered something that is no JSON object, array or null: \"{}\" ({})",
                         excerpt(text), json_row_.error());
    }
    if (reading.error.empty()) reading.error = json_row_.error();
    Page id(id_schema(), 1);
    if (id_row_.read(text, id, 0)) reading.id = text_of(id, 0, 0);
    return std::nullopt;
  }
  const std::size_t protocol = added_.fields.size();
  std::string id = text_of(*answers_, protocol, row);
  if (!id.empty()) reading.id = std::move(id);
  if (answers_->column(protocol + 2).is_valid(row)) {
    reading.error = text_of(*answers_, protocol + 2, row);
    if (reading.error.empty()) reading.error = "The program rejected it.";
    return std::nullopt;
  }
  if (!is_element && answers_->column(protocol + 1).is_valid(row)) {
    const std::string_view rows = answers_->column(protocol + 1).values<StringRef>()[row].view();
    if (rows.starts_with('[')) return read_list(kept(rows), reading);
    return fmt::format("answered with a \"_rows\" that is no array: \"{}\"", excerpt(text));
  }
  if (reading.error.empty()) reading.error = missing_value(row);
  answers_->set_rows(row + 1);
  ++reading.rows;
  return std::nullopt;
}

std::string Answers::missing_value(std::uint32_t row) const {
  for (std::size_t column = 0; column < added_.fields.size(); ++column) {
    if (!added_.fields[column].required || answers_->column(column).is_valid(row)) continue;
    return fmt::format("The program's answer has no value for column \"{}\", which is required.",
                       added_.fields[column].name);
  }
  return {};
}

std::string_view Answers::split_csv(std::string_view line) {
  fields_.assign(std::max<std::size_t>(form_->csv_header.size(), 1),
                 CsvField{0, CsvField::absent_mark});
  const bool is_quoted = line.find('"') != std::string_view::npos;
  const CsvFields::Out out{fields_.data(), fields_.size()};
  const char* const begin = line.data();
  const std::size_t count = csv_fields_.split(begin, begin, begin + line.size(), is_quoted, out);
  return count == fields_.size() ? line : std::string_view();
}

std::optional<std::string> Answers::read_csv_header(std::string_view line) {
  const std::string_view text = kept(line);
  const auto columns = static_cast<std::size_t>(std::count(text.begin(), text.end(), ',')) + 1;
  form_->csv_header.assign(columns, {});
  const bool is_header = !split_csv(text).empty();
  std::vector<std::string> names;
  for (const CsvField& field : fields_) names.push_back(csv_fields_.text(text.data(), field));
  form_->csv_header.clear();
  if (!is_header) return fmt::format("began with a broken line of CSV: \"{}\"", excerpt(line));
  for (const std::string& name : names) {
    if (is_declared(*answer_, name)) continue;
    return fmt::format(
        "began with \"{}\", but the first line it writes names the columns of its "
        "answers, and \"{}\" is none of `columns:`",
        excerpt(line), excerpt(name, 40));
  }
  form_->csv_header = std::move(names);
  return std::nullopt;
}

std::optional<std::string> Answers::read_csv(std::string_view line, Reading& reading) {
  if (const auto at = find_invalid_utf8(line))
    return fmt::format("answered something that is not UTF-8: \"{}\"", excerpt(line));
  const std::uint32_t row = reading.first = next_row();
  if (line.empty()) return std::nullopt;
  if (split_csv(line).empty()) {
    return fmt::format("answered with a line that has not the {} columns of its header: \"{}\"",
                       form_->csv_header.size(), excerpt(line));
  }
  for (std::size_t column = 0; column < answer_->fields.size(); ++column)
    answers_->column(column).set_null(row);
  const CsvConverter::Block block{line.data(), fields_.data(), fields_.size(), 1};
  std::vector<CsvBadValue> bad;
  for (std::size_t field = 0; field < form_->csv_header.size(); ++field) {
    const std::size_t column = *answer_->find(form_->csv_header[field]);
    if (column >= added_.fields.size() + protocol_columns.size()) continue;
    answers_->column(column).set_valid(row);
    csv_values_.convert(block, field, answer_->fields[column], static_cast<std::uint32_t>(column),
                        answers_->column(column), row, answers_->arena, bad);
  }
  const std::size_t protocol = added_.fields.size();
  reading.id = text_of(*answers_, protocol, row);
  reading.error = text_of(*answers_, protocol + 2, row);
  if (!reading.error.empty()) return std::nullopt;
  if (answers_->column(protocol + 1).is_valid(row)) {
    if (text_of(*answers_, protocol + 1, row) == "[]") return std::nullopt;
    return fmt::format(
        "answered with a \"_rows\" that is not [], all that it may be in CSV: \"{}\"",
        excerpt(line));
  }
  if (!bad.empty()) {
    const Field& field = answer_->fields[bad.front().column];
    const auto name = std::find(form_->csv_header.begin(), form_->csv_header.end(), field.name);
    const CsvField& wrong = fields_[static_cast<std::size_t>(name - form_->csv_header.begin())];
    reading.error = fmt::format(
        "Column \"{}\": {}.", field.name,
        describe_parse(bad.front().status, field.type, csv_fields_.text(line.data(), wrong)));
    return std::nullopt;
  }
  reading.error = missing_value(row);
  answers_->set_rows(row + 1);
  reading.rows = 1;
  return std::nullopt;
}

// Gives the answer to its record.
std::optional<std::string> Answers::place(Reading reading) {
  while (next_ < asked_.size() && slots_[asked_[next_]].is_settled) ++next_;
  std::size_t at = next_;
  if (reading.id.empty() && asked_.size() > 1) {
    ++answered_;
    return std::nullopt;
  }
  if (!reading.id.empty()) {
    const bool is_next = at < asked_.size() && ids_[asked_[at]] == reading.id;
    if (!is_next) {
      const auto found = find_asked(reading.id);
      if (!found)
        return fmt::format("answered with \"_id\" {}, which it was not asked about",
                           excerpt(reading.id));
      at = *found;
    }
    if (slots_[asked_[at]].is_settled) {
      suspect_ = at;
      return "answered more than once";
    }
    if (is_complete()) return "wrote more than it was asked for";
    ++named_;
  }
  ++answered_;
  if (!reading.error.empty())
    settle(asked_[at], 0, 0, std::move(reading.error));
  else
    settle(asked_[at], reading.first, reading.rows, {});
  return std::nullopt;
}

std::optional<std::size_t> Answers::find_asked(std::string_view id) {
  if (asked_by_id_.empty()) {
    for (std::size_t i = 0; i < asked_.size(); ++i) asked_by_id_.emplace(ids_[asked_[i]], i);
  }
  const auto found = asked_by_id_.find(id);
  return found != asked_by_id_.end() ? std::optional(found->second) : std::nullopt;
}

void Answers::settle(std::uint32_t row, std::uint32_t first, std::uint32_t rows, std::string why) {
  slots_[row] = Slot{true, first, rows};
  if (!why.empty()) rejects_[row] = std::move(why);
}

std::size_t Answers::suspect() const {
  if (suspect_) return *suspect_;
  std::size_t at = 0;
  while (at < asked_.size() && slots_[asked_[at]].is_settled) ++at;
  return at;
}

void Answers::forget(std::span<const std::uint32_t> rows) {
  for (const std::uint32_t row : rows) {
    slots_[row] = Slot{};
    rejects_.erase(row);
  }
}

std::vector<std::uint32_t> Answers::waiting() const {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < slots_.size(); ++row)
    if (!slots_[row].is_settled) rows.push_back(row);
  return rows;
}

std::unique_ptr<Page> Answers::result(std::uint32_t& row, std::uint64_t& filtered) const {
  std::vector<AnsweredColumns::RowAndAnswer> rows;
  for (; row < slots_.size() && rows.size() < result_rows; ++row) {
    const Slot& slot = slots_[row];
    if (slot.rows == 0 && !rejects_.contains(row)) ++filtered;
    for (std::uint32_t i = 0; i < slot.rows; ++i) rows.emplace_back(row, slot.first + i);
  }
  return columns_.join(*page_, *answers_, rows);
}

}  // namespace tranche
