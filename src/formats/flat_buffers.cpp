#include "formats/flat_buffers.h"

#include <algorithm>
#include <utility>

namespace tranche {

std::vector<FlatWriter::Place> FlatWriter::table(Place to, std::span<const FlatField> fields) {
  unsigned slots = 0;
  for (const FlatField& field : fields) slots = std::max(slots, field.slot + 1);
  // Where each field lies behind the table's beginning, the widest first.
  std::vector<std::uint16_t> offsets(slots, 0);
  std::size_t end = sizeof(std::int32_t);
  for (const unsigned width : {8U, 4U, 2U, 1U}) {
    for (const FlatField& field : fields) {
      if ((field.bytes == 0 ? 4U : field.bytes) != width) continue;
      end = (end + width - 1) / width * width;
      offsets[field.slot] = static_cast<std::uint16_t>(end);
      end += width;
    }
  }
  const std::size_t vtable_bytes = sizeof(std::uint16_t) * (2 + slots);
  align(8, vtable_bytes);
  append(static_cast<std::uint16_t>(vtable_bytes));
  append(static_cast<std::uint16_t>(end));
  for (const std::uint16_t offset : offsets) append(offset);
  refer(to);
  const std::size_t begin = bytes_.size();
  append(static_cast<std::int32_t>(vtable_bytes));
  bytes_.resize(begin + end, '\0');
  std::vector<Place> places;
  for (const FlatField& field : fields) {
    const std::size_t at = begin + offsets[field.slot];
    if (field.bytes == 0)
      places.push_back(at);
    else
      std::memcpy(bytes_.data() + at, &field.value, field.bytes);
  }
  return places;
}

void FlatWriter::text(Place to, std::string_view text) {
  align(4);
  refer(to);
  append(static_cast<std::uint32_t>(text.size()));
  bytes_ += text;
  bytes_ += '\0';
}

std::vector<FlatWriter::Place> FlatWriter::references(Place to, std::size_t count) {
  align(4);
  refer(to);
  append(static_cast<std::uint32_t>(count));
  std::vector<Place> places;
  for (std::size_t i = 0; i < count; ++i) {
    places.push_back(bytes_.size());
    append(std::uint32_t{0});
  }
  return places;
}

void FlatWriter::pairs(Place to, std::span<const std::pair<std::int64_t, std::int64_t>> values) {
  align(8, sizeof(std::uint32_t));
  refer(to);
  append(static_cast<std::uint32_t>(values.size()));
  for (const auto& [first, second] : values) {
    append(first);
    append(second);
  }
}

std::size_t FlatTable::follow(std::string_view bytes, std::size_t at) {
  if (at + sizeof(std::uint32_t) > bytes.size()) return 0;
  const std::size_t to = at + read<std::uint32_t>(bytes, at);
  return to + sizeof(std::uint32_t) <= bytes.size() ? to : 0;
}

std::size_t FlatTable::field(unsigned slot) const {
  if (at_ == 0) return 0;
  const std::int64_t vtable = static_cast<std::int64_t>(at_) - read<std::int32_t>(bytes_, at_);
  const auto size = static_cast<std::int64_t>(bytes_.size());
  if (vtable < 0 || vtable + 4 > size) return 0;
  const auto begin = static_cast<std::size_t>(vtable);
  const std::size_t entry = 4 + std::size_t{2} * slot;
  const auto bytes = read<std::uint16_t>(bytes_, begin);
  if (entry + 2 > bytes || begin + entry + 2 > bytes_.size()) return 0;
  const auto offset = read<std::uint16_t>(bytes_, begin + entry);
  return offset == 0 ? 0 : at_ + offset;
}

std::size_t FlatTable::vector(unsigned slot, std::size_t element_bytes, std::size_t& count) const {
  count = 0;
  const std::size_t at = field(slot);
  const std::size_t begin = at == 0 ? 0 : follow(bytes_, at);
  if (begin == 0) return 0;
  const std::size_t elements = read<std::uint32_t>(bytes_, begin);
  if (elements > (bytes_.size() - begin - 4) / element_bytes) return 0;
  count = elements;
  return begin + 4;
}

std::string_view FlatTable::text(unsigned slot) const {
  std::size_t count = 0;
  const std::size_t begin = vector(slot, 1, count);
  return count == 0 ? std::string_view() : bytes_.substr(begin, count);
}

FlatTable FlatTable::table(unsigned slot) const {
  const std::size_t at = field(slot);
  return at == 0 ? FlatTable() : FlatTable(bytes_, follow(bytes_, at));
}

std::vector<FlatTable> FlatTable::tables(unsigned slot) const {
  std::size_t count = 0;
  const std::size_t begin = vector(slot, 4, count);
  std::vector<FlatTable> made;
  for (std::size_t i = 0; i < count; ++i)
    made.push_back(FlatTable(bytes_, follow(bytes_, begin + 4 * i)));
  return made;
}

std::vector<std::pair<std::int64_t, std::int64_t>> FlatTable::pairs(unsigned slot) const {
  std::size_t count = 0;
  const std::size_t begin = vector(slot, 16, count);
  std::vector<std::pair<std::int64_t, std::int64_t>> made;
  for (std::size_t i = 0; i < count; ++i)
    made.emplace_back(read<std::int64_t>(bytes_, begin + 16 * i),
                      read<std::int64_t>(bytes_, begin + 16 * i + 8));
  return made;
}

}  // namespace tranche
