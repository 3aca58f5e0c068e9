// A CSV parser that is slow and obvious, against which the fast one is compared.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/csv_dialect.h"

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
  bool broken = false;
  std::vector<ReferenceField> fields;
};

class ReferenceCsv {
 public:
  ReferenceCsv(std::string text, CsvDialect dialect, bool empty_line_is_record)
      : text_(std::move(text)), dialect_(std::move(dialect)), empty_(empty_line_is_record) {}

  std::vector<ReferenceRecord> records() const {
    std::vector<ReferenceRecord> all;
    std::size_t at = 0;
    std::size_t line = 1;
    while (at < text_.size()) {
      const bool skipped = (line_end_at(at) > 0 && !empty_) ||
                           (dialect_.comment != 0 && text_[at] == dialect_.comment);
      ReferenceRecord record;
      record.offset = at;
      record.line = line;
      if (skipped) {
        at = behind_line(at);
        ++line;
        continue;
      }
      if (!parse(record)) {
        record.broken = true;
        record.fields.clear();
        record.end = end_of_line(at);
        record.next = behind_line(at);
      }
      line += count_lines(record.offset, record.next);
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
    return at + 1 < text_.size() && text_[at + 1] == '\n' ? 2 : 1;
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
  bool blank_at(std::size_t at) const {
    return at < text_.size() && (text_[at] == ' ' || text_[at] == '\t') &&
           text_[at] != dialect_.delimiter[0];
  }

  bool parse(ReferenceRecord& record) const {
    std::size_t at = record.offset;
    while (true) {
      if (!parse_field(record, at)) return false;
      const bool end = at == text_.size() || line_end_at(at) > 0;
      if (end) break;
      at += dialect_.delimiter.size();
    }
    record.end = at;
    record.next = at + line_end_at(at);
    return record.end - record.offset <= dialect_.max_record_bytes;
  }

  // Leaves `at` on the delimiter, the line end or the end of the text.
  bool parse_field(ReferenceRecord& record, std::size_t& at) const {
    ReferenceField field;
    std::size_t start = at;
    while (dialect_.trim && blank_at(start)) ++start;
    if (dialect_.quote != 0 && start < text_.size() && text_[start] == dialect_.quote) {
      field.quoted = true;
      at = start + 1;
      if (!parse_quoted(field, at)) return false;
      while (dialect_.trim && blank_at(at)) ++at;
      if (at < text_.size() && line_end_at(at) == 0 && !delimiter_at(at)) return false;
    } else {
      while (at < text_.size() && line_end_at(at) == 0 && !delimiter_at(at)) {
        if (dialect_.quote != 0 && text_[at] == dialect_.quote) return false;
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
    return true;
  }

  bool is_blank(char c) const { return (c == ' ' || c == '\t') && c != dialect_.delimiter[0]; }

  bool parse_quoted(ReferenceField& field, std::size_t& at) const {
    while (at < text_.size()) {
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
