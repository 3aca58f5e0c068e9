// As much of FlatBuffers as Arrow's messages need: tables, vectors and texts, written front to back
// and read with every place checked.
//
// Threads: value types. Lifetime: a FlatTable points into the bytes that it was made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tranche {

// One field of a table to be written; `bytes` 0: it refers to something that is written later.
struct FlatField {
  unsigned slot;
  unsigned bytes;
  std::int64_t value = 0;
};

class FlatWriter {
 public:
  // Places in the bytes where a reference stands, which is yet to be set.
  using Place = std::size_t;

  FlatWriter() { bytes_.assign(sizeof(std::uint32_t), '\0'); }  // that to the root
  static constexpr Place root = 0;

  // `to` refers to a table that begins here; gives the places of its references, in order.
  std::vector<Place> table(Place to, std::span<const FlatField> fields);
  void text(Place to, std::string_view text);
  // A vector of references.
  std::vector<Place> references(Place to, std::size_t count);
  // A vector of structs of two whole numbers of 64 bits.
  void pairs(Place to, std::span<const std::pair<std::int64_t, std::int64_t>> values);
  std::string take() { return std::move(bytes_); }

 private:
  void align(std::size_t to, std::size_t behind = 0) {
    while ((bytes_.size() + behind) % to != 0) bytes_ += '\0';
  }
  template <class T> void append(T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof raw);
  }
  void refer(Place from) {
    const auto distance = static_cast<std::uint32_t>(bytes_.size() - from);
    std::memcpy(bytes_.data() + from, &distance, sizeof distance);
  }
  std::string bytes_;
};

// A table, or nothing: of that every field has its default.
class FlatTable {
 public:
  FlatTable() = default;
  static FlatTable root_of(std::string_view bytes) { return FlatTable(bytes, follow(bytes, 0)); }

  explicit operator bool() const { return at_ != 0; }
  template <class T> T number(unsigned slot, T otherwise = 0) const {
    const std::size_t at = field(slot);
    return at != 0 && at + sizeof(T) <= bytes_.size() ? read<T>(bytes_, at) : otherwise;
  }
  std::string_view text(unsigned slot) const;
  FlatTable table(unsigned slot) const;
  std::vector<FlatTable> tables(unsigned slot) const;
  std::vector<std::pair<std::int64_t, std::int64_t>> pairs(unsigned slot) const;

 private:
  FlatTable(std::string_view bytes, std::size_t at) : bytes_(bytes), at_(at) {}
  template <class T> static T read(std::string_view bytes, std::size_t at) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
  }
  // Where the reference at `at` leads; 0: nowhere.
  static std::size_t follow(std::string_view bytes, std::size_t at);
  // Where a field lies; 0: the table does not have it.
  std::size_t field(unsigned slot) const;
  // Where a vector's elements begin, and how many there are.
  std::size_t vector(unsigned slot, std::size_t element_bytes, std::size_t& count) const;

  std::string_view bytes_;
  std::size_t at_ = 0;
};

}  // namespace tranche
