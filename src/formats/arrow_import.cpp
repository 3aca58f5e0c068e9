#include "formats/arrow_import.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/text.h"
#include "formats/arrow_types.h"

namespace tranche {
namespace {

using Kind = ArrowLayout::Kind;

// One column, or a member of one.
struct Taking {
  const ArrowSchema& schema;
  ArrowLayout layout;
  const ArrowArray& array;
  std::size_t offset;  // of its first row in the buffers
  std::size_t rows;
  Column& to;
  std::string path;  // "address.zip"
  std::vector<ArrowFault>& faults;

  template <class T> const T* values(std::size_t buffer = 1) const {
    return static_cast<const T*>(array.buffers[buffer]) + offset;
  }
  bool is_valid(std::size_t row) const { return to.is_valid(row); }
  void fault(std::size_t row, std::string what) const {
    faults.push_back({row, fmt::format("Column \"{}\": {}.", path, what)});
    to.set_null(row);
  }
};

Error broken(const Taking& of, std::string_view what) {
  return make_error(ErrorKind::failed,
                    fmt::format("The Arrow array of column \"{}\" {}.", of.path, what));
}

void take_validity(const Taking& of) {
  const auto* const bits = static_cast<const std::uint8_t*>(of.array.buffers[0]);
  if (bits == nullptr || of.array.null_count == 0) return;
  for (std::size_t row = 0; row < of.rows; ++row) {
    const std::size_t at = of.offset + row;
    if (((bits[at >> 3] >> (at & 7)) & 1) == 0) of.to.set_null(row);
  }
}

void take_boolean(const Taking& of) {
  const auto* const bits = static_cast<const std::uint8_t*>(of.array.buffers[1]);
  std::uint8_t* const out = of.to.values<std::uint8_t>();
  for (std::size_t row = 0; row < of.rows; ++row) {
    const std::size_t at = of.offset + row;
    const int bit = (bits[at >> 3] >> (at & 7)) & 1;
    out[row] = static_cast<std::uint8_t>(of.is_valid(row) ? bit : 0);
  }
}

// Values that lie as ours do; what lies under nulls stays 0.
void take_as_it_lies(const Taking& of) {
  const std::size_t stride = of.to.stride();
  const char* const from = static_cast<const char*>(of.array.buffers[1]) + of.offset * stride;
  if (!of.to.has_nulls()) {
    if (of.rows > 0) std::memcpy(of.to.bytes(), from, of.rows * stride);
    return;
  }
  for (std::size_t row = 0; row < of.rows; ++row)
    if (of.is_valid(row)) std::memcpy(of.to.bytes() + row * stride, from + row * stride, stride);
}

// Numbers of 128 bits lie at any eighth byte.
template <class Take> void for_each_wide(const Taking& of, Take take) {
  const char* const from =
      static_cast<const char*>(of.array.buffers[1]) + of.offset * sizeof(Int128);
  for (std::size_t row = 0; row < of.rows; ++row) {
    Int128 value = 0;
    std::memcpy(&value, from + row * sizeof value, sizeof value);
    if (of.is_valid(row)) take(row, value);
  }
}

// A value of any whole number's layout.
template <class Take> void for_each_integer(const Taking& of, Take take) {
  const auto each = [&](const auto* values) {
    for (std::size_t row = 0; row < of.rows; ++row)
      if (of.is_valid(row)) take(row, static_cast<Int128>(values[row]));
  };
  switch (of.layout.bits * 2 + (of.layout.is_signed ? 1 : 0)) {
    case 17:
      return each(of.values<std::int8_t>());
    case 16:
      return each(of.values<std::uint8_t>());
    case 33:
      return each(of.values<std::int16_t>());
    case 32:
      return each(of.values<std::uint16_t>());
    case 65:
      return each(of.values<std::int32_t>());
    case 64:
      return each(of.values<std::uint32_t>());
    case 129:
      return each(of.values<std::int64_t>());
    case 128:
      return each(of.values<std::uint64_t>());
    default:
      for_each_wide(of, take);
  }
}

std::string integer_text(Int128 value) {
  char text[value_text_bytes_max];
  return {text, write_value_text(text, Type{TypeId::hugeint}, &value)};
}

// Numbers that are kept in fewer bytes than they come in, or more.
template <class T> void take_number(const Taking& of, Int128 least, Int128 most) {
  T* const out = of.to.values<T>();
  for_each_integer(of, [&](std::size_t row, Int128 value) {
    if (value < least || value > most)
      of.fault(row,
               fmt::format("{} does not fit {}", integer_text(value), to_string(of.to.type())));
    else
      out[row] = static_cast<T>(value);
  });
}

template <class T> void take_integer(const Taking& of) {
  take_number<T>(of, std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
}

void take_integers(const Taking& of) {
  switch (physical_type(of.to.type())) {
    case PhysicalType::int8:
      return take_integer<std::int8_t>(of);
    case PhysicalType::int16:
      return take_integer<std::int16_t>(of);
    case PhysicalType::int32:
      return take_integer<std::int32_t>(of);
    case PhysicalType::int64:
      return take_integer<std::int64_t>(of);
    case PhysicalType::uint8:
      return take_integer<std::uint8_t>(of);
    case PhysicalType::uint16:
      return take_integer<std::uint16_t>(of);
    case PhysicalType::uint32:
      return take_integer<std::uint32_t>(of);
    case PhysicalType::uint64:
      return take_integer<std::uint64_t>(of);
    default:
      return take_as_it_lies(of);
  }
}

void take_decimal(const Taking& of) {
  Int128 most = 1;
  for (unsigned digit = 0; digit < of.to.type().width; ++digit) most *= 10;
  --most;
  switch (physical_type(of.to.type())) {
    case PhysicalType::int16:
      return take_number<std::int16_t>(of, -most, most);
    case PhysicalType::int32:
      return take_number<std::int32_t>(of, -most, most);
    case PhysicalType::int64:
      return take_number<std::int64_t>(of, -most, most);
    default:
      return take_number<Int128>(of, -most, most);
  }
}

// Microseconds of times, which may come in another unit.
void take_times(const Taking& of, Int128 least, Int128 most) {
  constexpr Int128 wanted = 1'000'000;
  std::int64_t* const out = of.to.values<std::int64_t>();
  const Int128 given = of.layout.per_second;
  for_each_integer(of, [&](std::size_t row, Int128 value) {
    const Int128 scaled = value * wanted;
    if (scaled % given != 0)
      of.fault(row, "a time is more precise than a microsecond");
    else if (scaled / given > most || scaled / given < least)
      of.fault(row, fmt::format("a time is beyond what a {} holds", to_string(of.to.type())));
    else
      out[row] = static_cast<std::int64_t>(scaled / given);
  });
}

void take_time_of_day(const Taking& of) { take_times(of, 0, Int128{86'400} * 1'000'000); }

void take_timestamp(const Taking& of) {
  if (of.layout.per_second == 1'000'000) return take_as_it_lies(of);
  take_times(of, INT64_MIN, INT64_MAX);
}

void take_widened_float(const Taking& of) {
  const float* const values = of.values<float>();
  double* const out = of.to.values<double>();
  for (std::size_t row = 0; row < of.rows; ++row)
    if (of.is_valid(row)) out[row] = static_cast<double>(values[row]);
}

void take_uuid(const Taking& of) {
  const auto* const from = static_cast<const char*>(of.array.buffers[1]) + of.offset * 16;
  UInt128* const out = of.to.values<UInt128>();
  for (std::size_t row = 0; row < of.rows; ++row) {
    if (!of.is_valid(row)) continue;
    std::uint64_t halves[2];
    std::memcpy(halves, from + row * 16, 16);
    const UInt128 value =
        UInt128{__builtin_bswap64(halves[0])} << 64 | UInt128{__builtin_bswap64(halves[1])};
    out[row] = value ^ (UInt128{1} << 127);
  }
}

// Every text alone is UTF-8 where all of them together are and none begins amid a character.
bool is_all_utf8(const Taking& of, const char* begin, const char* end) {
  const StringRef* const texts = of.to.values<StringRef>();
  if (!is_utf8({begin, static_cast<std::size_t>(end - begin)})) return false;
  for (std::size_t row = 0; row < of.rows; ++row) {
    if (texts[row].length == 0) continue;
    if ((static_cast<unsigned char>(texts[row].view().front()) & 0xC0) == 0x80) return false;
  }
  return true;
}

void check_texts(const Taking& of) {
  const StringRef* const texts = of.to.values<StringRef>();
  const bool is_json = of.to.type().id == TypeId::json;
  for (std::size_t row = 0; row < of.rows; ++row) {
    if (!of.is_valid(row)) continue;
    StringRef ignored;
    if (!is_utf8(texts[row].view()))
      of.fault(row, "a text is not UTF-8");
    else if (is_json && parse_json(texts[row].view(), ignored) != ParseStatus::ok)
      of.fault(row, fmt::format("\"{}\" is not JSON", excerpt(texts[row].view())));
  }
}

template <class Offset> Result<void> take_texts(const Taking& of) {
  const Offset* const offsets = of.values<Offset>();
  const char* const bytes = static_cast<const char*>(of.array.buffers[2]);
  StringRef* const out = of.to.values<StringRef>();
  if (of.rows == 0) return {};
  if (offsets == nullptr) return broken(of, "has no offsets");
  for (std::size_t row = 0; row < of.rows; ++row) {
    if (offsets[row] < 0 || offsets[row + 1] < offsets[row])
      return broken(of, "has offsets that go back");
    const auto length = static_cast<std::uint64_t>(offsets[row + 1] - offsets[row]);
    if (length > UINT32_MAX) return broken(of, "has a text of more than 4 GiB");
    out[row] = of.is_valid(row) && length > 0
                   ? StringRef::make({bytes + offsets[row], static_cast<std::size_t>(length)})
                   : StringRef::make({});
  }
  const bool is_text = of.to.type().id != TypeId::blob;
  const bool is_plain = of.to.type().id == TypeId::varchar && !of.to.has_nulls();
  if (is_plain && is_all_utf8(of, bytes + offsets[0], bytes + offsets[of.rows])) return {};
  if (is_text) check_texts(of);
  return {};
}

Result<void> take_views(const Taking& of) {
  struct View {
    std::int32_t length;
    char head[4];
    std::int32_t buffer;
    std::int32_t offset;
  };
  static_assert(sizeof(View) == sizeof(StringRef));
  const View* const views = of.values<View>();
  StringRef* const out = of.to.values<StringRef>();
  const std::int64_t data_buffers = of.array.n_buffers - 3;  // the last one holds their lengths
  for (std::size_t row = 0; row < of.rows; ++row) {
    out[row] = StringRef::make({});
    if (!of.is_valid(row)) continue;
    const View& view = views[row];
    if (view.length < 0) return broken(of, "has a view of no length");
    const auto length = static_cast<std::size_t>(view.length);
    if (length <= 12) {
      out[row] = StringRef::make({view.head, length});
      continue;
    }
    if (view.buffer < 0 || view.buffer >= data_buffers) return broken(of, "has a view of nothing");
    const auto* const bytes = static_cast<const char*>(of.array.buffers[2 + view.buffer]);
    out[row] = StringRef::make({bytes + view.offset, length});
  }
  if (of.to.type().id != TypeId::blob) check_texts(of);
  return {};
}

void take_fixed_bytes(const Taking& of) {
  const std::size_t width = of.layout.width;
  const char* const bytes = static_cast<const char*>(of.array.buffers[1]) + of.offset * width;
  StringRef* const out = of.to.values<StringRef>();
  for (std::size_t row = 0; row < of.rows; ++row)
    out[row] = StringRef::make(of.is_valid(row) ? std::string_view(bytes + row * width, width)
                                                : std::string_view());
}

Result<void> take_column(const Taking& of);

template <class Offset> Result<void> take_lists(const Taking& of) {
  if (of.rows == 0) return {};
  const Offset* const offsets = of.values<Offset>();
  if (offsets == nullptr) return broken(of, "has no offsets");
  ListEntry* const out = of.to.values<ListEntry>();
  for (std::size_t row = 0; row < of.rows; ++row) {
    if (offsets[row] < 0 || offsets[row + 1] < offsets[row])
      return broken(of, "has offsets that go back");
    const auto length = static_cast<std::uint64_t>(offsets[row + 1] - offsets[row]);
    const auto first = static_cast<std::uint64_t>(offsets[row] - offsets[0]);
    out[row] = of.is_valid(row) && length > 0 ? ListEntry{first, length} : ListEntry{0, 0};
  }
  const auto elements = static_cast<std::size_t>(offsets[of.rows] - offsets[0]);
  const ArrowArray& child = *of.array.children[0];
  const auto first = static_cast<std::size_t>(offsets[0]);
  if (static_cast<std::uint64_t>(child.length) < first + elements)
    return broken(of, "has offsets beyond its elements");
  of.to.set_elements(elements);
  const ArrowSchema& schema = *of.schema.children[0];
  const std::size_t before = of.faults.size();
  TRANCHE_TRY(take_column(Taking{schema, arrow_layout(schema.format), child,
                                 static_cast<std::size_t>(child.offset) + first, elements,
                                 of.to.child(0), of.path + "[]", of.faults}));
  // An element's fault is its row's.
  for (std::size_t i = before; i < of.faults.size(); ++i) {
    const auto* const end =
        std::upper_bound(offsets, offsets + of.rows, static_cast<Offset>(of.faults[i].row + first));
    of.faults[i].row = static_cast<std::size_t>(end - offsets) - 1;
  }
  return {};
}

Result<void> take_members(const Taking& of) {
  for (std::size_t i = 0; i < of.to.child_count(); ++i) {
    const ArrowSchema& schema = *of.schema.children[i];
    const ArrowArray& child = *of.array.children[i];
    const std::size_t offset = of.offset + static_cast<std::size_t>(child.offset);
    if (static_cast<std::size_t>(child.length) < of.rows)
      return broken(of, "has members of fewer rows");
    Column& to = of.to.child(i);
    TRANCHE_TRY(take_column(Taking{schema, arrow_layout(schema.format), child, offset, of.rows, to,
                                   fmt::format("{}.{}", of.path, (*of.to.type().members)[i].name),
                                   of.faults}));
    for (std::size_t row = 0; row < of.rows; ++row)
      if (!of.to.is_valid(row)) to.set_null(row);
  }
  return {};
}

Result<void> take_values(const Taking& of) {
  switch (of.layout.kind) {
    case Kind::boolean:
      take_boolean(of);
      return {};
    case Kind::integer:
      take_integers(of);
      return {};
    case Kind::decimal:
      if (of.to.type().id == TypeId::hugeint)
        take_as_it_lies(of);
      else
        take_decimal(of);
      return {};
    case Kind::floating:
      if (of.layout.bits == 32 && of.to.type().id == TypeId::double_)
        take_widened_float(of);
      else
        take_as_it_lies(of);
      return {};
    case Kind::time:
      take_time_of_day(of);
      return {};
    case Kind::timestamp:
      take_timestamp(of);
      return {};
    case Kind::text:
    case Kind::bytes:
      if (of.layout.bits == 0) return take_views(of);
      return of.layout.bits == 32 ? take_texts<std::int32_t>(of) : take_texts<std::int64_t>(of);
    case Kind::fixed_bytes:
      if (of.to.type().id == TypeId::uuid)
        take_uuid(of);
      else
        take_fixed_bytes(of);
      return {};
    case Kind::list:
      return of.layout.bits == 32 ? take_lists<std::int32_t>(of) : take_lists<std::int64_t>(of);
    case Kind::structure:
      return take_members(of);
    default:
      take_as_it_lies(of);
      return {};
  }
}

std::int64_t buffers_of(const ArrowLayout& layout) {
  if (layout.kind == Kind::null) return 0;
  if (layout.kind == Kind::structure) return 1;
  const bool is_text = layout.kind == Kind::text || layout.kind == Kind::bytes;
  return is_text && layout.bits != 0 ? 3 : 2;
}

Result<void> take_column(const Taking& of) {
  if (of.array.n_buffers < buffers_of(of.layout) || of.array.n_children != of.schema.n_children ||
      of.array.dictionary != nullptr)
    return broken(of, "has not the buffers and children that its schema says");
  of.to.reserve(of.rows);
  if (of.layout.kind == Kind::null) {
    for (std::size_t row = 0; row < of.rows; ++row) of.to.set_null(row);
    return {};
  }
  if (of.rows > 0 && buffers_of(of.layout) >= 2 && of.array.buffers[1] == nullptr)
    return broken(of, "has no values");
  take_validity(of);
  return take_values(of);
}

// Whether values of the layout can be those of the type, one by one.
bool can_be(const ArrowLayout& layout, Type type) {
  switch (layout.kind) {
    case Kind::null:
      return true;
    case Kind::boolean:
      return type.id == TypeId::boolean;
    case Kind::integer:
      return is_numeric(type) && type.id != TypeId::decimal && type.id != TypeId::real &&
             type.id != TypeId::double_ && type.id != TypeId::hugeint;
    case Kind::floating:
      return type.id == TypeId::double_ || (type.id == TypeId::real && layout.bits == 32);
    case Kind::decimal:
      return (type.id == TypeId::decimal && layout.scale == type.scale) ||
             (type.id == TypeId::hugeint && layout.scale == 0 && layout.bits == 128);
    case Kind::date:
      return type.id == TypeId::date;
    case Kind::time:
      return type.id == TypeId::time;
    case Kind::timestamp:
      return type.id == (layout.has_zone ? TypeId::timestamptz : TypeId::timestamp);
    case Kind::text:
      return type.id == TypeId::varchar || type.id == TypeId::json;
    case Kind::bytes:
      return type.id == TypeId::blob;
    case Kind::fixed_bytes:
      return type.id == TypeId::blob || (type.id == TypeId::uuid && layout.width == 16);
    case Kind::list:
      return type.id == TypeId::list;
    case Kind::structure:
      return type.id == TypeId::struct_;
    case Kind::unknown:
      break;
  }
  return false;
}

Result<void> check_column(const ArrowSchema& arrow, Type type, const std::string& path) {
  const ArrowLayout layout = arrow_layout(arrow.format);
  if (arrow.dictionary != nullptr) {
    return make_error(ErrorKind::failed,
                      fmt::format("Column \"{}\" comes as a dictionary; decode it first.", path));
  }
  if (!can_be(layout, type)) {
    return make_error(ErrorKind::failed,
                      fmt::format("Column \"{}\" is declared as {}, and comes as {}.", path,
                                  to_string(type), describe_layout(layout, arrow.format)));
  }
  if (type.members == nullptr || layout.kind == Kind::null) return {};
  if (static_cast<std::size_t>(arrow.n_children) != type.members->size()) {
    return make_error(ErrorKind::failed,
                      fmt::format("Column \"{}\" is declared as {}, and comes with {} members.",
                                  path, to_string(type), arrow.n_children));
  }
  for (std::size_t i = 0; i < type.members->size(); ++i) {
    const TypeMember& member = (*type.members)[i];
    const bool is_list = type.id == TypeId::list;
    if (!is_list && member.name != arrow.children[i]->name) {
      return make_error(ErrorKind::failed,
                        fmt::format("Column \"{}\" has a member \"{}\" where \"{}\" is declared.",
                                    path, arrow.children[i]->name, member.name));
    }
    TRANCHE_TRY(check_column(*arrow.children[i], member.type,
                             is_list ? path + "[]" : fmt::format("{}.{}", path, member.name)));
  }
  return {};
}

}  // namespace

Result<void> check_arrow_schema(const ArrowSchema& arrow, const Schema& schema) {
  if (static_cast<std::size_t>(arrow.n_children) != schema.fields.size()) {
    return make_error(ErrorKind::failed, fmt::format("{} columns were declared, and {} come.",
                                                     schema.fields.size(), arrow.n_children));
  }
  for (std::size_t i = 0; i < schema.fields.size(); ++i)
    TRANCHE_TRY(check_column(*arrow.children[i], schema.fields[i].type, schema.fields[i].name));
  return {};
}

Result<std::unique_ptr<Page>> import_arrow(const ArrowSchema& arrow,
                                           std::shared_ptr<const ArrowHolder> holder,
                                           SchemaPtr schema, std::vector<ArrowFault>& faults) {
  const ArrowArray& array = holder->array;
  const auto broken_rows = [](std::string_view what) {
    return make_error(ErrorKind::failed, fmt::format("The Arrow array of the records {}.", what));
  };
  if (static_cast<std::size_t>(array.n_children) != schema->fields.size())
    return broken_rows("has not a child for each column");
  for (std::int64_t i = 0; i < array.n_children; ++i)
    if (array.children[i]->length < array.length + array.offset)
      return broken_rows("has children of fewer rows");
  const auto rows = static_cast<std::size_t>(array.length);
  auto page = std::make_unique<Page>(schema, std::max<std::size_t>(rows, 1));
  for (std::size_t i = 0; i < schema->fields.size(); ++i) {
    const ArrowArray& child = *array.children[i];
    const ArrowSchema& column = *arrow.children[i];
    TRANCHE_TRY(take_column(Taking{column, arrow_layout(column.format), child,
                                   static_cast<std::size_t>(array.offset + child.offset), rows,
                                   page->column(i), schema->fields[i].name, faults}));
    if (!schema->fields[i].required || !page->column(i).has_nulls()) continue;
    const std::size_t before = faults.size();
    for (std::size_t row = 0; row < rows; ++row) {
      if (page->column(i).is_valid(row)) continue;
      const auto is_row = [&](const ArrowFault& fault) { return fault.row == row; };
      if (std::any_of(faults.begin(), faults.begin() + static_cast<std::ptrdiff_t>(before), is_row))
        continue;
      faults.push_back({row, fmt::format("Column \"{}\" is null, and was promised not to be.",
                                         schema->fields[i].name)});
    }
  }
  page->set_rows(rows);
  page->keep_alive.push_back(std::move(holder));
  return page;
}

}  // namespace tranche
