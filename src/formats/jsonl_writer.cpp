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
#include "base/json_syntax.h"
#include "base/text.h"
#include "formats/json_text.h"

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

Error not_writable(const Page& page, std::size_t row, const std::string& column,
                   std::string_view text, bool is_json) {
  std::string place;
  if (row < page.origins.size() && page.base.source != nullptr) {
    place = fmt::format(" (from {}:{})", *page.base.source,
                        page.base.line + page.origins[row].line);
  }
  return make_error(
      ErrorKind::failed,
      is_json ? fmt::format("Column \"{}\" holds a json that is none: \"{}\"{}. Make it a varchar, "
                            "or filter it.", column, excerpt(text), place)
              : fmt::format("Column \"{}\" holds text that is not UTF-8, which JSON can't "
                            "hold: \"{}\"{}. Make it a blob, or filter it.",
                            column, excerpt(text), place));
}

}  // namespace

JsonlWriter::JsonlWriter(const SchemaPtr& schema, const JsonlOutput& output) : output_(output) {
  for (const auto& field : schema->fields) slots_.push_back(make_slot(field.name, field.type));
}

JsonlWriter::Slot JsonlWriter::make_slot(std::string_view name, Type type) {
  Slot slot;
  slot.type = type;
  append_json_string(slot.key, name);
  slot.key += ':';
  if (!is_nested(type)) return slot;
  for (const TypeMember& member : *type.members)
    slot.parts.push_back(make_slot(member.name, member.type));
  return slot;
}

void JsonlWriter::grow(std::size_t room) {
  if (buffer_.size() - length_ >= room) [[likely]] return;
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
  std::size_t column = 0;
  const auto at = [&](std::size_t i) -> const Column& { return page.column(column = i); };
  if (!add_object(slots_, row, at)) [[unlikely]] {
    length_ = begin;
    return not_writable(page, row, page.schema().fields[column].name, bad_, bad_is_json_);
  }
  put("\n");
  ++rows_;
  return {};
}

template <class ColumnAt>
bool JsonlWriter::add_object(const std::vector<Slot>& slots, std::size_t row, ColumnAt at) {
  char before = '{';
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const Column& column = at(i);
    const bool valid = column.is_valid(row);
    if (!valid && output_.omit_nulls) continue;
    const std::string& key = slots[i].key;
    grow(key.size() + 1);
    buffer_[length_++] = before;
    before = ',';
    std::memcpy(buffer_.data() + length_, key.data(), key.size());
    length_ += key.size();
    if (!valid) put("null");
    else if (!add_value(slots[i], column, row)) return false;
  }
  put(before == '{' ? "{}" : "}");
  return true;
}

bool JsonlWriter::add_value(const Slot& slot, const Column& column, std::size_t row) {
  switch (slot.type.id) {
    case TypeId::varchar: return add_text(column.values<StringRef>()[row].view());
    case TypeId::json: return add_json(column.values<StringRef>()[row].view());
    case TypeId::blob: add_blob(column.values<StringRef>()[row].view()); return true;
    case TypeId::list: return add_list(slot, column, row);
    case TypeId::struct_:
      return add_object(slot.parts, row,
                        [&](std::size_t i) -> const Column& { return column.child(i); });
    default: add_scalar(column, row); return true;
  }
}

bool JsonlWriter::add_list(const Slot& slot, const Column& column, std::size_t row) {
  const ListEntry entry = column.values<ListEntry>()[row];
  put("[");
  for (std::uint64_t i = 0; i < entry.length; ++i) {
    if (i > 0) put(",");
    const std::size_t element = entry.offset + i;
    if (!column.child(0).is_valid(element)) put("null");
    else if (!add_value(slot.parts[0], column.child(0), element)) return false;
  }
  put("]");
  return true;
}

// It is copied first and looked at in place, where the bytes behind it may be read.
bool JsonlWriter::add_text(std::string_view text) {
  grow(text.size() + 2 + search_padding_bytes);
  char* const out = buffer_.data() + length_;
  out[0] = '"';
  if (!text.empty()) std::memcpy(out + 1, text.data(), text.size());
  char* const end = out + 1 + text.size();
  if (!is_ascii(out + 1, end) && !is_utf8(text)) [[unlikely]] {
    bad_ = text;
    bad_is_json_ = false;
    return false;
  }
  if (JsonText::string_stop(out + 1, end) != end) [[unlikely]] {
    add_escaped(text);
    return true;
  }
  *end = '"';
  length_ += text.size() + 2;
  return true;
}

bool JsonlWriter::add_json(std::string_view text) {
  if (!is_utf8(text) || find_json_fault(text).what != nullptr) [[unlikely]] {
    bad_ = text;
    bad_is_json_ = true;
    return false;
  }
  const std::size_t begin = length_;
  put(text);
  for (std::size_t i = begin; i < length_; ++i) {
    if (buffer_[i] == '\n' || buffer_[i] == '\r') buffer_[i] = ' ';  // no string of JSON has them
  }
  return true;
}

void JsonlWriter::add_blob(std::string_view bytes) {
  grow(2 * bytes.size() + 2);
  char* out = buffer_.data() + length_;
  *out++ = '"';
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    *out++ = "0123456789abcdef"[byte >> 4];
    *out++ = "0123456789abcdef"[byte & 15];
  }
  *out++ = '"';
  length_ = static_cast<std::size_t>(out - buffer_.data());
}

void JsonlWriter::add_scalar(const Column& column, std::size_t row) {
  if (const TimeFormat* const format = output_.time_formats.of(column.type())) {
    char text[TimeFormat::written_bytes_max];
    const char* const value = column.bytes() + row * column.stride();
    const char* const end = write_time_by(*format, text, column.type(), value);
    return add_escaped({text, static_cast<std::size_t>(end - text)});
  }
  const bool quoted = !is_number(column, row);
  grow(value_text_bytes_max + 2);
  char* out = buffer_.data() + length_;
  if (quoted) *out++ = '"';  // none of these texts has anything to escape
  out = write_value_text(out, column.type(), column.bytes() + row * column.stride());
  if (quoted) *out++ = '"';
  length_ = static_cast<std::size_t>(out - buffer_.data());
}

void JsonlWriter::add_escaped(std::string_view text) {
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
