#include <algorithm>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/text.h"
#include "checks.h"
#include "csv_case.h"
#include "formats/csv_reader.h"
#include "formats/csv_reference.h"
#include "formats/value_reference.h"
#include "memory_file.h"

namespace tranche {
namespace {

using Lines = std::vector<std::string>;

// What the reference makes of the records, one line each.
class Expectation {
 public:
  explicit Expectation(const CsvCase& made) : case_(made) {}

  Lines lines(const std::vector<ReferenceRecord>& records) const {
    Lines lines;
    for (const auto& record : records) {
      const auto raw = std::string_view(case_.text).substr(record.offset,
                                                           record.end - record.offset);
      lines.push_back(fmt::format("line {} offset {} raw {} {}", record.line, record.offset,
                                  hex(raw), outcome(record, raw)));
    }
    return lines;
  }

 private:
  std::string outcome(const ReferenceRecord& record, std::string_view raw) const {
    switch (record.fault) {
      case RecordFault::stray_quote: return fmt::format("stray quote {}", record.fault_at);
      case RecordFault::open_quote: return fmt::format("open quote {}", record.fault_at);
      case RecordFault::stray_return: return fmt::format("stray return {}", record.fault_at);
      case RecordFault::long_quote: return fmt::format("long quote {}", record.fault_at);
      case RecordFault::too_long: return "too long";
      case RecordFault::none: break;
    }
    if (const auto at = reference::find_not_utf8(raw)) {
      return fmt::format("not UTF-8 {}", record.offset + *at);
    }
    const CsvDialect& dialect = case_.dialect;
    const std::size_t columns = case_.schema.fields.size();
    const std::size_t found = record.fields.size();
    if ((found > columns && !dialect.extra_columns_ignored) ||
        (found < columns && !dialect.missing_columns_null)) {
      return fmt::format("{} columns", found);
    }
    std::string row;
    for (std::size_t i = 0; i < columns; ++i) {
      const Field& field = case_.schema.fields[i];
      const ReferenceField* const given = i < found ? &record.fields[i] : nullptr;
      if (given == nullptr || is_null(*given)) {
        if (field.required) return fmt::format("bad column {}", i + 1);
        row += " null";
        continue;
      }
      const auto value = parse(field.type, as_written(*given, field.type));
      if (!value) return fmt::format("bad column {}", i + 1);
      row += ' ' + shown_value(field.type, *value);
    }
    return "row" + row;
  }

  // Formats of dates have tests of their own; here it counts that they are used.
  std::optional<std::string> parse(Type type, const std::string& text) const {
    const bool is_date = type.id == TypeId::date;
    const bool is_timestamp = type.id == TypeId::timestamp || type.id == TypeId::timestamptz;
    const auto& dates = case_.dialect.date_formats;
    const auto& timestamps = case_.dialect.timestamp_formats;
    if (is_date && !dates.empty()) return by_formats<std::int32_t>(dates, text);
    if (is_timestamp && !timestamps.empty()) return by_formats<std::int64_t>(timestamps, text);
    return reference::parse(type, text);
  }

  template <class T>
  static std::optional<std::string> by_formats(std::span<const TimeFormat> formats,
                                               std::string_view text) {
    T value = 0;
    if (parse_time_by(formats, text, value) != ParseStatus::ok) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
  }

  bool is_null(const ReferenceField& field) const {
    if (field.quoted && !case_.dialect.quoted_nulls) return false;
    const auto& nulls = case_.dialect.nulls;
    return std::find(nulls.begin(), nulls.end(), field.text) != nulls.end();
  }

  std::string as_written(const ReferenceField& field, Type type) const {
    const bool has_point = type.id == TypeId::decimal || type.id == TypeId::real ||
                           type.id == TypeId::double_;
    std::string text = field.text;
    if (!case_.dialect.decimal_comma || !has_point) return text;
    for (char& c : text) c = c == ',' ? '.' : c == '.' ? ',' : c;
    return text;
  }

  const CsvCase& case_;
};

// What the reader makes of them.
class Reading {
 public:
  explicit Reading(const CsvCase& made) : case_(made), columns_(std::make_shared<CsvColumns>()) {
    file_.set(made.text);
    columns_->schema = std::make_shared<const Schema>(made.schema);
    columns_->fields = static_cast<std::uint32_t>(made.schema.fields.size());
    for (std::uint32_t i = 0; i < columns_->fields; ++i) columns_->field_of_column.push_back(i);
    columns_->empty_line_is_record = made.empty_line_is_record;
  }

  // Of the `records` in [begin, end), the first of which has the ordinal `first`.
  std::string read(std::size_t begin, std::size_t end, std::size_t first_line, std::size_t first,
                   std::size_t records, Lines& lines) const {
    Slice slice;
    slice.begin = begin;
    slice.end = end;
    slice.first_line = first_line;
    slice.first_record = first;
    slice.records = records;
    slice.digest = digest64(std::string_view(case_.text).substr(begin, end - begin));
    CsvReader reader(file_.open(), std::make_shared<const std::string>("input"), case_.dialect,
                     columns_, slice);
    std::vector<std::pair<std::uint64_t, std::string>> found;
    std::vector<Reject> rejects;
    while (true) {
      const auto page = reader.next(rejects);
      if (!page) return page.error().message;
      if (*page == nullptr) break;
      for (std::size_t row = 0; row < (*page)->rows(); ++row) add_row(**page, row, found);
    }
    for (const Reject& reject : rejects) {
      found.emplace_back(reject.record,
                         fmt::format("line {} offset {} raw {} {}", reject.line, reject.offset,
                                     hex(reject.raw), outcome(reject.error)));
    }
    std::sort(found.begin(), found.end());
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (found[i].first != first + i) return fmt::format("record {} is missing", first + i);
      lines.push_back(std::move(found[i].second));
    }
    return {};
  }

 private:
  static void add_row(const Page& page, std::size_t row,
                      std::vector<std::pair<std::uint64_t, std::string>>& found) {
    const Origin& origin = page.origins[row];
    std::string line = fmt::format("line {} offset {} raw {} row", page.base.line + origin.line,
                                   origin.offset, hex(page.raw(row)));
    for (std::size_t i = 0; i < page.column_count(); ++i) {
      const Column& column = page.column(i);
      if (!column.is_valid(row)) {
        line += " null";
        continue;
      }
      line += ' ' + shown_value(column, row);
    }
    found.emplace_back(page.base.record + origin.record, std::move(line));
  }

  // The reason in the words of Expectation.
  static std::string outcome(const std::string& error) {
    const auto number = [&error](std::string_view before) {
      const std::size_t at = error.find(before) + before.size();
      return std::atoll(error.c_str() + at);
    };
    if (error.starts_with("The quote at")) return fmt::format("stray quote {}", number("at byte "));
    if (error.starts_with("The quoted field that begins")) {
      return fmt::format("open quote {}", number("at byte "));
    }
    if (error.starts_with("The carriage return at")) {
      return fmt::format("stray return {}", number("at byte "));
    }
    if (error.starts_with("The record is longer") &&
        error.find(": the quoted field that begins") != std::string::npos) {
      return fmt::format("long quote {}", number("at byte "));
    }
    if (error.starts_with("The byte")) return fmt::format("not UTF-8 {}", number("at offset "));
    if (error.starts_with("Expected")) return fmt::format("{} columns", number("found "));
    if (error.starts_with("Column")) return fmt::format("bad column {}", number("Column "));
    if (error.find("longer than max_record") != std::string::npos) return "too long";
    return error;
  }

  const CsvCase& case_;
  std::shared_ptr<CsvColumns> columns_;
  MemoryFile file_;
};

std::string first_difference(const Lines& found, const Lines& expected) {
  for (std::size_t i = 0; i < std::max(found.size(), expected.size()); ++i) {
    const std::string is = i < found.size() ? found[i] : "nothing";
    const std::string should = i < expected.size() ? expected[i] : "nothing";
    if (is != should) return fmt::format("record {}:\n  is     {}\n  should {}", i, is, should);
  }
  return {};
}

// The whole text in one slice, and in two, at every place between records or at five of many.
std::string check_reading(const CsvCase& made) {
  const ReferenceCsv reference(made.text, made.dialect, made.empty_line_is_record);
  const Expectation expectation(made);
  const Reading reading(made);
  const std::size_t bytes = made.text.size();
  const auto check = [&](std::size_t begin, std::size_t end, std::size_t line, std::size_t first) {
    const auto records = reference.records_of(begin, end, line);
    Lines found;
    const std::string error = reading.read(begin, end, line, first, records.size(), found);
    return error.empty() ? first_difference(found, expectation.lines(records)) : error;
  };
  std::string wrong = check(0, bytes, 1, 0);
  const auto records = reference.records();
  const std::size_t step = 1 + records.size() / 5;
  for (std::size_t cut = 1 + made.first_cut % step; cut < records.size(); cut += step) {
    if (!wrong.empty()) return wrong;
    const ReferenceRecord& last = records[cut - 1];
    wrong = check(0, last.next, 1, 0);
    if (wrong.empty()) wrong = check(last.next, bytes, last.line_behind, cut);
    if (!wrong.empty()) wrong = fmt::format("cut at {}: {}", last.next, wrong);
  }
  return wrong;
}

}  // namespace

std::string check_csv(std::string_view input) {
  const CsvCase made = make_csv_case(input);
  for (const FastPath& path : fast_paths) {
    path.choose();
    std::string wrong = check_reading(made);
    if (!wrong.empty()) return fmt::format("{}: {}", path.name, wrong);
  }
  return {};
}

}  // namespace tranche
