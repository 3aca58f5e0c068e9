#include "formats/jsonl_writer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/fault.h"
#include "base/json.h"
#include "base/text.h"
#include "formats/byte_search.h"

namespace tranche {
namespace {

// What a byte becomes in a string: 0: itself; 'u': \u00XX; else a backslash and this letter.
constexpr std::array<char, 256> escapes = [] {
  std::array<char, 256> table{};
  for (std::size_t i = 0; i < 0x20; ++i) table[i] = 'u';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

bool is_number(const Column& column, std::size_t row) {
  switch (column.type().id) {
    case TypeId::real: return std::isfinite(column.values<float>()[row]);
    case TypeId::double_: return std::isfinite(column.values<double>()[row]);
    case TypeId::boolean: return true;  // written alike: without quotes
    default: return is_numeric(column.type());
  }
}

Error not_utf8(const Page& page, std::size_t row, const std::string& column,
               std::string_view text) {
  std::string place;
  if (row < page.origins.size() && page.base.source != nullptr) {
    place = fmt::format(" (from {}:{})", *page.base.source,
                        page.base.line + page.origins[row].line);
  }
  return make_error(ErrorKind::failed,
                    fmt::format("Column \"{}\" holds text that is not UTF-8, which JSON can't "
                                "hold: \"{}\"{}. Make it a blob, or filter it.",
                                column, excerpt(text), place));
}

}  // namespace

JsonlWriter::JsonlWriter(const SchemaPtr& schema, TimeFormats time_formats)
    : time_formats_(std::move(time_formats)) {
  for (const auto& field : schema->fields) {
    std::string key = keys_.empty() ? "{" : ",";
    append_json_string(key, field.name);
    keys_.push_back(key + ":");
  }
}

void JsonlWriter::grow(std::size_t room) {
  if (buffer_.size() - length_ >= room) return;
  constexpr std::size_t first_bytes = std::size_t{64} << 10;
  buffer_.resize(std::max({buffer_.size() * 2, buffer_.size() + room, first_bytes}));
}

void JsonlWriter::put(std::string_view bytes) {
  grow(bytes.size());
  std::memcpy(buffer_.data() + length_, bytes.data(), bytes.size());
  length_ += bytes.size();
}

Result<void> JsonlWriter::add(const Page& page) {
  const bool drop = page.rows() > 0 && fault_drops_record("encode");
  for (std::size_t row = drop ? 1 : 0; row < page.rows(); ++row) {
    TRANCHE_TRY(add_row(page, row));
  }
  return {};
}

Result<void> JsonlWriter::add_row(const Page& page, std::size_t row) {
  const std::size_t begin = length_;
  for (std::size_t i = 0; i < page.column_count(); ++i) {
    const Column& column = page.column(i);
    put(keys_[i]);
    if (!column.is_valid(row)) {
      put("null");
      continue;
    }
    if (column.type().id != TypeId::varchar) {
      add_value(column, row);
      continue;
    }
    const std::string_view text = column.values<StringRef>()[row].view();
    if (!is_ascii(text.data(), text.data() + text.size()) && !is_utf8(text)) [[unlikely]] {
      length_ = begin;
      return not_utf8(page, row, page.schema().fields[i].name, text);
    }
    add_string(text);
  }
  put(keys_.empty() ? "{}\n" : "}\n");
  ++rows_;
  return {};
}

void JsonlWriter::add_value(const Column& column, std::size_t row) {
  if (column.type().id == TypeId::blob) {
    return add_string(hex(column.values<StringRef>()[row].view()));
  }
  if (const TimeFormat* const format = time_formats_.of(column.type())) {
    char text[TimeFormat::written_bytes_max];
    const char* const value = column.bytes() + row * column.stride();
    const char* const end = write_time_by(*format, text, column.type(), value);
    return add_string({text, static_cast<std::size_t>(end - text)});
  }
  const bool quoted = !is_number(column, row);
  grow(value_text_bytes_max + 2);
  char* out = buffer_.data() + length_;
  if (quoted) *out++ = '"';  // none of these texts has anything to escape
  out = write_value_text(out, column.type(), column.bytes() + row * column.stride());
  if (quoted) *out++ = '"';
  length_ = static_cast<std::size_t>(out - buffer_.data());
}

void JsonlWriter::add_string(std::string_view text) {
  grow(6 * text.size() + 2);  // as if all of it were \u00XX
  char* out = buffer_.data() + length_;
  *out++ = '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const char escape = escapes[byte];
    if (escape == 0) [[likely]] {
      *out++ = c;
      continue;
    }
    *out++ = '\\';
    *out++ = escape;
    if (escape != 'u') continue;
    *out++ = '0';
    *out++ = '0';
    *out++ = "0123456789abcdef"[byte >> 4];
    *out++ = "0123456789abcdef"[byte & 15];
  }
  *out++ = '"';
  length_ = static_cast<std::size_t>(out - buffer_.data());
}

std::string JsonlWriter::take() {
  buffer_.resize(length_);
  length_ = 0;
  return std::exchange(buffer_, std::string());
}

}  // namespace tranche
