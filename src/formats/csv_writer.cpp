#include "formats/csv_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <tranche/core/value.h>

#include "base/fault.h"
#include "core/digits.h"
#include "formats/digit_kernels.h"

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

char* copy(char* out, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

}  // namespace

// What a row needs of each column, looked up once a page.
struct CsvWriter::PageColumn {
  enum class Kind : std::uint8_t {
    int32, int64, decimal64, timestamp, typed, checked, text, made, formatted,
  };
  const char* values;
  const std::uint64_t* validity;
  std::size_t stride;
  Type type;
  Kind kind;
  const TimeFormat* format = nullptr;  // of Kind::formatted
  std::uint64_t* digits = nullptr;     // of the strip's numbers, where that is what they are
  std::string made = {};               // the text of Kind::made, of the row in work

  bool is_valid(std::size_t row) const {
    return validity == nullptr || ((validity[row >> 6] >> (row & 63)) & 1) != 0;
  }
  template <class T>
  const T& value(std::size_t row) const {
    return reinterpret_cast<const T*>(values)[row];
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
  std::string line;
  for (const auto& field : schema_->fields) {
    if (!line.empty()) line += output_.delimiter;
    std::string text(2 * field.name.size() + 2 + search_padding_bytes, '\0');
    text.resize(static_cast<std::size_t>(write_text(text.data(), field.name, false) - text.data()));
    line += text;
  }
  return line + "\n";
}

CsvWriter::PageColumn CsvWriter::look_up(const Column& column) const {
  using Kind = PageColumn::Kind;
  const Type type = column.type();
  Kind kind = Kind::typed;
  if (type.id == TypeId::varchar || type.id == TypeId::json) {
    kind = Kind::text;
  } else if (type.id == TypeId::blob || is_nested(type)) {
    kind = Kind::made;
  } else if (output_.time_formats.of(type) != nullptr) {
    kind = Kind::formatted;
  } else if (check_typed_) {
    kind = Kind::checked;
  } else if (type.id == TypeId::integer) {
    kind = Kind::int32;
  } else if (type.id == TypeId::bigint) {
    kind = Kind::int64;
  } else if (type.id == TypeId::timestamp) {
    kind = Kind::timestamp;
  } else if (type.id == TypeId::decimal && physical_type(type) == PhysicalType::int64) {
    kind = type.scale == 0 ? Kind::int64 : Kind::decimal64;
  }
  return {column.bytes(), column.validity(), column.stride(),
          type,           kind,              output_.time_formats.of(type)};
}

// Where `bytes` can be written.
char* CsvWriter::make_room(std::size_t bytes) {
  if (capacity_ < bytes) {
    buffer_ = std::make_unique_for_overwrite<char[]>(bytes);
    capacity_ = bytes;
  }
  return buffer_.get();
}

// write_text for strings of up to 32 bytes. The shortest lie in the StringRef itself, behind which
// at least 4 bytes may be read: the next one, or the column's padding. Of the others nothing may be
// read beyond their ends, so two halves are taken, one over the other.
[[gnu::always_inline]] inline char* CsvWriter::write_string(char* out,
                                                            const StringRef& string) const {
  const std::uint32_t length = string.length;
  if (output_.null.empty()) [[likely]] {
    if (length <= 12 && length != 0) {
      std::memcpy(out, string.head, 16);
      if ((special_.matches(string.head) & ((1U << length) - 1)) == 0) [[likely]]
        return out + length;
    } else if (length >= 16 && length <= 32) {
      const char* const last = string.pointer + length - 16;
      const unsigned specials = special_.matches(string.pointer) | special_.matches(last);
      std::memcpy(out, string.pointer, 16);
      std::memcpy(out + length - 16, last, 16);
      if (specials == 0) [[likely]] return out + length;
    } else if (length > 12 && length < 16) {
      std::uint64_t first = 0;
      std::uint64_t last = 0;
      std::memcpy(&first, string.pointer, 8);
      std::memcpy(&last, string.pointer + length - 8, 8);
      std::memcpy(out, &first, 8);
      std::memcpy(out + length - 8, &last, 8);
      if (special_.matches(first, last) == 0) [[likely]] return out + length;
    }
  }
  return write_text(out, string.view(), false);
}

// The digits of numbers, a column at a time; pages have room behind their last row.
void CsvWriter::write_digits(std::size_t row, std::size_t rows) {
  for (const PageColumn& column : columns_) {
    if (column.kind == PageColumn::Kind::int32) {
      write_eight_digits(&column.value<std::int32_t>(row), rows, column.digits);
    } else if (column.kind == PageColumn::Kind::int64 ||
               column.kind == PageColumn::Kind::decimal64) {
      write_eight_digits(&column.value<std::int64_t>(row), rows, column.digits);
    }
  }
}

// REQUIRES room for the row at `out`, which stays a variable of its own: what is written through it
// could be a member as far as the compiler knows.
[[gnu::always_inline]] inline char* CsvWriter::write_row(char* out, std::size_t row,
                                                         std::size_t in_strip) {
  const char delimiter = output_.delimiter[0];
  const bool delimiter_is_long = output_.delimiter.size() > 1;
  for (const PageColumn& column : columns_) {
    if (!column.is_valid(row)) [[unlikely]] {
      out = copy(out, output_.null);
    } else {
      switch (column.kind) {
        case PageColumn::Kind::int32:
          out = put_integer(out, column.value<std::int32_t>(row), column.digits[in_strip]);
          break;
        case PageColumn::Kind::int64:
          out = put_integer(out, column.value<std::int64_t>(row), column.digits[in_strip]);
          break;
        case PageColumn::Kind::decimal64:
          out = put_decimal64(out, column.value<std::int64_t>(row), column.type.scale,
                              column.digits[in_strip]);
          break;
        case PageColumn::Kind::timestamp:
          out = timestamps_.write(out, column.value<std::int64_t>(row));
          break;
        case PageColumn::Kind::text: out = write_string(out, column.value<StringRef>(row)); break;
        default: out = write_other(out, column, row); break;
      }
    }
    *out++ = delimiter;
    if (delimiter_is_long) [[unlikely]]
      out = copy(out, std::string_view(output_.delimiter).substr(1));
  }
  if (!columns_.empty()) out -= output_.delimiter.size();  // there is none behind the last one
  *out++ = '\n';
  return out;
}

void CsvWriter::add(const Page& page) {
  columns_.clear();
  std::vector<const StringRef*> strings;  // of columns whose room depends on the row
  std::vector<std::size_t> made;          // and those whose text is made first
  digits_.resize(page.column_count() * strip_rows_max);
  // What is written of any column goes past its end, delimiter and quotes around it.
  const std::size_t around = output_.delimiter.size() + output_.null.size() + 2;
  std::size_t room_fixed = 1;
  for (std::size_t i = 0; i < page.column_count(); ++i) {
    columns_.push_back(look_up(page.column(i)));
    columns_[i].digits = digits_.data() + i * strip_rows_max;
    room_fixed += around + search_padding_bytes;
    switch (columns_[i].kind) {
      case PageColumn::Kind::text: strings.push_back(&columns_[i].value<StringRef>(0)); break;
      case PageColumn::Kind::made: made.push_back(i); break;
      case PageColumn::Kind::formatted: room_fixed += 2 * TimeFormat::written_bytes_max; break;
      default: room_fixed += 2 * value_text_bytes_max; break;
    }
  }
  const bool drop = page.rows() > 0 && fault_drops_record("encode");
  if (bytes_.empty()) bytes_.reserve(bytes_expected_);
  // Few rows, which stay in the nearest cache until they are added to the others.
  const std::size_t strip_rows = made.empty() ? strip_rows_max : 1;
  constexpr std::size_t strip_bytes_max = std::size_t{256} << 10;
  for (std::size_t row = drop ? 1 : 0; row < page.rows();) {
    const std::size_t rows_max = std::min(strip_rows, page.rows() - row);
    std::size_t room = 0;
    std::size_t end = row;
    for (; end < row + rows_max && room < strip_bytes_max; ++end) {
      room += room_fixed;
      for (const StringRef* const values : strings) room += 2 * std::size_t{values[end].length};
    }
    for (const std::size_t i : made) {
      columns_[i].made.clear();
      append_value_text(columns_[i].made, page.column(i), row);
      room += 2 * columns_[i].made.size();
    }
    write_digits(row, end - row);
    char* const begin = make_room(room);
    char* out = begin;
    for (std::size_t i = 0; row < end; ++row, ++i) out = write_row(out, row, i);
    bytes_.append(begin, static_cast<std::size_t>(out - begin));
  }
  rows_ += page.rows() - (drop ? 1 : 0);
}

char* CsvWriter::write_other(char* out, const PageColumn& column, std::size_t row) const {
  if (column.kind == PageColumn::Kind::made) return write_text(out, column.made, false);
  const char* const value = column.values + row * column.stride;
  if (column.kind == PageColumn::Kind::typed) return write_value_text(out, column.type, value);
  if (column.kind == PageColumn::Kind::formatted) {
    char text[TimeFormat::written_bytes_max];
    const char* const end = write_time_by(*column.format, text, column.type, value);
    return write_text(out, {text, static_cast<std::size_t>(end - text)}, false);
  }
  char text[value_text_bytes_max];
  const char* const end = write_value_text(text, column.type, value);
  return write_text(out, {text, static_cast<std::size_t>(end - text)}, true);
}

char* CsvWriter::write_text(char* out, std::string_view text, bool is_typed) const {
  if ((text.empty() && !is_typed) || text == output_.null) return write_quoted(out, text);
  // It is copied first and looked at in place, where the bytes behind it may be read.
  copy(out, text);
  if (needs_quotes(out, out + text.size())) return write_quoted(out, text);
  return out + text.size();
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

char* CsvWriter::write_quoted(char* out, std::string_view text) const {
  *out++ = output_.quote;
  for (const char c : text) {
    if (c == output_.quote) *out++ = c;
    *out++ = c;
  }
  *out++ = output_.quote;
  return out;
}

std::string CsvWriter::take() {
  constexpr std::size_t kept_bytes_max = std::size_t{4} << 20;
  if (capacity_ > kept_bytes_max) {  // one huge row must not cost its memory for ever
    buffer_.reset();
    capacity_ = 0;
  }
  // As many as the last time or, since a batch ends with a smaller chunk, not many fewer.
  bytes_expected_ = std::min(kept_bytes_max, std::max(bytes_.size() + bytes_.size() / 32,
                                                      bytes_expected_ - bytes_expected_ / 16));
  // It waits for its turn among others: what it took to grow is not to wait with it.
  if (bytes_.capacity() - bytes_.size() > bytes_.size() / 8) bytes_.shrink_to_fit();
  return std::exchange(bytes_, {});
}

}  // namespace tranche
