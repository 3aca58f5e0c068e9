// A CSV parser that is slow and obvious, against which the fast one is compared.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/csv_dialect.h"
#include "formats/record_scan.h"

namespace tranche {

struct ReferenceField {
  std::string text;
  bool quoted = false;
};

struct ReferenceRecord {
  std::size_t offset = 0;
  std::size_t end = 0;   // without the line end
  std::size_t next = 0;
  std::size_t line = 1;
  std::size_t line_behind = 1;  // the line in which the next record may begin
  RecordFault fault = RecordFault::none;
  std::size_t fault_at = 0;  // of the quote or CR in question; of too_long: the record's offset
  std::vector<ReferenceField> fields;
};

class ReferenceCsv {
 public:
  ReferenceCsv(std::string text, CsvDialect dialect, bool empty_line_is_record)
      : text_(std::move(text)), dialect_(std::move(dialect)), empty_(empty_line_is_record) {}

  // Whether a CR by itself ends the first line, for all of the file.
  static bool return_ends_first_line(std::string text, CsvDialect dialect) {
    if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
    const bool is_comment = dialect.comment != 0 && text.starts_with(dialect.comment);
    if (is_comment || dialect.skip_lines > 0) dialect.quote = 0;
    dialect.comment = 0;
    dialect.return_ends_lines = true;
    const auto records = ReferenceCsv(text, dialect, true).records();
    if (records.empty()) return false;
    const ReferenceRecord& first = records.front();
    return text.substr(first.end, first.next - first.end) == "\r";
  }

  // The records of the slice [begin, end), as if nothing followed it. Its reader can't see more: of
  // a record that is broken further down than its first line, it says that a quote is not closed.
  std::vector<ReferenceRecord> records_of(std::size_t begin, std::size_t end,
                                          std::size_t first_line) const {
    auto all = ReferenceCsv(text_.substr(begin, end - begin), dialect_, empty_).records();
    for (auto& record : all) {
      for (std::size_t* at : {&record.offset, &record.end, &record.next, &record.fault_at}) {
        *at += begin;
      }
      record.line += first_line - 1;
      record.line_behind += first_line - 1;
    }
    return all;
  }

  std::vector<ReferenceRecord> records() const {
    std::vector<ReferenceRecord> all;
    std::size_t at = 0;
    std::size_t line = 1;
    while (at < text_.size()) {
      const bool skipped = (line_end_at(at) > 0 && !empty_) ||
                           (dialect_.comment != 0 && text_[at] == dialect_.comment);
      if (skipped) {
        at = behind_line(at);
        ++line;
        continue;
      }
      ReferenceRecord record;
      record.offset = record.fault_at = at;
      record.line = line;
      record.fault = parse(record);
      if (record.fault == RecordFault::stray_return) {
        record.fields.clear();
      } else if (record.fault != RecordFault::none) {
        if (record.fault == RecordFault::too_long) record.fault_at = record.offset;
        record.fields.clear();
        record.end = end_of_line(at);
        record.next = behind_line(at);
      }
      line += count_lines(record.offset, record.next);
      record.line_behind = line;
      at = record.next;
      all.push_back(std::move(record));
    }
    return all;
  }

 private:
  std::size_t line_end_at(std::size_t at) const {  // its length; 0: there is none
    if (at >= text_.size()) return 0;
    if (text_[at] == '\n') return 1;
    if (text_[at] != '\r') return 0;
    if (at + 1 < text_.size() && text_[at + 1] == '\n') return 2;
    return dialect_.return_ends_lines ? 1 : 0;
  }
  bool stray_return_at(std::size_t at) const {
    return at < text_.size() && text_[at] == '\r' && line_end_at(at) == 0;
  }
  std::size_t end_of_line(std::size_t at) const {
    while (at < text_.size() && line_end_at(at) == 0) ++at;
    return at;
  }
  std::size_t behind_line(std::size_t at) const {
    at = end_of_line(at);
    return at + line_end_at(at);
  }
  std::size_t count_lines(std::size_t from, std::size_t to) const {
    std::size_t lines = 0;
    while (from < to) {
      const std::size_t length = line_end_at(from);
      lines += length > 0 ? 1 : 0;
      from += length > 0 ? length : 1;
    }
    return lines;
  }
  bool delimiter_at(std::size_t at) const {
    return text_.compare(at, dialect_.delimiter.size(), dialect_.delimiter) == 0;
  }
  bool is_blank(char c) const { return (c == ' ' || c == '\t') && c != dialect_.delimiter[0]; }
  bool blank_at(std::size_t at) const { return at < text_.size() && is_blank(text_[at]); }
  bool ends_at(std::size_t at) const { return at >= text_.size() || line_end_at(at) > 0; }
  // Whether a record that is still going on at `at` is longer than any may be.
  bool is_beyond(const ReferenceRecord& record, std::size_t at) const {
    return at - record.offset > dialect_.max_record_bytes;
  }

  RecordFault parse(ReferenceRecord& record) const {
    std::size_t at = record.offset;
    std::optional<std::size_t> stray_return;  // the first one outside quotes
    while (true) {
      const RecordFault fault = parse_field(record, at, stray_return);
      if (fault != RecordFault::none) return fault;
      if (ends_at(at)) break;
      at += dialect_.delimiter.size();
    }
    record.fault_at = record.offset;
    record.end = at;
    record.next = at + line_end_at(at);
    if (!stray_return) return RecordFault::none;
    record.fault_at = *stray_return;
    return RecordFault::stray_return;
  }

  // Leaves `at` on the delimiter, the line end or the end of the text.
  RecordFault parse_field(ReferenceRecord& record, std::size_t& at,
                          std::optional<std::size_t>& stray_return) const {
    ReferenceField field;
    std::size_t start = at;
    while (dialect_.trim && blank_at(start)) ++start;
    if (dialect_.quote != 0 && start < text_.size() && text_[start] == dialect_.quote &&
        !is_beyond(record, start)) {
      record.fault_at = start;
      field.quoted = true;
      at = start + 1;
      if (!parse_quoted(record, field, at)) {
        return is_beyond(record, at) ? RecordFault::long_quote : RecordFault::open_quote;
      }
      while (dialect_.trim && blank_at(at)) ++at;
      if (is_beyond(record, at)) return RecordFault::too_long;
      if (!ends_at(at) && !delimiter_at(at) && !stray_return_at(at)) return RecordFault::open_quote;
    }
    if (!field.quoted || stray_return_at(at)) {
      while (true) {
        if (is_beyond(record, at)) return RecordFault::too_long;
        if (ends_at(at) || delimiter_at(at)) break;
        if (dialect_.quote != 0 && text_[at] == dialect_.quote) {
          record.fault_at = at;
          return RecordFault::stray_quote;
        }
        if (stray_return_at(at) && !stray_return) stray_return = at;
        field.text += text_[at++];
      }
      while (dialect_.trim && !field.text.empty() && is_blank(field.text.front())) {
        field.text.erase(0, 1);
      }
      while (dialect_.trim && !field.text.empty() && is_blank(field.text.back())) {
        field.text.pop_back();
      }
    }
    record.fields.push_back(std::move(field));
    return RecordFault::none;
  }

  bool parse_quoted(const ReferenceRecord& record, ReferenceField& field, std::size_t& at) const {
    while (at < text_.size() && !is_beyond(record, at)) {
      const char c = text_[at];
      const char following = at + 1 < text_.size() ? text_[at + 1] : '\0';
      const bool escapes = c == dialect_.escape && at + 1 < text_.size() &&
                           (following == dialect_.quote || following == dialect_.escape);
      if (escapes) {
        field.text += following;
        at += 2;
      } else if (c == dialect_.quote) {
        ++at;
        return true;
      } else {
        field.text += c;
        ++at;
      }
    }
    return false;
  }

  std::string text_;
  CsvDialect dialect_;
  bool empty_;
};

}  // namespace tranche
