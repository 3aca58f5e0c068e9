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
constexpr std::array<TypeRow, 21> type_rows{{
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
    {TypeId::json, DUCKDB_TYPE_VARCHAR, "JSON"},  // to DuckDB a varchar that is called JSON
}};

const TypeRow& row_of(TypeId id) {
  for (const TypeRow& row : type_rows)
    if (row.id == id) return row;
  return type_rows[17];
}

std::string unsupported_name(duckdb_type type) {
  switch (type) {
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

// DuckDB's name of a part that we don't have; empty: there is none.
std::string unsupported_part(const ResultColumn& column) {
  for (const ResultColumn& part : column.parts)
    if (!part.unsupported.empty()) return part.unsupported;
  return {};
}

void describe_list(ResultColumn& column, duckdb_logical_type type, bool is_array) {
  column.copy = is_array ? ColumnCopy::array : ColumnCopy::list;
  const LogicalTypeHandle element(is_array ? duckdb_array_type_child_type(type)
                                           : duckdb_list_type_child_type(type));
  if (is_array) column.array_length = duckdb_array_type_array_size(type);
  column.parts.push_back(describe_result_column(column.name.c_str(), element.get()));
  column.unsupported = unsupported_part(column);
  if (column.unsupported.empty()) column.type = list_type(column.parts[0].type);
}

void describe_struct(ResultColumn& column, duckdb_logical_type type) {
  column.copy = ColumnCopy::structure;
  std::vector<TypeMember> members;
  const idx_t count = duckdb_struct_type_child_count(type);
  for (idx_t at = 0; at < count; ++at) {
    const LogicalTypeHandle member(duckdb_struct_type_child_type(type, at));
    char* name = duckdb_struct_type_child_name(type, at);
    column.parts.push_back(describe_result_column(name, member.get()));
    duckdb_free(name);
    if (column.parts.back().name.empty()) column.parts.back().unsupported = "STRUCT without names";
    members.push_back({column.parts.back().name, column.parts.back().type});
  }
  column.unsupported = unsupported_part(column);
  if (column.unsupported.empty()) column.type = struct_type(std::move(members));
}

bool is_json(duckdb_logical_type type) {
  char* alias = duckdb_logical_type_get_alias(type);
  const bool json = alias != nullptr && std::string_view(alias) == "JSON";
  duckdb_free(alias);
  return json;
}

void append_strings(Arena& arena, Column& column, const char* values, std::size_t at,
                    std::size_t rows) {
  auto* to = column.values<StringRef>() + at;
  std::memcpy(static_cast<void*>(to), values, rows * sizeof(StringRef));
  for (std::size_t row = 0; row < rows; ++row) {
    if (!column.is_valid(at + row)) {
      to[row] = StringRef::make({});  // what DuckDB left there may point anywhere
      continue;
    }
    if (to[row].length <= 12) continue;
    to[row].pointer = arena.copy({to[row].pointer, to[row].length}).data();
  }
}

void append_words(Arena& arena, Column& column, const ResultColumn& from, const char* values,
                  std::size_t at, std::size_t rows) {
  auto* to = column.values<StringRef>() + at;
  for (std::size_t row = 0; row < rows; ++row) {
    to[row] = StringRef::make({});
    if (!column.is_valid(at + row)) continue;
    std::uint32_t index = 0;
    std::memcpy(&index, values + row * from.index_bytes, from.index_bytes);
    const std::string& word = from.words[index];
    to[row] = StringRef::make(word.size() <= 12 ? std::string_view(word) : arena.copy(word));
  }
}

Result<void> append_lists(Column& column, Arena& arena, const ResultColumn& from,
                          duckdb_vector vector, std::size_t at, std::size_t rows) {
  const auto* entries = static_cast<const duckdb_list_entry*>(duckdb_vector_get_data(vector));
  const std::size_t there = duckdb_list_vector_get_size(vector);
  const std::size_t first = column.elements();
  auto* to = column.values<ListEntry>() + at;
  for (std::size_t row = 0; row < rows; ++row) {
    to[row] = {0, 0};
    if (column.is_valid(at + row)) to[row] = {first + entries[row].offset, entries[row].length};
  }
  column.set_elements(first + there);
  return append_vector(column.child(0), arena, from.parts[0], duckdb_list_vector_get_child(vector),
                       first, there);
}

Result<void> append_arrays(Column& column, Arena& arena, const ResultColumn& from,
                           duckdb_vector vector, std::size_t at, std::size_t rows) {
  const std::size_t length = from.array_length;
  const std::size_t first = column.elements();
  auto* to = column.values<ListEntry>() + at;
  for (std::size_t row = 0; row < rows; ++row) {
    to[row] = {0, 0};
    if (column.is_valid(at + row)) to[row] = {first + row * length, length};
  }
  column.set_elements(first + rows * length);
  return append_vector(column.child(0), arena, from.parts[0],
                       duckdb_array_vector_get_child(vector), first, rows * length);
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
  if (type.id == TypeId::list) {
    const LogicalTypeHandle element = make_logical_type(type.members->front().type);
    return LogicalTypeHandle(duckdb_create_list_type(element.get()));
  }
  if (type.id == TypeId::struct_) {
    std::vector<LogicalTypeHandle> owned;
    std::vector<duckdb_logical_type> types;
    std::vector<const char*> names;
    for (const TypeMember& member : *type.members) {
      types.push_back(owned.emplace_back(make_logical_type(member.type)).get());
      names.push_back(member.name.c_str());
    }
    return LogicalTypeHandle(duckdb_create_struct_type(types.data(), names.data(), types.size()));
  }
  if (type.id == TypeId::json) {
    LogicalTypeHandle json(duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR));
    duckdb_logical_type_set_alias(json.get(), "JSON");
    return json;
  }
  if (type.id == TypeId::decimal)
    return LogicalTypeHandle(duckdb_create_decimal_type(type.width, type.scale));
  return LogicalTypeHandle(duckdb_create_logical_type(row_of(type.id).duck));
}

std::string sql_type(Type type) {
  if (type.id == TypeId::decimal) return fmt::format("DECIMAL({},{})", type.width, type.scale);
  if (type.id == TypeId::list) return sql_type(type.members->front().type) + "[]";
  if (type.id == TypeId::struct_) {
    std::string members;
    for (const TypeMember& member : *type.members)
      members += fmt::format("{}{} {}", members.empty() ? "" : ", ", sql_identifier(member.name),
                             sql_type(member.type));
    return fmt::format("STRUCT({})", members);
  }
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
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY:
      describe_list(column, type, id == DUCKDB_TYPE_ARRAY);
      return column;
    case DUCKDB_TYPE_STRUCT:
      describe_struct(column, type);
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
    if (column.type.id == TypeId::varchar && is_json(type)) column.type = Type{TypeId::json};
    return column;
  }
  column.unsupported = unsupported_name(id);
  return column;
}

Result<void> append_vector(Column& column, Arena& arena, const ResultColumn& from,
                           duckdb_vector vector, std::size_t at, std::size_t rows) {
  if (rows == 0) return {};  // Neither side need have memory for no rows, as below empty lists.
  // Members first: where the struct is null, set_null makes them null, whatever DuckDB left there.
  for (std::size_t i = 0; from.copy == ColumnCopy::structure && i < from.parts.size(); ++i) {
    TRANCHE_TRY(append_vector(column.child(i), arena, from.parts[i],
                              duckdb_struct_vector_get_child(vector, i), at, rows));
  }
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
      append_strings(arena, column, values, at, rows);
      break;
    case ColumnCopy::enumeration:
      append_words(arena, column, from, values, at, rows);
      break;
    case ColumnCopy::list:
      return append_lists(column, arena, from, vector, at, rows);
    case ColumnCopy::array:
      return append_arrays(column, arena, from, vector, at, rows);
    case ColumnCopy::structure:
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
    case TypeId::json:
      return duckdb_create_varchar_length(text->view().data(), text->view().size());
    case TypeId::blob:
      return duckdb_create_blob(reinterpret_cast<const std::uint8_t*>(text->view().data()),
                                text->view().size());
    case TypeId::uuid:
      return uuid_value(first<Int128>(page));
    case TypeId::list:
    case TypeId::struct_:
      break;  // make_parameter refuses them
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

std::string unglobbed(std::string_view path) {
  std::string plain;
  for (const char c : path) {
    if (c == '*' || c == '?' || c == '[') plain += {'[', c, ']'};
    else plain += c;
  }
  return plain;
}

std::string sql_literal(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + '\'';
}

}  // namespace tranche
