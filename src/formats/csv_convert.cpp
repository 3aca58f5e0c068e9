#include "formats/csv_convert.h"

#include <algorithm>

namespace tranche {

struct CsvConverter::Target {
  const Block& block;
  const CsvField* fields;  // of the first row
  const Field& type;
  std::uint32_t column_number;
  Column& column;
  std::size_t first_row;
  Arena& arena;
  std::vector<CsvBadValue>& bad;
};

CsvConverter::CsvConverter(const CsvDialect& dialect, const CsvFields& splitter)
    : splitter_(splitter),
      nulls_(dialect.nulls),
      only_empty_is_null_(dialect.nulls.size() == 1 && dialect.nulls[0].empty()),
      quoted_nulls_(dialect.quoted_nulls),
      decimal_comma_(dialect.decimal_comma),
      date_formats_(dialect.date_formats),
      timestamp_formats_(dialect.timestamp_formats) {}

bool CsvConverter::is_null(const char* base, const CsvField& field) const {
  if ((field.marks & (CsvField::quoted_mark | CsvField::absent_mark)) != 0) {
    return field.absent() || (quoted_nulls_ && is_null_spelling(base, field));
  }
  if (only_empty_is_null_) return field.marks == 0;
  return is_null_spelling(base, field);
}

bool CsvConverter::is_null_spelling(const char* base, const CsvField& field) const {
  if (field.escaped()) [[unlikely]] {  // quoted: what counts is what it stands for
    return std::find(nulls_.begin(), nulls_.end(), splitter_.text(base, field)) != nulls_.end();
  }
  const std::string_view text(base + field.begin, field.length());
  return std::find(nulls_.begin(), nulls_.end(), text) != nulls_.end();
}

std::string_view CsvConverter::text(const char* base, const CsvField& field, Arena& arena) const {
  const std::string_view bytes(base + field.begin, field.length());
  if (!field.escaped()) return bytes;
  char* const plain = arena.allocate(bytes.size());
  const char* const end = splitter_.unescape(bytes, plain);
  return {plain, static_cast<std::size_t>(end - plain)};
}

template <class T, class Parse>
void CsvConverter::run(const Target& target, Parse parse) {
  T* out = target.column.values<T>() + target.first_row;
  const CsvField* field = target.fields;
  const char* const base = target.block.base;
  for (std::size_t row = 0; row < target.block.rows; ++row, ++out, field += target.block.stride) {
    if (is_null(base, *field)) {
      *out = T();
      target.column.set_null(target.first_row + row);
      if (target.type.required) [[unlikely]] {
        target.bad.push_back({static_cast<std::uint32_t>(row), target.column_number,
                              ParseStatus::malformed, true});
      }
      continue;
    }
    const std::string_view value = field->escaped()
                                       ? text(base, *field, target.arena)
                                       : std::string_view(base + field->begin, field->length());
    const ParseStatus status = parse(value, *out);
    if (status != ParseStatus::ok) [[unlikely]] {
      *out = T();
      target.bad.push_back(
          {static_cast<std::uint32_t>(row), target.column_number, status, false});
    }
  }
}

void CsvConverter::convert_decimal(const Target& target, Type type) {
  const auto with_point = [this](std::string_view text) {
    number_.assign(text);
    for (char& c : number_) c = c == ',' ? '.' : c == '.' ? ',' : c;
    return std::string_view(number_);
  };
  const auto parse = [&]<class T>(std::string_view text, T& out) {
    if (decimal_comma_) text = with_point(text);
    if constexpr (std::is_floating_point_v<T>) return parse_float(text, out);
    else return parse_decimal(text, type.width, type.scale, out);
  };
  switch (physical_type(type)) {
    case PhysicalType::float32: return run<float>(target, parse);
    case PhysicalType::float64: return run<double>(target, parse);
    case PhysicalType::int16: return run<std::int16_t>(target, parse);
    case PhysicalType::int32: return run<std::int32_t>(target, parse);
    case PhysicalType::int64: return run<std::int64_t>(target, parse);
    default: return run<Int128>(target, parse);
  }
}

void CsvConverter::convert_times(const Target& target, TypeId type) {
  if (type == TypeId::date) {
    if (date_formats_.empty()) return run<std::int32_t>(target, parse_date);
    return run<std::int32_t>(target, [this](std::string_view text, std::int32_t& out) {
      return parse_time_by(std::span<const TimeFormat>(date_formats_), text, out);
    });
  }
  if (!timestamp_formats_.empty()) {
    return run<std::int64_t>(target, [this](std::string_view text, std::int64_t& out) {
      return parse_time_by(std::span<const TimeFormat>(timestamp_formats_), text, out);
    });
  }
  return run<std::int64_t>(target,
                           type == TypeId::timestamp ? parse_timestamp : parse_timestamptz);
}

void CsvConverter::convert(const Block& block, std::size_t field, const Field& type,
                           std::uint32_t column_number, Column& column, std::size_t first_row,
                           Arena& arena, std::vector<CsvBadValue>& bad) {
  const Target target{block, block.fields + field, type, column_number,
                      column, first_row,           arena, bad};
  const auto integer = [](std::string_view text, auto& out) { return parse_integer(text, out); };
  switch (type.type.id) {
    case TypeId::boolean: return run<std::uint8_t>(target, parse_boolean);
    case TypeId::tinyint: return run<std::int8_t>(target, integer);
    case TypeId::smallint: return run<std::int16_t>(target, integer);
    case TypeId::integer: return run<std::int32_t>(target, integer);
    case TypeId::bigint: return run<std::int64_t>(target, integer);
    case TypeId::hugeint: return run<Int128>(target, integer);
    case TypeId::utinyint: return run<std::uint8_t>(target, integer);
    case TypeId::usmallint: return run<std::uint16_t>(target, integer);
    case TypeId::uinteger: return run<std::uint32_t>(target, integer);
    case TypeId::ubigint: return run<std::uint64_t>(target, integer);
    case TypeId::real:
    case TypeId::double_:
    case TypeId::decimal: return convert_decimal(target, type.type);
    case TypeId::date:
    case TypeId::timestamp:
    case TypeId::timestamptz: return convert_times(target, type.type.id);
    case TypeId::time: return run<std::int64_t>(target, parse_time);
    case TypeId::uuid: return run<Int128>(target, parse_uuid);
    case TypeId::varchar:
      return run<StringRef>(target, [](std::string_view text, StringRef& out) {
        out = StringRef::make(text);
        return ParseStatus::ok;
      });
    case TypeId::blob:
      return run<StringRef>(target, [&arena](std::string_view text, StringRef& out) {
        return parse_blob(text, arena, out);
      });
  }
}

}  // namespace tranche
