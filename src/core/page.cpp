#include <tranche/core/page.h>

#include <algorithm>
#include <cassert>
#include <new>

#include <tranche/core/value.h>
#include "base/json.h"

namespace tranche {
namespace {

constexpr std::size_t arena_block_bytes_min = 4096;
constexpr std::size_t arena_block_bytes_max = std::size_t{1} << 20;
constexpr std::size_t column_padding_bytes = 64;  // kernels may read and write a vector too far

std::size_t validity_words(std::size_t rows) { return (rows + 63) / 64; }

// Whether an origin of `from` means the same in `to`.
bool same_base(const OriginBase& to, const OriginBase& from) {
  const bool same_source =
      to.source == from.source || (to.source && from.source && *to.source == *from.source);
  const bool same_raw =
      to.raw == nullptr || (to.raw == from.raw && to.raw_offset == from.raw_offset);
  return same_source && same_raw && to.line == from.line && to.record == from.record;
}

void append_origin(Page& to, const Page& from, std::size_t from_row) {
  if (to.origins.size() != to.rows()) return;  // an earlier row had none
  if (from.origins.empty() || !same_base(to.base, from.base))
    to.origins.clear();  // all or none: half of them would be read as those of other rows
  else
    to.origins.push_back(from.origins[from_row]);
}

}  // namespace

char* Arena::allocate(std::size_t bytes) {
  if (blocks_.empty() || blocks_.back().size - used_ < bytes) {
    const std::size_t next = blocks_.empty() ? arena_block_bytes_min : blocks_.back().size * 2;
    const std::size_t size = std::max(bytes, std::min(next, arena_block_bytes_max));
    blocks_.push_back(Block{std::make_unique_for_overwrite<char[]>(size), size});
    reserved_ += size;
    used_ = 0;
  }
  char* const place = blocks_.back().bytes.get() + used_;
  used_ += bytes;
  return place;
}

std::string_view Arena::copy(std::string_view bytes) {
  char* const place = allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
  return {place, bytes.size()};
}

void Arena::clear() {
  used_ = 0;
  if (blocks_.empty()) return;
  const auto largest =
      std::max_element(blocks_.begin(), blocks_.end(),
                       [](const Block& a, const Block& b) { return a.size < b.size; });
  std::swap(blocks_.front(), *largest);
  blocks_.resize(1);
  reserved_ = blocks_.front().size;
}

Column::Column(Type type) : type_(type), stride_(physical_bytes(physical_type(type))) {
  if (!is_nested(type)) return;
  children_.reserve(type.members->size());
  for (const TypeMember& member : *type.members) children_.emplace_back(member.type);
}

void Column::reserve(std::size_t rows) {
  if (rows <= capacity_) return;
  if (type_.id == TypeId::struct_) {
    for (Column& child : children_) child.reserve(rows);
  }
  const std::size_t bytes = rows * stride_ + column_padding_bytes;
  std::unique_ptr<char[], Release> grown(
      static_cast<char*>(::operator new[](bytes, std::align_val_t{64})));
  if (capacity_ != 0) std::memcpy(grown.get(), bytes_.get(), capacity_ * stride_);
  bytes_ = std::move(grown);
  capacity_ = rows;
  if (!validity_.empty()) validity_.resize(validity_words(rows), ~std::uint64_t{0});
}

void Column::grow_elements(std::size_t elements) {
  children_[0].reserve(std::max({elements, 2 * children_[0].capacity(), vector_rows}));
}

void Column::set_null(std::size_t row) {
  assert(row < capacity_);
  ensure_validity()[row >> 6] &= ~(std::uint64_t{1} << (row & 63));
  // What lies under a null never depends on what was there before: equal pages have equal bytes.
  std::memset(bytes_.get() + row * stride_, 0, stride_);
  if (type_.id == TypeId::struct_) {
    for (Column& child : children_) child.set_null(row);
  }
}

std::uint64_t* Column::ensure_validity() {
  if (validity_.empty()) validity_.assign(validity_words(capacity_), ~std::uint64_t{0});
  return validity_.data();
}

void Column::clear() {
  validity_.clear();
  elements_ = 0;
  for (Column& child : children_) child.clear();
}

std::size_t Column::bytes_reserved() const {
  std::size_t bytes = capacity_ * stride_ + validity_.capacity() * 8;
  for (const Column& child : children_) bytes += child.bytes_reserved();
  return bytes;
}

Page::Page(SchemaPtr schema, std::size_t capacity) : schema_(std::move(schema)) {
  columns_.reserve(schema_->fields.size());
  for (const Field& field : schema_->fields) columns_.emplace_back(field.type);
  reserve(capacity);
}

void Page::reserve(std::size_t rows) {
  if (rows <= capacity_) return;
  for (Column& column : columns_) column.reserve(rows);
  capacity_ = rows;
}

void Page::clear() {
  for (Column& column : columns_) column.clear();
  rows_ = 0;
  arena.clear();
  keep_alive.clear();
  base = OriginBase{};
  origins.clear();
}

std::string_view Page::raw(std::size_t row) const {
  if (base.raw == nullptr || row >= origins.size()) return {};
  const Origin& origin = origins[row];
  return {base.raw + (origin.offset - base.raw_offset), origin.bytes};
}

std::size_t Page::bytes_reserved() const {
  std::size_t bytes = arena.bytes_reserved() + origins.capacity() * sizeof(Origin);
  for (const Column& column : columns_) bytes += column.bytes_reserved();
  return bytes;
}

void copy_value(Column& to, std::size_t row, const Column& from, std::size_t from_row,
                Arena& arena) {
  if (!from.is_valid(from_row)) return to.set_null(row);
  to.set_valid(row);
  if (is_string(from.type())) {
    const StringRef& ref = from.values<StringRef>()[from_row];
    to.values<StringRef>()[row] = ref.length <= 12 ? ref : StringRef::make(arena.copy(ref.view()));
  } else if (from.type().id == TypeId::list) {
    const ListEntry& entry = from.values<ListEntry>()[from_row];
    const std::size_t first = to.elements();
    to.set_elements(first + entry.length);
    for (std::size_t i = 0; i < entry.length; ++i)
      copy_value(to.child(0), first + i, from.child(0), entry.offset + i, arena);
    to.values<ListEntry>()[row] = {first, entry.length};
  } else {
    std::memcpy(to.bytes() + row * to.stride(), from.bytes() + from_row * to.stride(), to.stride());
    for (std::size_t i = 0; i < to.child_count(); ++i)
      copy_value(to.child(i), row, from.child(i), from_row, arena);
  }
}

void append_row(Page& to, const Page& from, std::size_t from_row) {
  assert(to.rows() < to.capacity() && to.column_count() == from.column_count());
  const std::size_t row = to.rows();
  for (std::size_t i = 0; i < to.column_count(); ++i)
    copy_value(to.column(i), row, from.column(i), from_row, to.arena);
  append_origin(to, from, from_row);
  to.set_rows(row + 1);
}

std::string row_as_json(const Page& page, std::size_t row) {
  std::string out = "{";
  for (std::size_t i = 0; i < page.column_count(); ++i) {
    if (i != 0) out += ',';
    append_json_string(out, page.schema().fields[i].name);
    out += ':';
    append_json_value(out, page.column(i), row);
  }
  return out += '}';
}

}  // namespace tranche
