#include "connectors/duckdb_target.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/text.h"

namespace tranche::duck {
namespace {

bool same_name(std::string_view a, std::string_view b) { return to_lower(a) == to_lower(b); }

std::uint64_t number(std::string_view text, int base = 10) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

// The digits of a whole number in front of the point; 0: none.
int integer_digits(Type type) {
  switch (type.id) {
    case TypeId::tinyint:
    case TypeId::utinyint:
      return 3;
    case TypeId::smallint:
    case TypeId::usmallint:
      return 5;
    case TypeId::integer:
    case TypeId::uinteger:
      return 10;
    case TypeId::bigint:
      return 19;
    case TypeId::ubigint:
      return 20;
    default:
      return 0;
  }
}

int integer_rank(Type type) {  // of signed ones: 1, 2, ...; of unsigned ones: -1, -2, ...
  switch (type.id) {
    case TypeId::tinyint:
      return 1;
    case TypeId::smallint:
      return 2;
    case TypeId::integer:
      return 3;
    case TypeId::bigint:
      return 4;
    case TypeId::hugeint:
      return 5;
    case TypeId::utinyint:
      return -1;
    case TypeId::usmallint:
      return -2;
    case TypeId::uinteger:
      return -3;
    case TypeId::ubigint:
      return -4;
    default:
      return 0;
  }
}

// Whether a column of type `to` gives back each value of `from`.
bool keeps(Type to, Type from) {
  if (to == from) return true;
  const int wide = integer_rank(to);
  const int narrow = integer_rank(from);
  if (wide != 0 && narrow != 0) {
    if ((wide > 0) == (narrow > 0)) return std::abs(wide) >= std::abs(narrow);
    return wide > 0 && wide > -narrow;  // signed takes unsigned of half its size
  }
  if (to.id == TypeId::decimal && from.id == TypeId::decimal)
    return to.scale >= from.scale && to.width - to.scale >= from.width - from.scale;
  if (to.id == TypeId::decimal && integer_digits(from) > 0)
    return to.width - to.scale >= integer_digits(from);
  if (to.id == TypeId::double_) return from.id == TypeId::real;
  return to.id == TypeId::varchar && from.id == TypeId::json;
}

std::string describe(const TableShape& shape) {
  std::string text;
  for (const TableColumn& column : shape.columns) {
    text += fmt::format("{}{} {}{}", text.empty() ? "" : ", ", column.name, to_lower(column.type),
                        column.not_null ? " not null" : "");
  }
  return text;
}

// Names that DuckDB gives as one text, each behind a unit separator.
std::vector<std::string> names_of(const std::string& joined) {
  std::vector<std::string> names;
  for (std::string& name : split(joined, '\x1f')) {
    if (!name.empty()) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

Option written_file_option() {
  return Option{.name = "duckdb",
                .kind = OptionKind::text,
                .doc =
                    "The database file; it is created when missing. No other process can open "
                    "it while the step runs.",
                .required = true,
                .example = "warehouse.duckdb"};
}

Option memory_option() {
  return Option{.name = "memory",
                .kind = OptionKind::size,
                .doc =
                    "What DuckDB may hold in memory while it writes; a large key needs more. It "
                    "is part of the memory of the run.",
                .default_text = "96MiB",
                .example = "512MiB"};
}

std::string Target::place() const {
  return fmt::format("Table {} of {}", table, database.string());
}

TablePlace Target::table_place() const {
  return TablePlace{place(), commits_table, database.string(), mode};
}

std::string staging_table(const Target& target, const std::string& run_id) {
  return fmt::format("{}__tranche_{}", target.table, run_id.substr(0, 8));
}

const TableColumn* TableShape::find(std::string_view column) const {
  for (const auto& one : columns) {
    if (same_name(one.name, column)) return &one;
  }
  return nullptr;
}

bool contains_name(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& one) { return same_name(one, name); });
}

bool same_names(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&](const std::string& name) {
           return contains_name(b, name);
         });
}

Result<void> run(DuckConnection& connection, const std::string& sql) {
  const auto done = connection.execute(sql);
  return done ? Result<void>() : Result<void>(done.error());
}

Result<std::optional<TableShape>> read_shape(DuckConnection& connection, const std::string& table) {
  const std::string name = sql_literal(table);
  const std::string here = fmt::format(
      "database_name = current_database() AND schema_name = 'main' AND lower(table_name) = "
      "lower({})",
      name);
  TRANCHE_ASSIGN(const auto tables,
                 connection.query_texts(fmt::format(
                     "SELECT table_name, sql FROM duckdb_tables() WHERE {0} UNION ALL SELECT "
                     "view_name, '' FROM duckdb_views() WHERE database_name = current_database() "
                     "AND schema_name = 'main' AND lower(view_name) = lower({1})",
                     here, name)));
  if (tables.empty()) return std::optional<TableShape>();
  TableShape shape;
  shape.name = tables[0][0];
  shape.sql = tables[0][1];
  shape.is_view = shape.sql.empty();
  TRANCHE_ASSIGN(const auto columns,
                 connection.query_texts("SELECT column_name, data_type, is_nullable, "
                                        "column_default IS NOT NULL FROM duckdb_columns() WHERE " +
                                        here + " ORDER BY column_index"));
  for (const auto& row : columns)
    shape.columns.push_back({row[0], row[1], row[2] == "false", row[3] == "true"});
  TRANCHE_ASSIGN(const auto constraints,
                 connection.query_texts("SELECT array_to_string(constraint_column_names, chr(31)) "
                                        "FROM duckdb_constraints() WHERE constraint_type IN "
                                        "('PRIMARY KEY', 'UNIQUE') AND " +
                                        here));
  for (const auto& row : constraints) shape.unique.push_back(names_of(row[0]));
  TRANCHE_ASSIGN(const auto indexes,
                 connection.query_texts("SELECT index_name FROM duckdb_indexes() WHERE " + here));
  for (const auto& row : indexes) shape.indexes.push_back(row[0]);
  TRANCHE_ASSIGN(const auto referring,
                 connection.query_texts(fmt::format(
                     "SELECT table_name FROM duckdb_constraints() WHERE constraint_type = 'FOREIGN "
                     "KEY' AND database_name = current_database() AND lower(referenced_table) = "
                     "lower({})",
                     name)));
  for (const auto& row : referring) shape.referring.push_back(row[0]);
  return std::optional(std::move(shape));
}

Result<void> check_shape(const Schema& schema, const TableShape& shape, const Target& target) {
  const auto refuse = [&](const std::string& what) {
    return make_error(
        ErrorKind::config,
        fmt::format("{} has another shape: {}. The table is ({}); the records are "
                    "({}).",
                    target.place(), what, describe(shape), tranche::to_string(schema)));
  };
  for (const Field& field : schema.fields) {
    const TableColumn* column = shape.find(field.name);
    if (column == nullptr) return refuse(fmt::format("it has no column \"{}\"", field.name));
    // A word that an enumeration does not have is refused with its row.
    if (column->type.starts_with("ENUM(") && field.type.id == TypeId::varchar) continue;
    const auto type = parse_type(column->type);
    if (type && keeps(*type, field.type)) continue;
    return refuse(fmt::format("its column \"{}\" is {}, which does not keep {} as it is",
                              field.name, to_lower(column->type), tranche::to_string(field.type)));
  }
  for (const TableColumn& column : shape.columns) {
    if (schema.find(column.name) || column.has_default || !column.not_null) continue;
    return refuse(
        fmt::format("its column \"{}\" must not be null, has no default, and the records "
                    "lack it",
                    column.name));
  }
  return {};
}

std::string create_table_sql(const Schema& schema, const std::string& table,
                             const std::vector<std::string>& key) {
  std::string columns;
  for (const Field& field : schema.fields) {
    columns += fmt::format("{}{} {}", columns.empty() ? "" : ", ", sql_identifier(field.name),
                           sql_type(field.type));
    if (field.required || contains_name(key, field.name)) columns += " NOT NULL";
  }
  std::string names;
  for (const std::string& column : key)
    names += (names.empty() ? "" : ", ") + sql_identifier(column);
  if (!key.empty()) columns += fmt::format(", PRIMARY KEY ({})", names);
  return fmt::format("CREATE TABLE {} ({})", sql_identifier(table), columns);
}

std::string create_like_sql(const TableShape& shape, const std::string& table) {
  // DuckDB spells a definition the same way for all: CREATE TABLE, the name, a parenthesis.
  bool is_quoted = false;
  std::size_t at = 0;
  for (; at < shape.sql.size() && (is_quoted || shape.sql[at] != '('); ++at)
    if (shape.sql[at] == '"') is_quoted = !is_quoted;
  return fmt::format("CREATE TABLE {} {}", sql_identifier(table), shape.sql.substr(at));
}

Result<bool> CommitRecord::exists() {
  TRANCHE_ASSIGN(const auto shape, read_shape(connection_, target_.commits_table));
  return shape.has_value();
}

Result<void> CommitRecord::check() {
  TRANCHE_ASSIGN(const auto shape, read_shape(connection_, target_.commits_table));
  if (!shape) return {};
  for (const char* column :
       {"run", "step", "batch", "rows", "bytes", "digest", "reject_id", "committed_at"}) {
    if (!shape->is_view && shape->find(column) != nullptr) continue;
    return make_error(ErrorKind::config,
                      fmt::format("Table {} of {} is not a record of commits: it has no column "
                                  "\"{}\". Name another one with commits_table.",
                                  target_.commits_table, target_.database.string(), column));
  }
  return {};
}

Result<void> CommitRecord::create() {
  return run(connection_,
             fmt::format("CREATE TABLE IF NOT EXISTS {} (run VARCHAR NOT NULL, step VARCHAR NOT "
                         "NULL, batch BIGINT NOT NULL, rows UBIGINT NOT NULL, bytes UBIGINT NOT "
                         "NULL, digest VARCHAR NOT NULL, reject_id VARCHAR NOT NULL, committed_at "
                         "VARCHAR NOT NULL)",
                         table_));
}

Result<std::vector<Receipt>> CommitRecord::select(const SinkRun& run,
                                                  const std::string& condition) {
  TRANCHE_ASSIGN(const auto rows,
                 connection_.query_texts(fmt::format(
                     "SELECT batch, rows, bytes, digest, reject_id FROM {} WHERE run = {} AND step "
                     "= {} AND {} ORDER BY batch",
                     table_, sql_literal(run.run_id), sql_literal(run.step), condition)));
  std::vector<Receipt> receipts;
  for (const auto& row : rows) {
    Receipt& receipt = receipts.emplace_back();
    receipt.group = number(row[0]);
    receipt.rows = number(row[1]);
    receipt.bytes = number(row[2]);
    receipt.checksum = number(row[3], 16);
    receipt.reject_id = row[4];
  }
  return receipts;
}

Result<std::vector<Receipt>> CommitRecord::receipts(const SinkRun& run) {
  return select(run, "batch >= 0");
}

Result<std::optional<Receipt>> CommitRecord::find(const SinkRun& run, std::uint64_t group) {
  TRANCHE_ASSIGN(auto found, select(run, fmt::format("batch = {}", group)));
  if (found.empty()) return std::optional<Receipt>();
  return std::optional(std::move(found.front()));
}

Result<bool> CommitRecord::is_sealed(const SinkRun& run) {
  TRANCHE_ASSIGN(const auto found, select(run, fmt::format("batch = {}", seal_batch)));
  return !found.empty();
}

Result<void> CommitRecord::insert(const SinkRun& run, const Receipt& receipt) {
  return insert_row(run, static_cast<std::int64_t>(receipt.group), receipt);
}

Result<void> CommitRecord::insert_seal(const SinkRun& run, std::uint64_t rows) {
  Receipt seal;
  seal.rows = rows;
  return insert_row(run, seal_batch, seal);
}

Result<void> CommitRecord::insert_row(const SinkRun& run, std::int64_t batch,
                                      const Receipt& receipt) {
  return duck::run(connection_,
                   fmt::format("INSERT INTO {} (run, step, batch, rows, bytes, digest, reject_id, "
                               "committed_at) VALUES ({}, {}, {}, {}, {}, {}, {}, {})",
                               table_, sql_literal(run.run_id), sql_literal(run.step), batch,
                               receipt.rows, receipt.bytes, sql_literal(to_hex64(receipt.checksum)),
                               sql_literal(receipt.reject_id),
                               sql_literal(format_utc(system_clock().now_microseconds()))));
}

Result<void> CommitRecord::erase(const SinkRun& run) {
  return duck::run(connection_, fmt::format("DELETE FROM {} WHERE run = {} AND step = {}", table_,
                                            sql_literal(run.run_id), sql_literal(run.step)));
}

Result<bool> CommitRecord::has_column(std::string_view name) {
  TRANCHE_ASSIGN(const auto shape, read_shape(connection_, target_.commits_table));
  return shape && shape->find(name) != nullptr;
}

Result<void> CommitRecord::execute(const std::string& sql) { return duck::run(connection_, sql); }

Result<std::optional<std::string>> CommitRecord::first_text(const std::string& sql) {
  TRANCHE_ASSIGN(const auto rows, connection_.query_texts(sql));
  return rows.empty() ? std::optional<std::string>() : std::optional(rows.front().front());
}

}  // namespace tranche::duck
