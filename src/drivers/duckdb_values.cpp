#include <fmt/format.h>

#include <array>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "drivers/duckdb_handles.h"

namespace tranche {
namespace {

struct TypeRow {
  TypeId id;
  duckdb_type duck;
  const char* sql;
};
constexpr std::array<TypeRow, 20> type_rows{{
    {TypeId::boolean, DUCKDB_TYPE_BOOLEAN, "BOOLEAN"},
    {TypeId::tinyint, DUCKDB_TYPE_TINYINT, "TINYINT"},
    {TypeId::smallint, DUCKDB_TYPE_SMALLINT, "SMALLINT"},
    {TypeId::integer, DUCKDB_TYPE_INTEGER, "INTEGER"},
    {TypeId::bigint, DUCKDB_TYPE_BIGINT, "BIGINT"},
    {TypeId::hugeint, DUCKDB_TYPE_HUGEINT, "HUGEINT"},
    {TypeId::utinyint, DUCKDB_TYPE_UTINYINT, "UTINYINT"},
    {TypeId::usmallint, DUCKDB_TYPE_USMALLINT, "USMALLINT"},
    {TypeId::uinteger, DUCKDB_TYPE_UINTEGER, "UINTEGER"},
    {TypeId::ubigint, DUCKDB_TYPE_UBIGINT, "UBIGINT"},
    {TypeId::real, DUCKDB_TYPE_FLOAT, "FLOAT"},
    {TypeId::double_, DUCKDB_TYPE_DOUBLE, "DOUBLE"},
    {TypeId::decimal, DUCKDB_TYPE_DECIMAL, "DECIMAL"},
    {TypeId::date, DUCKDB_TYPE_DATE, "DATE"},
    {TypeId::time, DUCKDB_TYPE_TIME, "TIME"},
    {TypeId::timestamp, DUCKDB_TYPE_TIMESTAMP, "TIMESTAMP"},
    {TypeId::timestamptz, DUCKDB_TYPE_TIMESTAMP_TZ, "TIMESTAMPTZ"},
    {TypeId::varchar, DUCKDB_TYPE_VARCHAR, "VARCHAR"},
    {TypeId::blob, DUCKDB_TYPE_BLOB, "BLOB"},
    {TypeId::uuid, DUCKDB_TYPE_UUID, "UUID"},
}};

const TypeRow& row_of(TypeId id) {
  for (const TypeRow& row : type_rows)
    if (row.id == id) return row;
  return type_rows[17];
}

std::string unsupported_name(duckdb_type type) {
  switch (type) {
    case DUCKDB_TYPE_LIST:
      return "LIST";
    case DUCKDB_TYPE_ARRAY:
      return "ARRAY";
    case DUCKDB_TYPE_STRUCT:
      return "STRUCT";
    case DUCKDB_TYPE_MAP:
      return "MAP";
    case DUCKDB_TYPE_UNION:
      return "UNION";
    case DUCKDB_TYPE_INTERVAL:
      return "INTERVAL";
    case DUCKDB_TYPE_BIT:
      return "BIT";
    case DUCKDB_TYPE_TIME_TZ:
      return "TIME WITH TIME ZONE";
    case DUCKDB_TYPE_UHUGEINT:
      return "UHUGEINT";
    case DUCKDB_TYPE_SQLNULL:
      return "NULL";
    default:
      return fmt::format("number {} of DuckDB", static_cast<int>(type));
  }
}

void describe_enumeration(ResultColumn& column, duckdb_logical_type type) {
  column.copy = ColumnCopy::enumeration;
  column.type = Type{TypeId::varchar};
  const duckdb_type index = duckdb_enum_internal_type(type);
  column.index_bytes = index == DUCKDB_TYPE_UTINYINT ? 1 : index == DUCKDB_TYPE_USMALLINT ? 2 : 4;
  const std::uint32_t size = duckdb_enum_dictionary_size(type);
  for (std::uint32_t at = 0; at < size; ++at) {
    char* word = duckdb_enum_dictionary_value(type, at);
    column.words.emplace_back(word);
    duckdb_free(word);
  }
}

void append_strings(Page& page, Column& column, const char* values, std::size_t at,
                    std::size_t rows) {
  auto* to = column.values<StringRef>() + at;
  std::memcpy(static_cast<void*>(to), values, rows * sizeof(StringRef));
  for (std::size_t row = 0; row < rows; ++row) {
    if (!column.is_valid(at + row)) {
      to[row] = StringRef::make({});  // what DuckDB left there may point anywhere
      continue;
    }
    if (to[row].length <= 12) continue;
    to[row].pointer = page.arena.copy({to[row].pointer, to[row].length}).data();
  }
}

void append_words(Page& page, Column& column, const ResultColumn& from, const char* values,
                  std::size_t at, std::size_t rows) {
  auto* to = column.values<StringRef>() + at;
  for (std::size_t row = 0; row < rows; ++row) {
    to[row] = StringRef::make({});
    if (!column.is_valid(at + row)) continue;
    std::uint32_t index = 0;
    std::memcpy(&index, values + row * from.index_bytes, from.index_bytes);
    const std::string& word = from.words[index];
    to[row] = StringRef::make(word.size() <= 12 ? std::string_view(word) : page.arena.copy(word));
  }
}

// Timestamps of another unit, as microseconds, or an error where that would lose something.
Result<void> append_times(Column& column, const ResultColumn& from, const std::int64_t* values,
                          std::size_t at, std::size_t rows) {
  auto* to = column.values<std::int64_t>() + at;
  for (std::size_t row = 0; row < rows; ++row) {
    to[row] = 0;
    if (!column.is_valid(at + row)) continue;
    const std::int64_t value = values[row];
    const bool endless = value == INT64_MAX || value == -INT64_MAX;  // infinity in every unit
    bool exact = true;
    if (endless) {
      to[row] = value;
    } else if (from.copy == ColumnCopy::nanoseconds) {
      exact = value % 1000 == 0;
      to[row] = value / 1000;
    } else {
      const std::int64_t factor = from.copy == ColumnCopy::seconds ? 1'000'000 : 1000;
      exact = !__builtin_mul_overflow(value, factor, &to[row]);
    }
    if (!exact)
      return make_error(ErrorKind::bad_record,
                        fmt::format("Column \"{}\" holds a timestamp that microseconds can't hold "
                                    "exactly; cast it to timestamp to round it",
                                    from.name));
  }
  return {};
}

}  // namespace

LogicalTypeHandle make_logical_type(Type type) {
  if (type.id == TypeId::decimal)
    return LogicalTypeHandle(duckdb_create_decimal_type(type.width, type.scale));
  return LogicalTypeHandle(duckdb_create_logical_type(row_of(type.id).duck));
}

std::string sql_type(Type type) {
  if (type.id == TypeId::decimal) return fmt::format("DECIMAL({},{})", type.width, type.scale);
  return row_of(type.id).sql;
}

ResultColumn describe_result_column(const char* name, duckdb_logical_type type) {
  ResultColumn column;
  column.name = name;
  const duckdb_type id = duckdb_get_type_id(type);
  switch (id) {
    case DUCKDB_TYPE_ENUM:
      describe_enumeration(column, type);
      return column;
    case DUCKDB_TYPE_DECIMAL:
      column.type = decimal_type(duckdb_decimal_width(type), duckdb_decimal_scale(type));
      return column;
    case DUCKDB_TYPE_TIMESTAMP_S:
      column.copy = ColumnCopy::seconds;
      break;
    case DUCKDB_TYPE_TIMESTAMP_MS:
      column.copy = ColumnCopy::milliseconds;
      break;
    case DUCKDB_TYPE_TIMESTAMP_NS:
      column.copy = ColumnCopy::nanoseconds;
      break;
    default:
      break;
  }
  if (column.copy != ColumnCopy::fixed) {
    column.type = Type{TypeId::timestamp};
    return column;
  }
  for (const TypeRow& row : type_rows) {
    if (row.duck != id) continue;
    column.type = Type{row.id};
    if (is_string(column.type)) column.copy = ColumnCopy::string;
    return column;
  }
  column.unsupported = unsupported_name(id);
  return column;
}

Result<void> append_vector(Page& page, std::size_t index, const ResultColumn& from,
                           duckdb_vector vector, std::size_t at, std::size_t rows) {
  Column& column = page.column(index);
  if (const std::uint64_t* validity = duckdb_vector_get_validity(vector); validity != nullptr) {
    for (std::size_t word = 0; word * 64 < rows; ++word) {
      const std::size_t live = std::min<std::size_t>(64, rows - word * 64);
      const std::uint64_t mask = live == 64 ? ~0ULL : (1ULL << live) - 1;
      for (std::uint64_t nulls = ~validity[word] & mask; nulls != 0; nulls &= nulls - 1)
        column.set_null(at + word * 64 + static_cast<std::size_t>(__builtin_ctzll(nulls)));
    }
  }
  const char* values = static_cast<const char*>(duckdb_vector_get_data(vector));
  switch (from.copy) {
    case ColumnCopy::fixed:
      std::memcpy(column.bytes() + at * column.stride(), values, rows * column.stride());
      break;
    case ColumnCopy::string:
      append_strings(page, column, values, at, rows);
      break;
    case ColumnCopy::enumeration:
      append_words(page, column, from, values, at, rows);
      break;
    default:
      return append_times(column, from, reinterpret_cast<const std::int64_t*>(values), at, rows);
  }
  return {};
}

namespace {

template <class T> T first(const Page& page) {
  T value;
  std::memcpy(&value, page.column(0).bytes(), sizeof value);
  return value;
}

duckdb_hugeint hugeint(Int128 value) {
  return {static_cast<std::uint64_t>(value), static_cast<std::int64_t>(value >> 64)};
}

Int128 decimal_value(const Page& page, Type type) {
  if (type.width <= 4) return first<std::int16_t>(page);
  if (type.width <= 9) return first<std::int32_t>(page);
  if (type.width <= 18) return first<std::int64_t>(page);
  return first<Int128>(page);
}

duckdb_value uuid_value(Int128 value) {
  // The vector has the top bit flipped, so that signed order is that of the text; the value not.
  const auto upper = static_cast<std::uint64_t>(value >> 64) ^ (1ULL << 63);
  return duckdb_create_uuid({static_cast<std::uint64_t>(value), upper});
}

duckdb_value value_of(const Page& page, Type type) {
  const auto* text = page.column(0).values<StringRef>();
  switch (type.id) {
    case TypeId::boolean:
      return duckdb_create_bool(first<std::uint8_t>(page) != 0);
    case TypeId::tinyint:
      return duckdb_create_int8(first<std::int8_t>(page));
    case TypeId::smallint:
      return duckdb_create_int16(first<std::int16_t>(page));
    case TypeId::integer:
      return duckdb_create_int32(first<std::int32_t>(page));
    case TypeId::bigint:
      return duckdb_create_int64(first<std::int64_t>(page));
    case TypeId::hugeint:
      return duckdb_create_hugeint(hugeint(first<Int128>(page)));
    case TypeId::utinyint:
      return duckdb_create_uint8(first<std::uint8_t>(page));
    case TypeId::usmallint:
      return duckdb_create_uint16(first<std::uint16_t>(page));
    case TypeId::uinteger:
      return duckdb_create_uint32(first<std::uint32_t>(page));
    case TypeId::ubigint:
      return duckdb_create_uint64(first<std::uint64_t>(page));
    case TypeId::real:
      return duckdb_create_float(first<float>(page));
    case TypeId::double_:
      return duckdb_create_double(first<double>(page));
    case TypeId::decimal:
      return duckdb_create_decimal({type.width, type.scale, hugeint(decimal_value(page, type))});
    case TypeId::date:
      return duckdb_create_date({first<std::int32_t>(page)});
    case TypeId::time:
      return duckdb_create_time({first<std::int64_t>(page)});
    case TypeId::timestamp:
      return duckdb_create_timestamp({first<std::int64_t>(page)});
    case TypeId::timestamptz:
      return duckdb_create_timestamp_tz({first<std::int64_t>(page)});
    case TypeId::varchar:
      return duckdb_create_varchar_length(text->view().data(), text->view().size());
    case TypeId::blob:
      return duckdb_create_blob(reinterpret_cast<const std::uint8_t*>(text->view().data()),
                                text->view().size());
    case TypeId::uuid:
      return uuid_value(first<Int128>(page));
  }
  return duckdb_create_null_value();
}

}  // namespace

Result<ValueHandle> make_value(DuckConnection& connection, const Parameter& parameter) {
  if (parameter.is_null) return ValueHandle(duckdb_create_null_value());
  // DuckDB itself reads the text, so that a parameter means what the literal in SQL would mean.
  auto result = connection.query(
      fmt::format("SELECT CAST({} AS {})", sql_literal(parameter.text), sql_type(parameter.type)));
  if (!result)
    return make_error(ErrorKind::config,
                      fmt::format("Parameter \"{}\": {}", parameter.name, result.error().message));
  TRANCHE_ASSIGN(const SchemaPtr schema, (*result)->schema());
  Page page(schema);
  auto rows = (*result)->fetch();
  if (!rows)
    return make_error(ErrorKind::config,
                      fmt::format("Parameter \"{}\": {}", parameter.name, rows.error().message));
  TRANCHE_TRY((*result)->append_to(page));
  return ValueHandle(value_of(page, parameter.type));
}

std::string sql_identifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

std::string sql_literal(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + '\'';
}

}  // namespace tranche
