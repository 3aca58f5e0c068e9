// A Page: rows in columnar memory, in the layout of DuckDB's flat vectors.
//
// Threads: a Page is built by one thread; once built it may be read by many.
// Lifetime: a Page owns its fixed-width values and, through `arena` and `keep_alive`, every byte
// its strings point to. A Page never crosses a process; a Segment does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tranche/core/schema.h>

namespace tranche {

// Rows that one vector of DuckDB holds; pages are best filled to a multiple of it.
inline constexpr std::size_t vector_rows = 2048;

// A string in DuckDB's layout (duckdb_string_t): up to 12 bytes inline and zero padded, else a
// 4-byte prefix and a pointer to bytes that somebody else owns.
struct StringRef {
  std::uint32_t length;
  char head[4];
  union {
    char tail[8];
    const char* pointer;
  };

  static StringRef make(std::string_view bytes) {  // REQUIRES bytes.size() < 4 GiB
    const std::uint64_t length = static_cast<std::uint32_t>(bytes.size());
    std::uint64_t first = 0;   // the bytes behind the length, lowest first
    std::uint64_t second = 0;
    if (bytes.size() <= 12) {
      load_short(bytes.data(), bytes.size(), first, second);
      second = second << 32 | first >> 32;
    } else {
      first = load<std::uint32_t>(bytes.data());
      second = reinterpret_cast<std::uintptr_t>(bytes.data());
    }
    // Whole words, since one that is read back after its parts were written waits for them.
    const std::uint64_t words[2] = {first << 32 | length, second};
    StringRef ref;
    std::memcpy(&ref, words, sizeof ref);
    return ref;
  }
  template <class T> static T load(const char* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  // The first 8 of up to 12 bytes and the last 4, zeros behind them, without a loop or a call.
  static void load_short(const char* bytes, std::size_t count, std::uint64_t& first,
                         std::uint64_t& last) {
    if (count >= 8) {
      first = load<std::uint64_t>(bytes);
      last = std::uint64_t{load<std::uint32_t>(bytes + count - 4)} >> (8 * (12 - count));
    } else if (count >= 4) {
      const std::uint64_t behind = load<std::uint32_t>(bytes + count - 4);
      first = load<std::uint32_t>(bytes) | (behind >> (8 * (8 - count))) << 32;
    } else if (count > 0) {
      const auto byte = [&](std::size_t at) {
        return std::uint64_t{static_cast<unsigned char>(bytes[at])} << (8 * at);
      };
      first = byte(0) | byte(count / 2) | byte(count - 1);
    }
  }
  // Points into *this when the string is inline: REQUIRES that *this outlives the view.
  std::string_view view() const {
    const char* const elsewhere = pointer;  // loaded in any case, so that no branch is needed
    const char* const here = reinterpret_cast<const char*>(this) + 4;
    return {length <= 12 ? here : elsewhere, length};
  }
};
static_assert(sizeof(StringRef) == 16);

// A list in DuckDB's layout (duckdb_list_entry): where its elements lie in the column of elements.
struct ListEntry {
  std::uint64_t offset;
  std::uint64_t length;
};
static_assert(sizeof(ListEntry) == 16);

// Grows in blocks; what was handed out never moves. For the bytes of long strings.
class Arena {
 public:
  char* allocate(std::size_t bytes);
  std::string_view copy(std::string_view bytes);
  void clear();  // keeps the largest block for reuse
  std::size_t bytes_reserved() const { return reserved_; }

 private:
  struct Block { std::unique_ptr<char[]> bytes; std::size_t size = 0; };
  std::vector<Block> blocks_;
  std::size_t used_ = 0;  // of the last block
  std::size_t reserved_ = 0;
};

// One column: values of one physical type and a bit a row that says whether the row is not null
// (bit set = there is a value; no bits at all = no nulls), in Arrow's and DuckDB's bit order.
//
// A struct has a child column for each member, with the same rows; where it is null, they are too.
// A list has one child, the elements of all its rows, in any order, maybe with gaps, maybe shared;
// each row is a ListEntry, that of a null is {0, 0}.
class Column {
 public:
  explicit Column(Type type);

  Type type() const { return type_; }
  std::size_t stride() const { return stride_; }
  // Room for `rows` values, 64 bytes of padding behind them; keeps what is there.
  void reserve(std::size_t rows);
  std::size_t capacity() const { return capacity_; }

  template <class T> T* values() { return reinterpret_cast<T*>(bytes_.get()); }
  template <class T> const T* values() const { return reinterpret_cast<const T*>(bytes_.get()); }
  char* bytes() { return bytes_.get(); }
  const char* bytes() const { return bytes_.get(); }

  bool has_nulls() const { return !validity_.empty(); }
  bool is_valid(std::size_t row) const {
    return validity_.empty() || ((validity_[row >> 6] >> (row & 63)) & 1) != 0;
  }
  void set_null(std::size_t row);  // and its value 0; REQUIRES row < capacity()
  void set_valid(std::size_t row) {  // takes back a null; REQUIRES row < capacity()
    if (!validity_.empty()) validity_[row >> 6] |= std::uint64_t{1} << (row & 63);
  }
  const std::uint64_t* validity() const { return validity_.empty() ? nullptr : validity_.data(); }
  std::uint64_t* ensure_validity();  // all valid when there was none
  void clear();
  std::size_t bytes_reserved() const;

  std::size_t child_count() const { return children_.size(); }
  Column& child(std::size_t index) { return children_[index]; }
  const Column& child(std::size_t index) const { return children_[index]; }
  // How many elements a list column has in all.
  std::size_t elements() const { return elements_; }
  // Makes room for them in the child. REQUIRES a list; elements above the new number are forgotten.
  void set_elements(std::size_t elements) {
    if (elements > children_[0].capacity()) grow_elements(elements);
    elements_ = elements;
  }

 private:
  struct Release {
    void operator()(char* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  void grow_elements(std::size_t elements);

  Type type_;
  std::size_t stride_;
  std::size_t capacity_ = 0;
  std::unique_ptr<char[], Release> bytes_;
  std::vector<std::uint64_t> validity_;
  std::vector<Column> children_;
  std::size_t elements_ = 0;
};

// Where a record came from, relative to the page's `base`.
struct Origin {
  std::uint64_t offset = 0;  // first byte in the file, from 0 (databases: unused)
  std::uint32_t bytes = 0;   // length without the line end
  std::uint32_t line = 0;    // + base.line
  std::uint32_t record = 0;  // + base.record
};
struct OriginBase {
  std::shared_ptr<const std::string> source;  // the path as the user wrote it, or a table's name
  std::uint64_t line = 0;                     // from 1 with the header; 0: no lines
  std::uint64_t record = 0;                   // ordinal in the step, from 0
  const char* raw = nullptr;                  // the byte at `raw_offset`, while the page lives
  std::uint64_t raw_offset = 0;
};

class Page {
 public:
  explicit Page(SchemaPtr schema, std::size_t capacity = vector_rows);
  // Takes columns that were filled elsewhere. REQUIRES those of the schema, each with room for
  // `capacity` rows.
  Page(SchemaPtr schema, std::vector<Column> columns, std::size_t capacity)
      : schema_(std::move(schema)), columns_(std::move(columns)), capacity_(capacity) {}

  const Schema& schema() const { return *schema_; }
  const SchemaPtr& schema_ptr() const { return schema_; }
  std::size_t rows() const { return rows_; }
  void set_rows(std::size_t rows) { rows_ = rows; }  // REQUIRES rows <= capacity()
  std::size_t capacity() const { return capacity_; }
  void reserve(std::size_t rows);
  Column& column(std::size_t index) { return columns_[index]; }
  const Column& column(std::size_t index) const { return columns_[index]; }
  std::size_t column_count() const { return columns_.size(); }
  void clear();  // no rows, no strings, buffers kept

  Arena arena;                                          // bytes of strings made for this page
  std::vector<std::shared_ptr<const void>> keep_alive;  // other owners of bytes strings point to
  OriginBase base;
  std::vector<Origin> origins;  // one a row, or empty when rows are no longer records of the source

  // The record's bytes as they stand in the source; empty when they are not at hand.
  std::string_view raw(std::size_t row) const;
  std::size_t bytes_reserved() const;

 private:
  SchemaPtr schema_;
  std::vector<Column> columns_;
  std::size_t rows_ = 0;
  std::size_t capacity_ = 0;
};

// Copies row `from_row` of `from` behind the last row of `to` (strings into its arena, its origin
// too when `from` has one and both pages have equal bases). REQUIRES equal schemas and room.
void append_row(Page& to, const Page& from, std::size_t from_row);

// Copies a value, null or not, with what it holds; long strings into the arena. REQUIRES equal
// types and row < to.capacity(); elements of lists come behind those that are there.
void copy_value(Column& to, std::size_t row, const Column& from, std::size_t from_row,
                Arena& arena);

// A row as one JSON object in UTF-8 (blobs as hexadecimal): for rejects of rows that have no bytes
// of their own.
std::string row_as_json(const Page& page, std::size_t row);

}  // namespace tranche
