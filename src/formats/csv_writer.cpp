#include "formats/csv_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <tranche/core/value.h>

#include "base/fault.h"

namespace tranche {
namespace {

// Typed values are made of letters, digits and these: a delimiter or null spelling of other
// characters never meets them.
bool occurs_in_values(std::string_view text) {
  for (const char c : text) {
    const char lower = static_cast<char>(c | 0x20);
    if ((c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z')) return true;
    if (c == '+' || c == '-' || c == '.' || c == ':') return true;
  }
  return false;
}

}  // namespace

CsvWriter::CsvWriter(SchemaPtr schema, const CsvOutput& output)
    : schema_(std::move(schema)),
      output_(output),
      check_typed_(occurs_in_values(output.delimiter) || occurs_in_values(output.null) ||
                   occurs_in_values({&output.quote, 1})),
      formats_times_(!output.time_formats.empty()),
      special_('\n', '\r', output.quote, output.delimiter[0]) {}

std::string CsvWriter::header() const {
  if (!output_.header) return {};
  CsvWriter line(schema_, output_);
  bool first = true;
  for (const auto& field : schema_->fields) {
    if (!first) line.put(output_.delimiter);
    first = false;
    line.add_text(field.name, false);
  }
  line.put("\n");
  return line.take();
}

void CsvWriter::grow(std::size_t room) {
  constexpr std::size_t first_bytes = std::size_t{64} << 10;
  const std::size_t capacity = std::max({capacity_ * 2, capacity_ + room, first_bytes});
  auto larger = std::make_unique_for_overwrite<char[]>(capacity);
  if (length_ > 0) std::memcpy(larger.get(), buffer_.get(), length_);
  buffer_ = std::move(larger);
  capacity_ = capacity;
}

void CsvWriter::put(std::string_view bytes) {
  if (bytes.empty()) return;  // there may be no buffer yet, and memcpy takes no null
  make_room(bytes.size());
  std::memcpy(buffer_.get() + length_, bytes.data(), bytes.size());
  length_ += bytes.size();
}

void CsvWriter::add(const Page& page) {
  const bool drop = page.rows() > 0 && fault_drops_record("encode");
  for (std::size_t row = drop ? 1 : 0; row < page.rows(); ++row) add_row(page, row);
}

void CsvWriter::add_row(const Page& page, std::size_t row) {
  for (std::size_t i = 0; i < page.column_count(); ++i) {
    const Column& column = page.column(i);
    if (i > 0) {
      if (output_.delimiter.size() == 1) [[likely]]
        put_byte(output_.delimiter[0]);
      else
        put(output_.delimiter);
    }
    if (!column.is_valid(row)) {
      put(output_.null);
      continue;
    }
    const Type type = column.type();
    const TimeFormat* const format = formats_times_ ? output_.time_formats.of(type) : nullptr;
    if (format != nullptr) {
      add_time(*format, column, row);
    } else if (type.id == TypeId::varchar) {
      add_text(column.values<StringRef>()[row].view(), false);
    } else if (type.id == TypeId::blob) {
      std::string text;
      append_value_text(text, column, row);
      add_text(text, false);
    } else if (check_typed_) {
      char text[value_text_bytes_max];
      const char* const end = write_value_text(text, type, column.bytes() + row * column.stride());
      add_text({text, static_cast<std::size_t>(end - text)}, true);
    } else {
      make_room(value_text_bytes_max);
      char* const out = buffer_.get() + length_;
      length_ += static_cast<std::size_t>(
          write_value_text(out, type, column.bytes() + row * column.stride()) - out);
    }
  }
  put_byte('\n');
  ++rows_;
}

void CsvWriter::add_time(const TimeFormat& format, const Column& column, std::size_t row) {
  char text[TimeFormat::written_bytes_max];
  const char* const value = column.bytes() + row * column.stride();
  const char* const end = write_time_by(format, text, column.type(), value);
  add_text({text, static_cast<std::size_t>(end - text)}, false);
}

void CsvWriter::add_text(std::string_view text, bool is_typed) {
  if ((text.empty() && !is_typed) || text == output_.null) return add_quoted(text);
  // It is copied first and looked at in place, where the bytes behind it may be read.
  make_room(text.size() + search_padding_bytes);
  char* const out = buffer_.get() + length_;
  std::memcpy(out, text.data(), text.size());
  if (needs_quotes(out, out + text.size())) return add_quoted(text);
  length_ += text.size();
}

bool CsvWriter::needs_quotes(const char* begin, const char* end) const {
  while (true) {
    begin = special_.find(begin, end);
    if (begin == end) return false;
    if (output_.delimiter.size() == 1 || *begin != output_.delimiter[0]) return true;
    // The beginning of a longer delimiter is enough: what follows might complete it.
    const auto left = std::min(static_cast<std::size_t>(end - begin), output_.delimiter.size());
    if (std::memcmp(begin, output_.delimiter.data(), left) == 0) return true;
    ++begin;
  }
}

void CsvWriter::add_quoted(std::string_view text) {
  make_room(2 * text.size() + 2);
  char* out = buffer_.get() + length_;
  *out++ = output_.quote;
  for (const char c : text) {
    if (c == output_.quote) *out++ = c;
    *out++ = c;
  }
  *out++ = output_.quote;
  length_ = static_cast<std::size_t>(out - buffer_.get());
}

std::string CsvWriter::take() {
  constexpr std::size_t kept_bytes_max = std::size_t{4} << 20;
  std::string bytes(buffer_.get(), length_);
  length_ = 0;
  if (capacity_ > kept_bytes_max) {  // one huge chunk must not cost its memory for ever
    buffer_.reset();
    capacity_ = 0;
  }
  return bytes;
}

}  // namespace tranche
