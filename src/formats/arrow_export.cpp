#include "formats/arrow_export.h"

#include <bit>
#include <cstring>

#include <fmt/format.h>

namespace tranche {
namespace {

using Node = ArrowExport::Node;

constexpr std::size_t offset_max = INT32_MAX;

void release_borrowed(ArrowArray* array) { array->release = nullptr; }

std::size_t bit_bytes(std::size_t rows) { return (rows + 7) / 8; }

std::int64_t count_nulls(const Column& column, std::size_t rows) {
  const std::uint64_t* const words = column.validity();
  if (words == nullptr) return 0;
  std::size_t valid = 0;
  for (std::size_t word = 0; word < rows / 64; ++word)
    valid += static_cast<std::size_t>(std::popcount(words[word]));
  if (rows % 64 != 0) {
    const std::uint64_t mask = (std::uint64_t{1} << (rows % 64)) - 1;
    valid += static_cast<std::size_t>(std::popcount(words[rows / 64] & mask));
  }
  return static_cast<std::int64_t>(rows - valid);
}

void set_buffer(Node& node, std::size_t at, const void* data, std::size_t bytes) {
  node.buffers[at] = data;
  node.buffer_bytes[at] = bytes;
}

void export_boolean(const Column& column, std::size_t rows, Node& node) {
  const std::uint8_t* const values = column.values<std::uint8_t>();
  node.bits.assign(bit_bytes(rows) + 1, 0);
  for (std::size_t row = 0; row < rows; ++row)
    node.bits[row >> 3] |= static_cast<std::uint8_t>(values[row] << (row & 7));
  set_buffer(node, 1, node.bits.data(), bit_bytes(rows));
}

template <class T> void widen(const Column& column, std::size_t rows, Int128* out) {
  const T* const values = column.values<T>();
  for (std::size_t row = 0; row < rows; ++row) out[row] = values[row];
}

void export_decimal(const Column& column, std::size_t rows, Node& node) {
  const PhysicalType physical = physical_type(column.type());
  if (physical == PhysicalType::int128)
    return set_buffer(node, 1, column.bytes(), rows * sizeof(Int128));
  node.wide.resize(rows + 1);
  if (physical == PhysicalType::int16)
    widen<std::int16_t>(column, rows, node.wide.data());
  else if (physical == PhysicalType::int32)
    widen<std::int32_t>(column, rows, node.wide.data());
  else
    widen<std::int64_t>(column, rows, node.wide.data());
  set_buffer(node, 1, node.wide.data(), rows * sizeof(Int128));
}

void export_uuid(const Column& column, std::size_t rows, Node& node) {
  const UInt128* const values = column.values<UInt128>();
  node.wide.resize(rows + 1);
  for (std::size_t row = 0; row < rows; ++row) {
    const UInt128 value = values[row] ^ (UInt128{1} << 127);
    const auto high = __builtin_bswap64(static_cast<std::uint64_t>(value >> 64));
    const auto low = __builtin_bswap64(static_cast<std::uint64_t>(value));
    node.wide[row] = static_cast<Int128>(UInt128{low} << 64 | high);
  }
  set_buffer(node, 1, node.wide.data(), rows * sizeof(Int128));
}

Result<void> export_text(const Column& column, std::size_t rows, Node& node) {
  const StringRef* const values = column.values<StringRef>();
  node.offsets.resize(rows + 1);
  std::size_t total = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    node.offsets[row] = static_cast<std::int32_t>(total);
    if (column.is_valid(row)) total += values[row].length;
    if (total > offset_max) {
      return make_error(ErrorKind::failed,
                        fmt::format("The texts of {} records take more than 2 GiB, which Arrow has "
                                    "no way to say; make the step's batches smaller.",
                                    rows));
    }
  }
  node.offsets[rows] = static_cast<std::int32_t>(total);
  if (node.bytes.size() < total) node.bytes.resize(total);
  char* out = node.bytes.data();
  for (std::size_t row = 0; row < rows; ++row) {
    const auto bytes = static_cast<std::size_t>(node.offsets[row + 1] - node.offsets[row]);
    if (bytes > 0) std::memcpy(out, values[row].view().data(), bytes);
    out += bytes;
  }
  set_buffer(node, 1, node.offsets.data(), (rows + 1) * sizeof(std::int32_t));
  set_buffer(node, 2, node.bytes.data(), total);
  return {};
}

Result<void> export_column(const Column& column, std::size_t rows, Node& node);

std::uint64_t first_element(const ListEntry* entries, std::size_t rows) {
  for (std::size_t row = 0; row < rows; ++row)
    if (entries[row].length > 0) return entries[row].offset;
  return 0;
}

// Whether the elements lie in the order of their lists, without gaps.
bool lies_in_order(const ListEntry* entries, std::size_t rows) {
  std::uint64_t next = first_element(entries, rows);
  for (std::size_t row = 0; row < rows; ++row) {
    if (entries[row].length == 0) continue;
    if (entries[row].offset != next) return false;
    next += entries[row].length;
  }
  return true;
}

// The elements in the order of their lists.
const Column& gather(const Column& column, std::size_t rows, Node& node) {
  node.arena.clear();
  node.gathered = std::make_unique<Column>(column.type());
  node.gathered->reserve(rows);
  for (std::size_t row = 0; row < rows; ++row)
    copy_value(*node.gathered, row, column, row, node.arena);
  return *node.gathered;
}

Result<void> export_list(const Column& column, std::size_t rows, Node& node) {
  const bool is_in_order = lies_in_order(column.values<ListEntry>(), rows);
  const Column& from = is_in_order ? column : gather(column, rows, node);
  const ListEntry* const entries = from.values<ListEntry>();
  if (from.elements() > offset_max) {
    return make_error(ErrorKind::failed,
                      "The lists of a page have more elements than Arrow can number; make the "
                      "step's batches smaller.");
  }
  node.offsets.resize(rows + 1);
  std::uint64_t next = first_element(entries, rows);
  for (std::size_t row = 0; row < rows; ++row) {
    node.offsets[row] = static_cast<std::int32_t>(next);
    next += entries[row].length;
  }
  node.offsets[rows] = static_cast<std::int32_t>(next);
  set_buffer(node, 1, node.offsets.data(), (rows + 1) * sizeof(std::int32_t));
  return export_column(from.child(0), from.elements(), *node.children[0]);
}

Result<void> export_values(const Column& column, std::size_t rows, Node& node) {
  switch (column.type().id) {
    case TypeId::boolean:
      export_boolean(column, rows, node);
      return {};
    case TypeId::decimal:
      export_decimal(column, rows, node);
      return {};
    case TypeId::uuid:
      export_uuid(column, rows, node);
      return {};
    case TypeId::varchar:
    case TypeId::blob:
    case TypeId::json:
      return export_text(column, rows, node);
    case TypeId::list:
      return export_list(column, rows, node);
    case TypeId::struct_:
      for (std::size_t i = 0; i < column.child_count(); ++i)
        TRANCHE_TRY(export_column(column.child(i), rows, *node.children[i]));
      return {};
    default:
      set_buffer(node, 1, column.bytes(), rows * column.stride());
      return {};
  }
}

std::int64_t buffer_count(Type type) {
  return is_string(type) ? 3 : type.id == TypeId::struct_ ? 1 : 2;
}

Result<void> export_column(const Column& column, std::size_t rows, Node& node) {
  while (node.children.size() < column.child_count()) {
    node.children.push_back(std::make_unique<Node>());
    node.pointers.push_back(&node.children.back()->array);
  }
  TRANCHE_TRY(export_values(column, rows, node));
  const std::int64_t nulls = count_nulls(column, rows);
  set_buffer(node, 0, nulls > 0 ? column.validity() : nullptr, nulls > 0 ? bit_bytes(rows) : 0);
  node.array = ArrowArray{.length = static_cast<std::int64_t>(rows),
                          .null_count = nulls,
                          .offset = 0,
                          .n_buffers = buffer_count(column.type()),
                          .n_children = static_cast<std::int64_t>(column.child_count()),
                          .buffers = node.buffers,
                          .children = node.pointers.data(),
                          .dictionary = nullptr,
                          .release = release_borrowed,
                          .private_data = nullptr};
  return {};
}

}  // namespace

ArrowExport::ArrowExport() : root_(std::make_unique<Node>()) {}
ArrowExport::~ArrowExport() = default;

Result<const ArrowArray*> ArrowExport::make(const Page& page,
                                            std::span<const std::size_t> columns) {
  Node& root = *root_;
  while (root.children.size() < columns.size()) {
    root.children.push_back(std::make_unique<Node>());
    root.pointers.push_back(&root.children.back()->array);
  }
  for (std::size_t i = 0; i < columns.size(); ++i)
    TRANCHE_TRY(export_column(page.column(columns[i]), page.rows(), *root.children[i]));
  root.array = ArrowArray{.length = static_cast<std::int64_t>(page.rows()),
                          .null_count = 0,
                          .offset = 0,
                          .n_buffers = 1,
                          .n_children = static_cast<std::int64_t>(columns.size()),
                          .buffers = root.buffers,
                          .children = root.pointers.data(),
                          .dictionary = nullptr,
                          .release = release_borrowed,
                          .private_data = nullptr};
  return &root.array;
}

}  // namespace tranche
