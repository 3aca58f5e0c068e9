#include "drivers/postgres_copy.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "drivers/big_endian.h"
#include "drivers/postgres_epoch.h"
#include "drivers/postgres_numeric.h"

namespace tranche {
namespace {

constexpr std::uint32_t null_length = 0xFFFFFFFF;
constexpr std::size_t length_bytes = 4;
constexpr char jsonb_version = 1;

bool is_integer(Type type) { return type.id >= TypeId::tinyint && type.id <= TypeId::ubigint; }

// The most bytes of a value of fixed size, without its length.
constexpr std::size_t fixed_bytes_max = postgres_numeric::bytes_max;

template <class Unsigned> char* put_field(char* out, Unsigned value) {
  out = put_big_endian(out, std::uint32_t{sizeof value});
  return put_big_endian(out, value);
}

Int128 integer_at(const Column& column, std::size_t row) {
  switch (physical_type(column.type())) {
    case PhysicalType::boolean:
    case PhysicalType::uint8:
      return column.values<std::uint8_t>()[row];
    case PhysicalType::int8:
      return column.values<std::int8_t>()[row];
    case PhysicalType::int16:
      return column.values<std::int16_t>()[row];
    case PhysicalType::int32:
      return column.values<std::int32_t>()[row];
    case PhysicalType::int64:
      return column.values<std::int64_t>()[row];
    case PhysicalType::uint16:
      return column.values<std::uint16_t>()[row];
    case PhysicalType::uint32:
      return column.values<std::uint32_t>()[row];
    case PhysicalType::uint64:
      return column.values<std::uint64_t>()[row];
    default:
      return column.values<Int128>()[row];
  }
}

template <class Signed> char* put_integer(char* out, const Column& column, std::size_t row) {
  if (column.stride() == sizeof(Signed) && column.type().id <= TypeId::bigint) [[likely]] {
    return put_field(out, static_cast<std::make_unsigned_t<Signed>>(column.values<Signed>()[row]));
  }
  const Int128 value = integer_at(column, row);
  if (value < std::numeric_limits<Signed>::min() || value > std::numeric_limits<Signed>::max()) {
    return nullptr;
  }
  return put_field(out, static_cast<std::make_unsigned_t<Signed>>(value));
}

template <class Float, class Bits> char* put_float(char* out, Float value) {
  Bits bits;
  std::memcpy(&bits, &value, sizeof bits);
  return put_field(out, bits);
}

char* put_numeric(char* out, const Column& column, std::size_t row) {
  const Type type = column.type();
  char* const end = postgres_numeric::write(out + length_bytes, integer_at(column, row),
                                            type.id == TypeId::decimal ? type.scale : 0);
  put_big_endian(out, static_cast<std::uint32_t>(end - out - length_bytes));
  return end;
}

char* put_bytes(char* out, std::string_view bytes) {
  out = put_big_endian(out, static_cast<std::uint32_t>(bytes.size()));
  std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

char* put_jsonb(char* out, std::string_view text) {
  out = put_big_endian(out, static_cast<std::uint32_t>(text.size() + 1));
  *out++ = jsonb_version;
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* put_date(char* out, std::int32_t days) {
  std::int32_t theirs = 0;
  return postgres_epoch::date_to(days, theirs) ? put_field(out, static_cast<std::uint32_t>(theirs))
                                               : nullptr;
}

char* put_timestamp(char* out, std::int64_t microseconds) {
  std::int64_t theirs = 0;
  return postgres_epoch::timestamp_to(microseconds, theirs)
             ? put_field(out, static_cast<std::uint64_t>(theirs))
             : nullptr;
}

char* put_uuid(char* out, Int128 ours) {
  const UInt128 bits = static_cast<UInt128>(ours) ^ (UInt128{1} << 127);
  out = put_big_endian(out, std::uint32_t{16});
  out = put_big_endian(out, static_cast<std::uint64_t>(bits >> 64));
  return put_big_endian(out, static_cast<std::uint64_t>(bits));
}

// One value that is not null and not nested, with its length; nullptr: the type can't hold it.
char* put_value(char* out, PostgresWire wire, const Column& column, std::size_t row) {
  switch (wire) {
    case PostgresWire::boolean:
      out = put_big_endian(out, std::uint32_t{1});
      *out = static_cast<char>(column.values<std::uint8_t>()[row] != 0);
      return out + 1;
    case PostgresWire::int2:
      return put_integer<std::int16_t>(out, column, row);
    case PostgresWire::int4:
      return put_integer<std::int32_t>(out, column, row);
    case PostgresWire::int8:
      return put_integer<std::int64_t>(out, column, row);
    case PostgresWire::float4:
      return put_float<float, std::uint32_t>(out, column.values<float>()[row]);
    case PostgresWire::float8:
      return put_float<double, std::uint64_t>(out, column.type().id == TypeId::real
                                                       ? double{column.values<float>()[row]}
                                                       : column.values<double>()[row]);
    case PostgresWire::numeric:
      return put_numeric(out, column, row);
    case PostgresWire::date:
      return put_date(out, column.values<std::int32_t>()[row]);
    case PostgresWire::time:
      return put_field(out, static_cast<std::uint64_t>(column.values<std::int64_t>()[row]));
    case PostgresWire::timestamp:
    case PostgresWire::timestamptz:
      return put_timestamp(out, column.values<std::int64_t>()[row]);
    case PostgresWire::uuid:
      return put_uuid(out, column.values<Int128>()[row]);
    case PostgresWire::jsonb:
      return put_jsonb(out, column.values<StringRef>()[row].view());
    default:
      return put_bytes(out, column.values<StringRef>()[row].view());
  }
}

// The bytes of an array's value, without their length; false: an element is beyond its type.
bool make_array(std::string& out, const PostgresType& into, const Column& column, std::size_t row) {
  const ListEntry entry = column.values<ListEntry>()[row];
  const Column& elements = column.child(0);
  std::size_t bytes = 20;
  bool has_nulls = false;
  for (std::uint64_t i = 0; i < entry.length; ++i) {
    const std::size_t at = entry.offset + i;
    has_nulls = has_nulls || !elements.is_valid(at);
    bytes += length_bytes + fixed_bytes_max;
    if (is_string(elements.type())) bytes += elements.values<StringRef>()[at].length;
  }
  out.resize(bytes);
  char* place = put_big_endian(out.data(), std::uint32_t{entry.length == 0 ? 0U : 1U});
  place = put_big_endian(place, std::uint32_t{has_nulls ? 1U : 0U});
  place = put_big_endian(place, into.element_oid);
  if (entry.length > 0) {
    place = put_big_endian(place, static_cast<std::uint32_t>(entry.length));
    place = put_big_endian(place, std::uint32_t{1});  // the index of the first element
  }
  for (std::uint64_t i = 0; i < entry.length; ++i) {
    const std::size_t at = entry.offset + i;
    place = elements.is_valid(at) ? put_value(place, into.element, elements, at)
                                  : put_big_endian(place, null_length);
    if (place == nullptr) return false;
  }
  out.resize(static_cast<std::size_t>(place - out.data()));
  return true;
}

}  // namespace

PostgresTupleEncoder::PostgresTupleEncoder(const Schema& schema, std::vector<PostgresType> types) {
  for (std::size_t i = 0; i < schema.fields.size(); ++i) {
    Plan plan;
    plan.type = schema.fields[i].type;
    plan.into = types[i];
    plan.is_nested = is_nested(plan.type);
    has_nested_ = has_nested_ || plan.is_nested;
    fixed_bytes_ += length_bytes + fixed_bytes_max;
    plans_.push_back(std::move(plan));
  }
}

// Without what is nested.
std::size_t PostgresTupleEncoder::room_for(std::size_t rows) const {
  std::size_t bytes = fixed_bytes_ * rows;
  for (const Plan& plan : plans_) {
    if (!is_string(plan.type)) continue;
    const StringRef* const strings = plan.column->values<StringRef>();
    for (std::size_t row = 0; row < rows; ++row) {
      if (plan.column->is_valid(row)) bytes += strings[row].length;
    }
  }
  return bytes;
}

void PostgresTupleEncoder::append(std::string& out, const Page& page, std::size_t rows,
                                  std::vector<std::uint32_t>& refused) {
  for (std::size_t i = 0; i < plans_.size(); ++i) plans_[i].column = &page.column(i);
  std::size_t used = out.size();
  out.resize(used + room_for(rows));
  for (std::size_t row = 0; row < rows; ++row) {
    char* end = nullptr;
    std::size_t nested_bytes = 0;
    if (!has_nested_ || prepare_nested(page, row, nested_bytes)) [[likely]] {
      if (nested_bytes > 0) out.resize(out.size() + nested_bytes);
      end = put_row(out.data() + used, row);
    }
    if (end == nullptr) [[unlikely]]
      refused.push_back(static_cast<std::uint32_t>(row));
    else
      used = static_cast<std::size_t>(end - out.data());
  }
  out.resize(used);
}

bool PostgresTupleEncoder::prepare_nested(const Page& page, std::size_t row, std::size_t& bytes) {
  for (std::size_t i = 0; i < plans_.size(); ++i) {
    Plan& plan = plans_[i];
    const Column& column = page.column(i);
    if (!plan.is_nested || !column.is_valid(row)) continue;
    if (plan.into.wire == PostgresWire::array) {
      if (!make_array(plan.text, plan.into, column, row)) return false;
    } else {
      plan.text.clear();
      append_json_value(plan.text, column, row);
    }
    bytes += plan.text.size();
  }
  return true;
}

// nullptr: a value is refused.
char* PostgresTupleEncoder::put_row(char* out, std::size_t row) const {
  out = put_big_endian(out, static_cast<std::uint16_t>(plans_.size()));
  for (const Plan& plan : plans_) {
    if (!plan.column->is_valid(row)) {
      if (plan.refuses_null) return nullptr;
      out = put_big_endian(out, null_length);
    } else if (plan.is_nested) [[unlikely]] {
      out = plan.into.wire == PostgresWire::jsonb ? put_jsonb(out, plan.text)
                                                  : put_bytes(out, plan.text);
    } else {
      out = put_value(out, plan.into.wire, *plan.column, row);
      if (out == nullptr) return nullptr;
    }
  }
  return out;
}

std::string PostgresTupleEncoder::refusal(const Page& page, std::size_t row) const {
  for (std::size_t i = 0; i < plans_.size(); ++i) {
    const Plan& plan = plans_[i];
    const Column& column = page.column(i);
    const std::string& name = page.schema().fields[i].name;
    if (!column.is_valid(row)) {
      if (!plan.refuses_null) continue;
      return fmt::format("Column \"{}\" is part of the key and is null.", name);
    }
    bool is_held = true;
    if (plan.into.wire == PostgresWire::array) {
      std::string bytes;
      is_held = make_array(bytes, plan.into, column, row);
    } else if (!plan.is_nested && !is_string(plan.type)) {
      char bytes[length_bytes + fixed_bytes_max];
      is_held = put_value(bytes, plan.into.wire, column, row) != nullptr;
    }
    if (is_held) continue;
    std::string value;
    append_value_text(value, column, row);
    return fmt::format("Column \"{}\" is {}, beyond what its type in the table holds.", name,
                       value);
  }
  return "The row holds a value beyond what its type in the table holds.";
}

bool postgres_takes(Type type, const PostgresType& into) {
  switch (into.wire) {
    case PostgresWire::boolean:
      return type.id == TypeId::boolean;
    case PostgresWire::int2:
    case PostgresWire::int4:
    case PostgresWire::int8:
      return is_integer(type);
    case PostgresWire::numeric:
      return is_integer(type) || type.id == TypeId::decimal;
    case PostgresWire::float4:
      return type.id == TypeId::real;
    case PostgresWire::float8:
      return type.id == TypeId::real || type.id == TypeId::double_;
    case PostgresWire::date:
      return type.id == TypeId::date;
    case PostgresWire::time:
      return type.id == TypeId::time;
    case PostgresWire::timestamp:
      return type.id == TypeId::timestamp;
    case PostgresWire::timestamptz:
      return type.id == TypeId::timestamptz;
    case PostgresWire::bytea:
      return type.id == TypeId::blob;
    case PostgresWire::uuid:
      return type.id == TypeId::uuid;
    case PostgresWire::text:
    case PostgresWire::json:
    case PostgresWire::jsonb:
      return type.id == TypeId::varchar || type.id == TypeId::json || is_nested(type);
    case PostgresWire::array:
      return type.id == TypeId::list && !is_nested((*type.members)[0].type) &&
             postgres_takes((*type.members)[0].type, PostgresType{into.element, {}, 0});
  }
  return false;
}

}  // namespace tranche
