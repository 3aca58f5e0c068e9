#include "formats/page_codec.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "formats/string_kernels.h"

namespace tranche {
namespace {

constexpr std::uint32_t frame_magic = 0x31465054;
constexpr std::size_t frame_header_bytes = 24;
constexpr std::size_t origin_bytes = 24;

constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 7) & ~std::size_t{7}; }

// ---- Writing. `Rows` says which row of the page is the i-th of the frame.

struct AllRows {
  std::size_t count;
  static constexpr bool is_all = true;
  std::size_t size() const { return count; }
  std::size_t operator[](std::size_t i) const { return i; }
};

struct ChosenRows {
  std::span<const std::uint32_t> rows;
  static constexpr bool is_all = false;
  std::size_t size() const { return rows.size(); }
  std::size_t operator[](std::size_t i) const { return rows[i]; }
};

template <class T> void append_number(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void align(std::string& out) { out.resize(aligned(out.size())); }

// Makes room behind `out` and returns where it begins.
char* extend(std::string& out, std::size_t bytes) {
  const std::size_t begin = out.size();
  out.resize(begin + bytes);
  return out.data() + begin;
}

template <class Rows> void append_origins(std::string& out, const Page& page, Rows rows) {
  append_number(out, page.base.line);
  append_number(out, page.base.record);
  append_number(out, std::uint64_t{page.base.source ? page.base.source->size() + 1 : 0});
  if (page.base.source) out += *page.base.source;
  align(out);
  char* place = extend(out, rows.size() * origin_bytes);
  for (std::size_t i = 0; i < rows.size(); ++i, place += origin_bytes) {
    const Origin& origin = page.origins[rows[i]];
    std::memcpy(place, &origin.offset, 8);
    std::memcpy(place + 8, &origin.bytes, 4);
    std::memcpy(place + 12, &origin.line, 4);
    std::memcpy(place + 16, &origin.record, 4);
  }
}

// Appends the validity bits of the rows; false, and nothing is appended, when none of them is null.
template <class Rows> bool append_validity(std::string& out, const Column& column, Rows rows) {
  if (!column.has_nulls()) return false;
  const std::size_t begin = out.size();
  bool has_nulls = false;
  for (std::size_t first = 0; first < rows.size(); first += 64) {
    const std::size_t count = std::min<std::size_t>(64, rows.size() - first);
    const std::uint64_t all = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    std::uint64_t word = 0;
    if constexpr (Rows::is_all) {
      word = column.validity()[first / 64] & all;
    } else {
      for (std::size_t i = 0; i < count; ++i)
        word |= std::uint64_t{column.is_valid(rows[first + i])} << i;
    }
    has_nulls = has_nulls || word != all;
    append_number(out, word);
  }
  if (!has_nulls) out.resize(begin);
  return has_nulls;
}

template <std::size_t stride, class Rows>
void append_fixed(std::string& out, const Column& column, Rows rows, bool has_nulls) {
  if constexpr (Rows::is_all) {
    if (!has_nulls) {
      out.append(column.bytes(), rows.size() * stride);
      return;
    }
  }
  char* place = extend(out, rows.size() * stride);
  for (std::size_t i = 0; i < rows.size(); ++i, place += stride)
    if (!has_nulls || column.is_valid(rows[i]))
      std::memcpy(place, column.bytes() + rows[i] * stride, stride);
}

// Copies a string without a call where it is short; may write up to string_slack_bytes behind it.
// REQUIRES one of a column: behind a short string stands another, or the column's padding.
constexpr std::size_t string_slack_bytes = 16;
char* copy_string(char* place, const StringRef& string) {
  const std::size_t length = string.length;
  if (length <= 12) {
    std::memcpy(place, string.head, 16);
  } else if (length <= 16) {  // two halves, one over the other
    std::memcpy(place, string.pointer, 8);
    std::memcpy(place + length - 8, string.pointer + length - 8, 8);
  } else if (length <= 32) {
    std::memcpy(place, string.pointer, 16);
    std::memcpy(place + length - 16, string.pointer + length - 16, 16);
  } else {
    std::memcpy(place, string.pointer, length);
  }
  return place + length;
}

template <bool has_nulls, class Rows>
void append_strings(std::string& out, const Column& column, Rows rows) {
  const StringRef* const values = column.values<StringRef>();
  std::size_t total = 0;
  char* place = extend(out, aligned(rows.size() * sizeof(std::uint32_t)));
  for (std::size_t i = 0; i < rows.size(); ++i, place += sizeof(std::uint32_t)) {
    const bool is_there = !has_nulls || column.is_valid(rows[i]);
    const std::uint32_t length = is_there ? values[rows[i]].length : 0;
    std::memcpy(place, &length, sizeof length);
    total += length;
  }
  place = extend(out, total + string_slack_bytes);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!has_nulls || column.is_valid(rows[i])) place = copy_string(place, values[rows[i]]);
  }
  out.resize(static_cast<std::size_t>(place - out.data()));
}

template <class Rows> void append_column(std::string& out, const Column& column, Rows rows);

// The elements of the rows, one row behind the other.
template <class Rows> void append_lists(std::string& out, const Column& column, Rows rows) {
  const ListEntry* const values = column.values<ListEntry>();
  const auto entry_of = [&](std::size_t i) {
    return column.is_valid(rows[i]) ? values[rows[i]] : ListEntry{0, 0};
  };
  const std::size_t total_at = out.size();
  append_number(out, std::uint64_t{0});
  char* place = extend(out, aligned(rows.size() * sizeof(std::uint32_t)));
  std::uint64_t total = 0;
  bool is_all = true;  // the elements lie in the order of the rows, without a gap
  for (std::size_t i = 0; i < rows.size(); ++i, place += sizeof(std::uint32_t)) {
    const ListEntry entry = entry_of(i);
    const auto length = static_cast<std::uint32_t>(entry.length);
    std::memcpy(place, &length, sizeof length);
    is_all = is_all && (length == 0 || entry.offset == total);
    total += length;
  }
  std::memcpy(out.data() + total_at, &total, sizeof total);
  if (is_all) return append_column(out, column.child(0), AllRows{total});
  std::vector<std::uint32_t> elements;
  elements.reserve(total);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const ListEntry entry = entry_of(i);
    for (std::uint64_t at = 0; at < entry.length; ++at)
      elements.push_back(static_cast<std::uint32_t>(entry.offset + at));
  }
  append_column(out, column.child(0), ChosenRows{elements});
}

template <class Rows> void append_column(std::string& out, const Column& column, Rows rows) {
  const std::size_t flag = out.size();
  append_number(out, std::uint64_t{0});
  const std::uint64_t has_nulls = append_validity(out, column, rows) ? 1 : 0;
  std::memcpy(out.data() + flag, &has_nulls, sizeof has_nulls);
  if (is_string(column.type())) {
    if (has_nulls != 0) append_strings<true>(out, column, rows);
    else append_strings<false>(out, column, rows);
  } else if (column.type().id == TypeId::list) {
    append_lists(out, column, rows);
  } else if (column.type().id == TypeId::struct_) {
    for (std::size_t i = 0; i < column.child_count(); ++i)
      append_column(out, column.child(i), rows);
  } else {
    switch (column.stride()) {
      case 1:
        append_fixed<1>(out, column, rows, has_nulls != 0);
        break;
      case 2:
        append_fixed<2>(out, column, rows, has_nulls != 0);
        break;
      case 4:
        append_fixed<4>(out, column, rows, has_nulls != 0);
        break;
      case 8:
        append_fixed<8>(out, column, rows, has_nulls != 0);
        break;
      default:
        append_fixed<16>(out, column, rows, has_nulls != 0);
        break;
    }
  }
  align(out);
}

template <class Rows>
void append_frame(std::string& out, const Page& page, Rows rows, FrameOrigins origins) {
  assert(out.size() % 8 == 0);
  const bool has_origins = origins == FrameOrigins::kept && !page.origins.empty();
  const std::size_t begin = out.size();
  append_number(out, std::uint64_t{0});
  append_number(out, frame_magic);
  append_number(out, std::uint32_t{has_origins});
  append_number(out, static_cast<std::uint32_t>(rows.size()));
  append_number(out, static_cast<std::uint32_t>(page.column_count()));
  if (has_origins) append_origins(out, page, rows);
  for (std::size_t i = 0; i < page.column_count(); ++i) append_column(out, page.column(i), rows);
  const std::uint64_t frame_bytes = out.size() - begin;
  std::memcpy(out.data() + begin, &frame_bytes, sizeof frame_bytes);
}

// ---- Reading. Nothing is believed: every length is compared with what is there before it is used.

// Walks over the parts of a frame.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  // The next `bytes` and the gap behind them; nullptr when there are fewer.
  const char* take(std::size_t bytes) {
    const std::size_t left = bytes_.size() - position_;
    if (bytes > left || aligned(bytes) > left) return nullptr;
    const char* const place = bytes_.data() + position_;
    position_ += aligned(bytes);
    return place;
  }
  template <class T> bool take_number(T& value) {
    static_assert(sizeof(T) == 8);
    const char* const place = take(sizeof value);
    if (place != nullptr) std::memcpy(&value, place, sizeof value);
    return place != nullptr;
  }
  std::size_t position() const { return position_; }
  std::size_t left() const { return bytes_.size() - position_; }

 private:
  std::string_view bytes_;
  std::size_t position_ = 0;
};

Error damaged(std::size_t position) {
  return make_error(
      ErrorKind::failed,
      fmt::format("A segment is damaged at byte {}; run again to encode it anew.", position));
}

struct FrameHeader {
  std::uint64_t bytes;
  std::uint32_t magic;
  std::uint32_t has_origins;
  std::uint32_t rows;
  std::uint32_t columns;
};
static_assert(sizeof(FrameHeader) == frame_header_bytes);

// The least that `rows` rows of `schema` take: nothing is allocated for rows that can't be there.
std::uint64_t least_bytes(Type type, std::uint64_t rows) {
  if (is_string(type)) return 8 + rows * sizeof(std::uint32_t);
  if (type.id == TypeId::list) return 16 + rows * sizeof(std::uint32_t);
  std::uint64_t bytes = 8 + rows * physical_bytes(physical_type(type));
  if (is_nested(type)) {
    for (const TypeMember& member : *type.members) bytes += least_bytes(member.type, rows);
  }
  return bytes;
}

bool take_origins(Cursor& cursor, Page& page) {
  std::uint64_t source_bytes = 0;
  if (!cursor.take_number(page.base.line) || !cursor.take_number(page.base.record) ||
      !cursor.take_number(source_bytes))
    return false;
  if (source_bytes != 0) {
    const char* const source = cursor.take(source_bytes - 1);
    if (source == nullptr) return false;
    page.base.source = std::make_shared<const std::string>(source, source_bytes - 1);
  }
  const char* place = cursor.take(page.rows() * origin_bytes);
  if (place == nullptr) return false;
  page.origins.resize(page.rows());
  for (Origin& origin : page.origins) {
    std::memcpy(&origin.offset, place, 8);
    std::memcpy(&origin.bytes, place + 8, 4);
    std::memcpy(&origin.line, place + 12, 4);
    std::memcpy(&origin.record, place + 16, 4);
    place += origin_bytes;
  }
  return true;
}

bool take_strings(Cursor& cursor, Column& column, std::size_t rows) {
  const char* const lengths = cursor.take(rows * sizeof(std::uint32_t));
  if (lengths == nullptr) return false;
  const auto length_of = [&](std::size_t row) {
    std::uint32_t length = 0;
    std::memcpy(&length, lengths + row * sizeof length, sizeof length);
    return length;
  };
  std::uint64_t total = 0;
  for (std::size_t row = 0; row < rows; ++row) total += length_of(row);
  const char* bytes = cursor.take(total);
  if (bytes == nullptr) return false;
  // As long as 16 bytes may be read at a string, whatever its length.
  const char* const readable_end = bytes + aligned(total) + cursor.left();
  StringRef* const values = column.values<StringRef>();
  std::size_t row = 0;
  for (; row < rows && readable_end - bytes >= 16; ++row) {
    const std::uint32_t length = length_of(row);
    values[row] = make_string(bytes, length);
    bytes += length;
  }
  for (; row < rows; ++row) {
    const std::uint32_t length = length_of(row);
    values[row] = StringRef::make({bytes, length});
    bytes += length;
  }
  return true;
}

bool take_column(Cursor& cursor, Column& column, std::size_t rows);

bool take_lists(Cursor& cursor, Column& column, std::size_t rows) {
  std::uint64_t elements = 0;
  if (!cursor.take_number(elements)) return false;
  const char* const lengths = cursor.take(rows * sizeof(std::uint32_t));
  const Type element = column.child(0).type();
  if (lengths == nullptr || elements > cursor.left() ||  // each takes a byte at least
      least_bytes(element, elements) > cursor.left())
    return false;
  std::uint64_t offset = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    std::uint32_t length = 0;
    std::memcpy(&length, lengths + row * sizeof length, sizeof length);
    column.values<ListEntry>()[row] = {column.is_valid(row) ? offset : 0, length};
    if (length != 0 && !column.is_valid(row)) return false;
    offset += length;
  }
  if (offset != elements) return false;
  column.set_elements(elements);
  return take_column(cursor, column.child(0), elements);
}

bool take_column(Cursor& cursor, Column& column, std::size_t rows) {
  std::uint64_t has_nulls = 0;
  if (!cursor.take_number(has_nulls) || has_nulls > 1) return false;
  if (has_nulls != 0) {
    const std::size_t bytes = (rows + 63) / 64 * sizeof(std::uint64_t);
    const char* const validity = cursor.take(bytes);
    if (validity == nullptr) return false;
    if (rows != 0) {
      std::uint64_t* const words = column.ensure_validity();
      const std::uint64_t behind = rows % 64 == 0 ? 0 : ~std::uint64_t{0} << (rows % 64);
      std::memcpy(words, validity, bytes);
      words[(rows - 1) / 64] |= behind;  // a row that is appended later is no null by itself
    }
  }
  if (is_string(column.type())) return take_strings(cursor, column, rows);
  if (column.type().id == TypeId::list) return take_lists(cursor, column, rows);
  if (column.type().id == TypeId::struct_) {
    for (std::size_t i = 0; i < column.child_count(); ++i)
      if (!take_column(cursor, column.child(i), rows)) return false;
    return true;
  }
  const char* const values = cursor.take(rows * column.stride());
  if (values == nullptr) return false;
  if (rows != 0) std::memcpy(column.bytes(), values, rows * column.stride());
  return true;
}

}  // namespace

void append_page_frame(std::string& out, const Page& page, FrameOrigins origins) {
  append_frame(out, page, AllRows{page.rows()}, origins);
}

void append_page_frame(std::string& out, const Page& page, std::span<const std::uint32_t> rows,
                       FrameOrigins origins) {
  append_frame(out, page, ChosenRows{rows}, origins);
}

PageFrames::PageFrames(SchemaPtr schema, std::shared_ptr<const std::string> bytes)
    : schema_(std::move(schema)), bytes_(std::move(bytes)) {}

Result<std::unique_ptr<Page>> PageFrames::next() {
  if (position_ == bytes_->size()) return std::unique_ptr<Page>();
  Result<std::unique_ptr<Page>> page = take_frame(position_);
  if (!page) position_ = bytes_->size();
  return page;
}

Result<std::unique_ptr<Page>> PageFrames::take_frame(std::size_t frame_begin) {
  const std::string_view rest = std::string_view(*bytes_).substr(frame_begin);
  FrameHeader header{};
  if (rest.size() < frame_header_bytes) return damaged(frame_begin);
  std::memcpy(&header, rest.data(), sizeof header);
  const std::size_t frame_bytes = header.bytes;
  if (header.magic != frame_magic || header.has_origins > 1 || frame_bytes < frame_header_bytes ||
      frame_bytes > rest.size() || frame_bytes % 8 != 0 || header.columns != schema_->fields.size())
    return damaged(frame_begin);
  Cursor cursor(rest.substr(0, frame_bytes));
  cursor.take(frame_header_bytes);
  std::uint64_t least = 0;
  for (const Field& field : schema_->fields) least += least_bytes(field.type, header.rows);
  if (least > cursor.left()) return damaged(frame_begin);
  auto page = std::make_unique<Page>(schema_, header.rows);
  page->set_rows(header.rows);
  if (header.has_origins != 0 && !take_origins(cursor, *page))
    return damaged(frame_begin + cursor.position());
  for (std::size_t i = 0; i < page->column_count(); ++i)
    if (!take_column(cursor, page->column(i), page->rows()))
      return damaged(frame_begin + cursor.position());
  if (cursor.left() != 0) return damaged(frame_begin + cursor.position());
  page->keep_alive.push_back(bytes_);
  position_ = frame_begin + frame_bytes;
  return page;
}

}  // namespace tranche
