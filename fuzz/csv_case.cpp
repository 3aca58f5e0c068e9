#include "csv_case.h"

#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "base/text.h"
#include "formats/csv_reference.h"

namespace tranche {
namespace {

template <class T, std::size_t count>
const T& choose(const T (&from)[count], unsigned byte) {
  return from[byte % count];
}

}  // namespace

CsvCase make_csv_case(std::string_view input) {
  const auto byte = [input](std::size_t i) -> unsigned {
    return i < input.size() ? static_cast<unsigned char>(input[i]) : 0U;
  };
  static const std::string delimiters[] = {",",  ";", "\t", "|", "||",
                                           "::=", ",,", " ", "ab", "\x01"};
  static const char quotes[] = {'"', '\'', '\0'};
  static const std::vector<std::string> nulls[] = {
      {""}, {"NA", ""}, {"\\N"}, {"null", "-", "0"}};
  static const std::size_t windows[] = {1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 4096};
  static const std::size_t blocks[] = {1, 2, 3, 1000};
  static const Type types[] = {
      {TypeId::varchar}, {TypeId::integer}, {TypeId::bigint}, decimal_type(12, 2), {TypeId::date},
      {TypeId::timestamp}, {TypeId::double_}, {TypeId::boolean}, {TypeId::tinyint},
      {TypeId::smallint}, {TypeId::hugeint}, {TypeId::utinyint}, {TypeId::usmallint},
      {TypeId::uinteger}, {TypeId::ubigint}, {TypeId::real}, decimal_type(4, 2),
      decimal_type(9, 0), decimal_type(18, 18), decimal_type(38, 10), {TypeId::time},
      {TypeId::timestamptz}, {TypeId::blob}, {TypeId::uuid}};

  CsvCase made;
  CsvDialect& dialect = made.dialect;
  dialect.delimiter = choose(delimiters, byte(0));
  dialect.quote = choose(quotes, byte(1));
  const unsigned flags = byte(2);
  dialect.escape = (flags & 1) != 0 ? '\\' : dialect.quote;
  dialect.trim = (flags & 2) != 0;
  dialect.comment = (flags & 4) != 0 ? '#' : '\0';
  dialect.quoted_nulls = (flags & 8) != 0;
  dialect.decimal_comma = (flags & 16) != 0;
  dialect.extra_columns_ignored = (flags & 32) != 0;
  dialect.missing_columns_null = (flags & 64) != 0;
  made.empty_line_is_record = (flags & 128) != 0;
  dialect.nulls = choose(nulls, byte(3));
  // Half of the cases have records that are too long.
  dialect.max_record_bytes = byte(4) < 128 ? std::uint64_t{1} << 20 : byte(4) - 127;
  if (!check_dialect(dialect)) dialect = CsvDialect();
  made.window_bytes = choose(windows, byte(5));
  made.block_records = choose(blocks, byte(6));
  if (byte(14) % 4 == 1) {
    for (const char* text : {"%d.%m.%Y", "%-m/%-d/%y", "%F"}) {
      dialect.date_formats.push_back(
          TimeFormat::compile(text, TimeFormat::Use::read_date).value());
    }
    for (const char* text : {"%F %T", "%FT%T.%f%z", "%m/%d/%Y %I:%M %p"}) {
      dialect.timestamp_formats.push_back(
          TimeFormat::compile(text, TimeFormat::Use::read_timestamp).value());
    }
  }
  made.first_cut = byte(15);
  const std::size_t columns = byte(7) % 6 + 1;
  for (std::size_t i = 0; i < columns; ++i) {
    const unsigned type = byte(8 + i);
    made.schema.fields.push_back(
        {fmt::format("c{}", i), choose(types, type & 0x7F), (type & 0x80) != 0});
  }
  if (columns > 1) made.empty_line_is_record = false;
  if (input.size() > CsvCase::head_bytes) made.text = input.substr(CsvCase::head_bytes);
  // What the file says of itself, or now and then the other.
  const bool is_found = ReferenceCsv::return_ends_first_line(made.text, dialect);
  dialect.return_ends_lines = is_found != (byte(14) >= 224);
  return made;
}

std::string shown_value(Type type, std::string_view bytes) {
  float single = 0;
  double wide = 0;
  if (type.id == TypeId::real) std::memcpy(&single, bytes.data(), sizeof(single));
  if (type.id == TypeId::double_) std::memcpy(&wide, bytes.data(), sizeof(wide));
  return std::isnan(single) || std::isnan(wide) ? "nan" : hex(bytes);
}

std::string shown_value(const Column& column, std::size_t row) {
  const std::string_view bytes =
      is_string(column.type())
          ? column.values<StringRef>()[row].view()
          : std::string_view(column.bytes() + row * column.stride(), column.stride());
  return shown_value(column.type(), bytes);
}

}  // namespace tranche
