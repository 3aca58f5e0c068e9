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

// What a row needs of each column, looked up once a page.
struct CsvWriter::PageColumn {
  const char* values;
  const std::uint64_t* validity;
  std::size_t stride;
  Type type;
  enum class Kind : std::uint8_t { typed, typed_checked, text, blob } kind;

  bool is_valid(std::size_t row) const {
    return validity == nullptr || ((validity[row >> 6] >> (row & 63)) & 1) != 0;
  }
};

CsvWriter::CsvWriter(SchemaPtr schema, const CsvOutput& output)
    : schema_(std::move(schema)),
      output_(output),
      check_typed_(occurs_in_values(output.delimiter) || occurs_in_values(output.null) ||
                   occurs_in_values({&output.quote, 1})),
      special_('\n', '\r', output.quote, output.delimiter[0]) {}

CsvWriter::CsvWriter(CsvWriter&&) noexcept = default;
CsvWriter::~CsvWriter() = default;

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
  make_room(bytes.size());
  std::memcpy(buffer_.get() + length_, bytes.data(), bytes.size());
  length_ += bytes.size();
}

void CsvWriter::add(const Page& page) {
  columns_.clear();
  for (std::size_t i = 0; i < page.column_count(); ++i) {
    const Column& column = page.column(i);
    using Kind = PageColumn::Kind;
    const Kind kind = column.type().id == TypeId::varchar ? Kind::text
                      : column.type().id == TypeId::blob  ? Kind::blob
                      : check_typed_                      ? Kind::typed_checked
                                                          : Kind::typed;
    columns_.push_back(
        {column.bytes(), column.validity(), column.stride(), column.type(), kind});
  }
  const bool drop = page.rows() > 0 && fault_drops_record("encode");
  for (std::size_t row = drop ? 1 : 0; row < page.rows(); ++row) add_row(row);
  rows_ += page.rows() - (drop ? 1 : 0);
}

void CsvWriter::add_row(std::size_t row) {
  bool first = true;
  for (const PageColumn& column : columns_) {
    if (!first) put_delimiter();
    first = false;
    if (!column.is_valid(row)) {
      if (!output_.null.empty()) put(output_.null);
      continue;
    }
    const char* const value = column.values + row * column.stride;
    switch (column.kind) {
      case PageColumn::Kind::typed: {
        make_room(value_text_bytes_max);
        char* const out = buffer_.get() + length_;
        length_ += static_cast<std::size_t>(write_value_text(out, column.type, value) - out);
        break;
      }
      case PageColumn::Kind::typed_checked: {
        char text[value_text_bytes_max];
        const char* const end = write_value_text(text, column.type, value);
        add_text({text, static_cast<std::size_t>(end - text)}, true);
        break;
      }
      case PageColumn::Kind::text: add_string(*reinterpret_cast<const StringRef*>(value)); break;
      case PageColumn::Kind::blob: {
        std::string text;
        append_value_text(text, column.type, value);
        add_text(text, false);
        break;
      }
    }
  }
  put_byte('\n');
}

void CsvWriter::put_delimiter() {
  if (output_.delimiter.size() == 1) [[likely]]
    put_byte(output_.delimiter[0]);
  else
    put(output_.delimiter);
}

// add_text for short strings, which lie in the StringRef itself. Behind a string of a column at
// least 4 bytes may be read: the next one, or the column's padding.
void CsvWriter::add_string(const StringRef& string) {
  const std::uint32_t length = string.length;
  if (length > 12 || length == 0 || !output_.null.empty()) return add_text(string.view(), false);
  make_room(16);
  char* const out = buffer_.get() + length_;
  std::memcpy(out, string.head, 16);
  if ((special_.matches(out) & ((1U << length) - 1)) != 0) [[unlikely]] {
    return add_text(string.view(), false);
  }
  length_ += length;
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
