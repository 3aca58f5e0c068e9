#include "connectors/sqlite_rows.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include "base/text.h"
#include "connectors/sqlite_literals.h"
#include "connectors/sqlite_shape.h"

namespace tranche::sqlite {

RowBinder::RowBinder(const Schema& schema, std::span<const std::string> key,
                     std::span<const std::string> literals)
    : texts_(schema.fields.size()), nested_(schema.fields.size()) {
  for (const Field& field : schema.fields) {
    const std::string_view declared = declared_type(field.type);
    Storage storage = Storage::text_of_value;
    if (declared == "INTEGER") storage = Storage::integer;
    if (declared == "REAL") storage = Storage::real;
    if (is_string(field.type)) storage = Storage::text;
    if (field.type.id == TypeId::blob) storage = Storage::blob;
    if (is_nested(field.type)) storage = Storage::json;
    if (contains_name(literals, field.name)) storage = Storage::literal;
    storage_.push_back(storage);
    is_key_.push_back(contains_name(key, field.name));
  }
}

bool RowBinder::bind(SqliteStatement& statement, const Page& page, std::size_t row) {
  for (std::size_t index = 0; index < storage_.size(); ++index) {
    const Column& column = page.column(index);
    bool bound = true;
    if (column.is_valid(row)) [[likely]] {
      bound = bind_value(statement, index, column, row);
    } else if (is_key_[index]) {
      bound = refuse(Refusal::null_key);
    } else {
      statement.bind_null(static_cast<int>(index) + 1);
    }
    if (!bound) [[unlikely]] {
      refused_column_ = index;
      return false;
    }
  }
  return true;
}

bool RowBinder::bind_value(SqliteStatement& statement, std::size_t index, const Column& column,
                           std::size_t row) {
  const int parameter = static_cast<int>(index) + 1;
  switch (storage_[index]) {
    case Storage::integer:
      return bind_integer(statement, parameter, column, row);
    case Storage::real: {
      const double value = column.type().id == TypeId::real
                               ? static_cast<double>(column.values<float>()[row])
                               : column.values<double>()[row];
      if (std::isnan(value)) [[unlikely]]
        return refuse(Refusal::not_a_number);
      statement.bind_real(parameter, value);
      return true;
    }
    case Storage::text_of_value: {
      char* const begin = texts_[index].data();
      const char* const end =
          write_value_text(begin, column.type(), column.bytes() + row * column.stride());
      statement.bind_text(parameter, {begin, static_cast<std::size_t>(end - begin)});
      return true;
    }
    case Storage::text:
      statement.bind_text(parameter, column.values<StringRef>()[row].view());
      return true;
    case Storage::blob:
      statement.bind_blob(parameter, column.values<StringRef>()[row].view());
      return true;
    case Storage::literal:
      return bind_literal(statement, parameter, column.values<StringRef>()[row].view(),
                          nested_[index]) ||
             refuse(Refusal::no_literal);
    case Storage::json:
      nested_[index].clear();
      append_json_value(nested_[index], column, row);
      statement.bind_text(parameter, nested_[index]);
      return true;
  }
  return true;
}

bool RowBinder::bind_integer(SqliteStatement& statement, int parameter, const Column& column,
                             std::size_t row) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  std::int64_t value = 0;
  switch (physical_type(column.type())) {
    case PhysicalType::boolean:
    case PhysicalType::uint8:
      value = column.values<std::uint8_t>()[row];
      break;
    case PhysicalType::int8:
      value = column.values<std::int8_t>()[row];
      break;
    case PhysicalType::int16:
      value = column.values<std::int16_t>()[row];
      break;
    case PhysicalType::int32:
      value = column.values<std::int32_t>()[row];
      break;
    case PhysicalType::int64:
      value = column.values<std::int64_t>()[row];
      break;
    case PhysicalType::uint16:
      value = column.values<std::uint16_t>()[row];
      break;
    case PhysicalType::uint32:
      value = column.values<std::uint32_t>()[row];
      break;
    case PhysicalType::uint64: {
      const std::uint64_t wide = column.values<std::uint64_t>()[row];
      if (wide > static_cast<std::uint64_t>(most)) return refuse(Refusal::beyond_64_bits);
      value = static_cast<std::int64_t>(wide);
      break;
    }
    default: {
      const Int128 wide = column.values<Int128>()[row];
      if (wide > most || wide < least) return refuse(Refusal::beyond_64_bits);
      value = static_cast<std::int64_t>(wide);
      break;
    }
  }
  statement.bind_integer(parameter, value);
  return true;
}

bool RowBinder::refuse(Refusal why) {
  refusal_ = why;
  return false;
}

std::string RowBinder::refusal(const Page& page, std::size_t row) const {
  const std::string& name = page.schema().fields[refused_column_].name;
  switch (refusal_) {
    case Refusal::null_key:
      return fmt::format("Column \"{}\" is part of the key and is null.", name);
    case Refusal::not_a_number:
      return fmt::format("Column \"{}\" is NaN, which SQLite can't store.", name);
    case Refusal::no_literal:
    case Refusal::beyond_64_bits:
      break;
  }
  std::string value;
  append_value_text(value, page.column(refused_column_), row);
  if (refusal_ == Refusal::no_literal)
    return fmt::format("Column \"{}\" is {}, which is no literal of SQLite's.", name,
                       excerpt(value));
  return fmt::format("Column \"{}\" is {}, beyond the 64 bits of SQLite's integers.", name, value);
}

}  // namespace tranche::sqlite
