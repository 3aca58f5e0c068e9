// Binary tuples -> Pages.
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "drivers/big_endian.h"
#include "drivers/postgres_copy.h"
#include "drivers/postgres_epoch.h"
#include "drivers/postgres_numeric.h"

namespace tranche {
namespace {

using postgres_numeric::Status;

constexpr std::uint32_t null_length = 0xFFFFFFFF;
constexpr std::int64_t day_microseconds = 86'400'000'000;

// Why a value can't be taken; empty: it was.
using Fault = std::string;
const Fault malformed = "malformed";

template <class T> Fault store(Column& column, std::size_t row, Int128 value) {
  if constexpr (!std::is_same_v<T, Int128>) {
    if (value < Int128{std::numeric_limits<T>::min()} ||
        value > Int128{std::numeric_limits<T>::max()})
      return fmt::format("is beyond what {} holds", to_string(column.type()));
  }
  column.values<T>()[row] = static_cast<T>(value);
  return {};
}

Fault store_integer(Column& column, std::size_t row, Int128 value) {
  switch (physical_type(column.type())) {
    case PhysicalType::int8:
      return store<std::int8_t>(column, row, value);
    case PhysicalType::int16:
      return store<std::int16_t>(column, row, value);
    case PhysicalType::int32:
      return store<std::int32_t>(column, row, value);
    case PhysicalType::int64:
      return store<std::int64_t>(column, row, value);
    case PhysicalType::uint8:
      return store<std::uint8_t>(column, row, value);
    case PhysicalType::uint16:
      return store<std::uint16_t>(column, row, value);
    case PhysicalType::uint32:
      return store<std::uint32_t>(column, row, value);
    case PhysicalType::uint64:
      return store<std::uint64_t>(column, row, value);
    default:
      return store<Int128>(column, row, value);
  }
}

void store_text(Column& column, std::size_t row, std::string_view text, Arena& arena) {
  if (text.size() > 12) text = arena.copy(text);
  column.values<StringRef>()[row] = StringRef::make(text);
}

bool is_beyond(Int128 value, unsigned width) {
  Int128 bound = 1;
  for (unsigned i = 0; i < width; ++i) bound *= 10;
  return value >= bound || value <= -bound;
}

Fault read_numeric(std::string_view bytes, Column& column, std::size_t row, Arena& arena) {
  const Type type = column.type();
  if (type.id == TypeId::varchar) {
    const auto text = postgres_numeric::to_text(bytes);
    if (!text) return malformed;
    store_text(column, row, *text, arena);
    return {};
  }
  const unsigned scale = type.id == TypeId::decimal ? type.scale : 0;
  Int128 value = 0;
  const Status status = postgres_numeric::read(bytes, scale, value);
  const bool is_wide =
      status == Status::ok && type.id == TypeId::decimal && is_beyond(value, type.width);
  if (status == Status::malformed) return malformed;
  if (status != Status::ok || is_wide) {
    return fmt::format("is {}, which {} can't hold exactly", *postgres_numeric::to_text(bytes),
                       to_string(type));
  }
  return store_integer(column, row, value);
}

template <class Integer> bool take(std::string_view bytes, Integer& value) {
  if (bytes.size() != sizeof(Integer)) return false;
  value = static_cast<Integer>(get_big_endian<std::make_unsigned_t<Integer>>(bytes.data()));
  return true;
}

template <class Integer>
Fault read_integer(std::string_view bytes, Column& column, std::size_t row) {
  Integer value = 0;
  return take(bytes, value) ? store_integer(column, row, value) : malformed;
}

Fault read_float(std::string_view bytes, Column& column, std::size_t row) {
  double value = 0;
  if (std::int32_t bits = 0; take(bytes, bits)) {
    float narrow = 0;
    std::memcpy(&narrow, &bits, sizeof narrow);
    value = double{narrow};
  } else if (std::int64_t bits8 = 0; take(bytes, bits8)) {
    std::memcpy(&value, &bits8, sizeof value);
  } else {
    return malformed;
  }
  if (column.type().id == TypeId::real) {
    column.values<float>()[row] = static_cast<float>(value);
  } else {
    column.values<double>()[row] = value;
  }
  return {};
}

Fault read_time(std::string_view bytes, PostgresWire wire, Column& column, std::size_t row) {
  if (wire == PostgresWire::date) {
    std::int32_t days = 0;
    if (!take(bytes, days)) return malformed;
    if (postgres_epoch::date_from(days, column.values<std::int32_t>()[row])) return {};
    return "is a day beyond what date holds";
  }
  std::int64_t value = 0;
  if (!take(bytes, value)) return malformed;
  if (wire == PostgresWire::time) {
    column.values<std::int64_t>()[row] = value;
    return value < day_microseconds ? Fault() : "is 24:00:00, which time does not hold";
  }
  if (postgres_epoch::timestamp_from(value, column.values<std::int64_t>()[row])) return {};
  return "is a time beyond what timestamp holds";
}

Fault read_uuid(std::string_view bytes, Column& column, std::size_t row) {
  if (bytes.size() != 16) return malformed;
  const UInt128 bits = static_cast<UInt128>(get_big_endian<std::uint64_t>(bytes.data())) << 64 |
                       get_big_endian<std::uint64_t>(bytes.data() + 8);
  column.values<Int128>()[row] = static_cast<Int128>(bits ^ (UInt128{1} << 127));
  return {};
}

// The value becomes 0 again where it is refused.
Fault read_value(std::string_view bytes, PostgresWire wire, Column& column, std::size_t row,
                 Arena& arena) {
  switch (wire) {
    case PostgresWire::boolean:
      if (bytes.size() != 1) return malformed;
      column.values<std::uint8_t>()[row] = bytes[0] != 0 ? 1 : 0;
      return {};
    case PostgresWire::int2:
      return read_integer<std::int16_t>(bytes, column, row);
    case PostgresWire::int4:
      return read_integer<std::int32_t>(bytes, column, row);
    case PostgresWire::int8:
      return read_integer<std::int64_t>(bytes, column, row);
    case PostgresWire::float4:
    case PostgresWire::float8:
      return read_float(bytes, column, row);
    case PostgresWire::numeric:
      return read_numeric(bytes, column, row, arena);
    case PostgresWire::date:
    case PostgresWire::time:
    case PostgresWire::timestamp:
    case PostgresWire::timestamptz:
      return read_time(bytes, wire, column, row);
    case PostgresWire::uuid:
      return read_uuid(bytes, column, row);
    case PostgresWire::jsonb:
      if (bytes.empty() || bytes[0] != 1) return malformed;
      store_text(column, row, bytes.substr(1), arena);
      return {};
    default:
      store_text(column, row, bytes, arena);
      return {};
  }
}

Fault read_array(std::string_view bytes, const PostgresType& type, Column& column, std::size_t row,
                 Arena& arena) {
  if (bytes.size() < 12) return malformed;
  const auto dimensions = get_big_endian<std::uint32_t>(bytes.data());
  ListEntry& entry = column.values<ListEntry>()[row];
  entry = ListEntry{column.elements(), 0};
  if (dimensions == 0) return {};
  if (dimensions > 1) return fmt::format("is an array of {} dimensions", dimensions);
  if (bytes.size() < 20) return malformed;
  const auto count = get_big_endian<std::uint32_t>(bytes.data() + 12);
  if (count > bytes.size() / 4) return malformed;
  entry.length = count;
  const std::size_t first = column.elements();
  column.set_elements(first + count);
  Column& elements = column.child(0);
  bytes.remove_prefix(20);
  for (std::size_t i = 0; i < count; ++i) {
    if (bytes.size() < 4) return malformed;
    const auto length = get_big_endian<std::uint32_t>(bytes.data());
    bytes.remove_prefix(4);
    if (length == null_length) {
      elements.set_null(first + i);
      continue;
    }
    if (length > bytes.size()) return malformed;
    elements.set_valid(first + i);
    Fault fault = read_value(bytes.substr(0, length), type.element, elements, first + i, arena);
    if (!fault.empty()) return fault;
    bytes.remove_prefix(length);
  }
  return {};
}

Fault read_field(std::string_view bytes, const PostgresType& type, Column& column, std::size_t row,
                 Arena& arena) {
  if (type.wire == PostgresWire::array) return read_array(bytes, type, column, row, arena);
  return read_value(bytes, type.wire, column, row, arena);
}

}  // namespace

Result<void> PostgresTupleReader::read(std::string_view& bytes, Page& page, std::size_t row) {
  const std::size_t size = postgres_tuple_bytes(bytes);
  if (size == 0 || get_big_endian<std::uint16_t>(bytes.data()) != types_.size()) {
    return make_error(ErrorKind::failed, "PostgreSQL sent bytes that are no row of this query.");
  }
  const char* place = bytes.data() + 2;
  bytes.remove_prefix(size);
  Fault fault;
  std::size_t faulty = 0;
  for (std::size_t i = 0; i < types_.size(); ++i) {
    Column& column = page.column(i);
    const auto length = get_big_endian<std::uint32_t>(place);
    place += 4;
    if (length == null_length) {
      column.set_null(row);
      continue;
    }
    column.set_valid(row);
    Fault why = read_field({place, length}, types_[i], column, row, page.arena);
    place += length;
    if (why.empty()) continue;
    column.set_null(row);
    if (fault.empty()) fault = std::move(why), faulty = i;
  }
  if (fault.empty()) return {};
  if (fault == malformed) {
    return make_error(ErrorKind::failed,
                      fmt::format("PostgreSQL sent bytes for column \"{}\" that are not of its "
                                  "type.",
                                  schema_->fields[faulty].name));
  }
  return make_error(ErrorKind::bad_record,
                    fmt::format("Column \"{}\" {}.", schema_->fields[faulty].name, fault));
}

void append_numbered_fields(std::string& out, std::int64_t number, std::string_view& bytes,
                            std::span<const std::size_t> fields) {
  const auto append = [&out](auto value) {
    char text[sizeof value];
    put_big_endian(text, value);
    out.append(text, sizeof value);
  };
  append(static_cast<std::uint16_t>(1 + fields.size()));
  append(static_cast<std::uint32_t>(sizeof number));
  append(static_cast<std::uint64_t>(number));
  const auto count = get_big_endian<std::uint16_t>(bytes.data());
  std::size_t at = 2;
  auto wanted = fields.begin();
  for (std::size_t i = 0; i < count; ++i) {
    const auto length = get_big_endian<std::uint32_t>(bytes.data() + at);
    const std::size_t field_bytes = 4 + (length == null_length ? 0 : length);
    if (wanted != fields.end() && *wanted == i) {
      out += bytes.substr(at, field_bytes);
      ++wanted;
    }
    at += field_bytes;
  }
  bytes.remove_prefix(at);
}

std::size_t postgres_tuple_bytes(std::string_view bytes) {
  if (bytes.size() < 2) return 0;
  const auto fields = get_big_endian<std::uint16_t>(bytes.data());
  if (fields == 0xFFFF) return 0;
  std::size_t at = 2;
  for (unsigned i = 0; i < fields; ++i) {
    if (bytes.size() - at < 4) return 0;
    const auto length = get_big_endian<std::uint32_t>(bytes.data() + at);
    at += 4;
    if (length == null_length) continue;
    if (bytes.size() - at < length) return 0;
    at += length;
  }
  return at;
}

}  // namespace tranche
