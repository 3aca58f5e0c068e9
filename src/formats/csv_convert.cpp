#include "formats/csv_convert.h"

#include <algorithm>

#include "formats/byte_search.h"
#include "formats/csv_kernels.h"
#include "formats/number_kernels.h"
#include "formats/string_kernels.h"

namespace tranche {

struct CsvConverter::Target {
  CsvFieldColumn from;
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
      only_empty_is_null_(dialect.nulls.size() == 1 && dialect.nulls[0].empty() &&
                          !dialect.quoted_nulls),
      quoted_nulls_(dialect.quoted_nulls),
      decimal_comma_(dialect.decimal_comma),
      date_formats_(dialect.date_formats),
      timestamp_formats_(dialect.timestamp_formats) {}

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

// `parse`: text -> value, the strict parser of the type. `read`: the same for the usual form alone,
// false where that is not what stands there. `read_many`: that of csv_kernels.h.
template <class T, class ReadMany, class Read, class Parse>
void CsvConverter::run(const Target& target, ReadMany read_many, Read read, Parse parse) {
  T* const out = target.column.values<T>() + target.first_row;
  const std::size_t rows = target.from.rows;
  for (std::size_t row = 0;; row += 4) {
    if (only_empty_is_null_) row = read_many(target.from, row, out);
    if (row >= rows) return;
    run_rows<T>(target, row, std::min(rows, row + 4), read, parse);
  }
}

template <class T, class Read, class Parse>
void CsvConverter::run_rows(const Target& target, std::size_t first, std::size_t last, Read read,
                            Parse parse) {
  T* out = target.column.values<T>() + target.first_row + first;
  const char* const base = target.from.base;
  const std::size_t stride = target.from.stride;
  const CsvField* field = &target.from.at(first);
  // No mark, and no null by itself: one comparison tells that of nearly every field.
  const std::uint32_t plain_max = only_empty_is_null_ ? CsvField::absent_mark - 1 : 0;
  std::uint64_t* validity = nullptr;
  for (std::size_t row = first; row < last; ++row, ++out, field += stride) {
    if (field->marks - 1 < plain_max && read(base + field->begin, field->marks, *out)) [[likely]]
      continue;
    if (is_null(base, *field)) {
      if (validity == nullptr) validity = target.column.ensure_validity();
      const std::size_t at = target.first_row + row;
      validity[at >> 6] &= ~(std::uint64_t{1} << (at & 63));
      *out = T();
      if (target.type.required) [[unlikely]] {
        target.bad.push_back({static_cast<std::uint32_t>(row), target.column_number,
                              ParseStatus::malformed, true});
      }
      continue;
    }
    if (!field->escaped() && read(base + field->begin, field->length(), *out)) [[likely]] continue;
    const ParseStatus status = parse(text(base, *field, target.arena), *out);
    if (status != ParseStatus::ok) [[unlikely]] {
      *out = T();
      target.bad.push_back(
          {static_cast<std::uint32_t>(row), target.column_number, status, false});
    }
  }
}

template <class T, class Read, class Parse>
void CsvConverter::run(const Target& target, Read read, Parse parse) {
  run_rows<T>(target, 0, target.from.rows, read, parse);
}

template <class T, class Parse>
void CsvConverter::run(const Target& target, Parse parse) {
  run<T>(target, [](const char*, std::uint32_t, T&) { return false; }, parse);
}

template <class T>
void CsvConverter::convert_integer(const Target& target) {
  const auto read = [](const char* text, std::uint32_t length, T& out) {
    return read_integer(text, length, out);
  };
  const auto parse = [](std::string_view text, T& out) { return parse_integer(text, out); };
  if constexpr (std::is_same_v<T, std::int32_t> || std::is_same_v<T, std::int64_t>) {
    const auto read_many = [](const CsvFieldColumn& from, std::size_t row, T* out) {
      return read_integers(from, row, out);
    };
    run<T>(target, read_many, read, parse);
  } else {
    run<T>(target, read, parse);
  }
}

template <class T>
void CsvConverter::convert_decimal(const Target& target, Type type) {
  const unsigned width = type.width;
  const unsigned scale = type.scale;
  const auto parse = [&](std::string_view text, T& out) {
    return parse_decimal(decimal_comma_ ? with_point(text) : text, width, scale, out);
  };
  if (decimal_comma_ || scale == 0 || scale > 7) return run<T>(target, parse);
  const auto read = [width, scale](const char* text, std::uint32_t length, T& out) {
    return read_decimal(text, length, width, scale, out);
  };
  if constexpr (std::is_same_v<T, std::int32_t> || std::is_same_v<T, std::int64_t>) {
    const auto read_many = [scale](const CsvFieldColumn& from, std::size_t row, T* out) {
      return read_decimals(from, row, scale, out);
    };
    if (width >= 8) return run<T>(target, read_many, read, parse);
  }
  run<T>(target, read, parse);
}

template <class T>
void CsvConverter::convert_float(const Target& target) {
  run<T>(target, [this](std::string_view text, T& out) {
    return parse_float(decimal_comma_ ? with_point(text) : text, out);
  });
}

void CsvConverter::convert_varchar(const Target& target) {
  run<StringRef>(
      target,
      [](const char* text, std::uint32_t length, StringRef& out) {
        out = make_string(text, length);
        return true;
      },
      [](std::string_view text, StringRef& out) {
        out = StringRef::make(text);
        return ParseStatus::ok;
      });
}

std::string_view CsvConverter::with_point(std::string_view text) {
  number_.assign(text);
  for (char& c : number_) c = c == ',' ? '.' : c == '.' ? ',' : c;
  return number_;
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
  run<std::int64_t>(
      target,
      [this](const CsvFieldColumn& from, std::size_t row, std::int64_t* out) {
        return timestamps_.read(from, row, out);
      },
      [](const char*, std::uint32_t, std::int64_t&) { return false; },
      type == TypeId::timestamp ? parse_timestamp : parse_timestamptz);
}

void CsvConverter::convert(const Block& block, std::size_t field, const Field& type,
                           std::uint32_t column_number, Column& column, std::size_t first_row,
                           Arena& arena, std::vector<CsvBadValue>& bad) {
  const Target target{{block.base, block.fields + field, block.stride, block.rows},
                      type, column_number, column, first_row, arena, bad};
  switch (type.type.id) {
    case TypeId::boolean: return run<std::uint8_t>(target, parse_boolean);
    case TypeId::tinyint: return convert_integer<std::int8_t>(target);
    case TypeId::smallint: return convert_integer<std::int16_t>(target);
    case TypeId::integer: return convert_integer<std::int32_t>(target);
    case TypeId::bigint: return convert_integer<std::int64_t>(target);
    case TypeId::hugeint: return convert_integer<Int128>(target);
    case TypeId::utinyint: return convert_integer<std::uint8_t>(target);
    case TypeId::usmallint: return convert_integer<std::uint16_t>(target);
    case TypeId::uinteger: return convert_integer<std::uint32_t>(target);
    case TypeId::ubigint: return convert_integer<std::uint64_t>(target);
    case TypeId::real: return convert_float<float>(target);
    case TypeId::double_: return convert_float<double>(target);
    case TypeId::decimal:
      switch (physical_type(type.type)) {
        case PhysicalType::int16: return convert_decimal<std::int16_t>(target, type.type);
        case PhysicalType::int32: return convert_decimal<std::int32_t>(target, type.type);
        case PhysicalType::int64: return convert_decimal<std::int64_t>(target, type.type);
        default: return convert_decimal<Int128>(target, type.type);
      }
    case TypeId::date:
    case TypeId::timestamp:
    case TypeId::timestamptz: return convert_times(target, type.type.id);
    case TypeId::time: return run<std::int64_t>(target, parse_time);
    case TypeId::uuid: return run<Int128>(target, parse_uuid);
    case TypeId::varchar: return convert_varchar(target);
    case TypeId::json: return run<StringRef>(target, parse_json);
    case TypeId::list:
    case TypeId::struct_: return;  // the connector refuses them
    case TypeId::blob:
      return run<StringRef>(target, [&arena](std::string_view text, StringRef& out) {
        return parse_blob(text, arena, out);
      });
  }
}

}  // namespace tranche
