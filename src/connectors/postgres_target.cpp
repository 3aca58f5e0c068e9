#include "connectors/postgres_target.h"

#include <charconv>

#include <fmt/format.h>

#include "base/digest.h"
#include "connectors/postgres_shape.h"

namespace tranche::postgres {
namespace {

constexpr const char* receipt_columns = "batch, rows, bytes, digest, reject_id";
constexpr std::size_t name_bytes_max = 63;  // PostgreSQL cuts longer ones

Receipt read_receipt(const PostgresRows& rows, std::size_t row) {
  Receipt receipt;
  receipt.group = rows.natural(row, 0);
  receipt.rows = rows.natural(row, 1);
  receipt.bytes = rows.natural(row, 2);
  const std::string_view digest = rows.text(row, 3);
  std::from_chars(digest.data(), digest.data() + digest.size(), receipt.checksum, 16);
  receipt.reject_id = rows.string(row, 4);
  return receipt;
}

// One part of a name, taken off the front of `text`.
std::optional<std::string> take_part(std::string_view& text) {
  std::string part;
  if (text.starts_with('"')) {
    std::size_t at = 1;
    for (;; ++at) {
      if (at >= text.size()) return std::nullopt;
      if (text[at] == '"' && at + 1 < text.size() && text[at + 1] == '"') {
        ++at;
      } else if (text[at] == '"') {
        break;
      }
      part += text[at];
    }
    text.remove_prefix(at + 1);
  } else {
    part = text.substr(0, text.find('.'));
    text.remove_prefix(part.size());
    if (part.find('"') != std::string::npos) return std::nullopt;
  }
  if (part.empty() || part.size() > name_bytes_max || part.find('\0') != std::string::npos) {
    return std::nullopt;
  }
  return part;
}

}  // namespace

std::string TableName::sql() const {
  const std::string name = postgres_identifier(table);
  return schema.empty() ? name : postgres_identifier(schema) + "." + name;
}

std::string TableName::text() const { return schema.empty() ? table : schema + "." + table; }

std::optional<TableName> parse_table_name(std::string_view text) {
  const auto first = take_part(text);
  if (!first) return std::nullopt;
  if (text.empty()) return TableName{"", *first};
  if (!text.starts_with('.')) return std::nullopt;
  text.remove_prefix(1);
  const auto second = take_part(text);
  if (!second || !text.empty()) return std::nullopt;
  return TableName{*first, *second};
}

Result<TableName> read_table_name(const std::string& text, std::string_view option) {
  if (auto name = parse_table_name(text)) return *std::move(name);
  return make_error(ErrorKind::config,
                    fmt::format("{}: \"{}\" names no table; write it like sales, public.sales or "
                                "\"My Shop\".\"a.b\".",
                                option, text));
}

Option database_option() {
  return Option{.name = "postgres",
                .kind = OptionKind::text,
                .doc = "The database: a URL, or the name of one of the job's connections.",
                .required = true,
                .example = "postgresql://user@host:5432/database",
                .names_connection = true};
}

Option lock_wait_option() {
  return Option{.name = "lock_wait",
                .kind = OptionKind::duration,
                .doc = "How long one attempt waits while another session holds a lock.",
                .default_text = "10s",
                .example = "1m"};
}

std::string Target::named() const {
  return fmt::format("Table {} of {}", table.text(), tranche::to_string(place));
}

TablePlace Target::table_place() const {
  return TablePlace{named(), commits_table.text(), tranche::to_string(place), mode};
}

TableName staging_table(const TableName& table, const std::string& run_id) {
  const std::string behind = "__tranche_" + run_id.substr(0, 8);
  // Room for what PostgreSQL appends for the names of indexes.
  return {table.schema, table.table.substr(0, name_bytes_max - behind.size() - 8) + behind};
}

Result<std::unique_ptr<PostgresConnection>> connect(Target& target) {
  TRANCHE_ASSIGN(auto connection, PostgresConnection::borrow(target.url, target.timeouts));
  target.place = connection->place();
  if (target.table.schema.empty()) {
    // Where the search path finds the table, else where it would be made.
    TRANCHE_ASSIGN(const auto found,
                   connection->query("SELECT coalesce((SELECT n.nspname FROM pg_class c JOIN "
                                     "pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = "
                                     "to_regclass($1)), current_schema())",
                                     target.table.sql()));
    if (found.is_null(0, 0)) {
      return make_error(ErrorKind::config,
                        fmt::format("{}: the database has no schema to look in (its search_path); "
                                    "name one, as in table: public.{}",
                                    target.named(), target.table.table));
    }
    target.table.schema = found.string(0, 0);
  }
  if (target.commits_table.schema.empty()) target.commits_table.schema = target.table.schema;
  return connection;
}

Result<bool> CommitRecord::exists() {
  TRANCHE_ASSIGN(const auto rows,
                 connection_.query("SELECT to_regclass($1) IS NOT NULL", table_.sql()));
  return rows.boolean(0, 0);
}

Result<void> CommitRecord::check() {
  TRANCHE_ASSIGN(const bool is_there, exists());
  if (!is_there) return {};
  TRANCHE_ASSIGN(const auto columns,
                 connection_.query("SELECT attname FROM pg_attribute WHERE attrelid = "
                                   "to_regclass($1) AND attnum > 0 AND NOT attisdropped",
                                   table_.sql()));
  for (const char* column :
       {"run", "step", "batch", "rows", "bytes", "digest", "reject_id", "committed_at"}) {
    bool has_column = false;
    for (std::size_t row = 0; row < columns.size(); ++row) {
      has_column = has_column || columns.text(row, 0) == column;
    }
    if (has_column) continue;
    return make_error(ErrorKind::config,
                      fmt::format("Table {} of {} is not a record of commits: it has no column "
                                  "\"{}\". Name another one with commits_table.",
                                  table_.text(), tranche::to_string(place_), column));
  }
  return {};
}

Result<void> CommitRecord::create() {
  // Two sessions that create one table at once would get in each other's way.
  TRANCHE_TRY(connection_.query("SELECT pg_advisory_xact_lock(hashtext('tranche'), hashtext($1))",
                                table_.sql()));
  TRANCHE_ASSIGN(const bool is_there, exists());
  if (is_there) return {};
  return connection_.execute(
      fmt::format("CREATE TABLE {} (run text NOT NULL, step text NOT NULL, batch bigint NOT NULL, "
                  "rows bigint NOT NULL, bytes bigint NOT NULL, digest text NOT NULL, reject_id "
                  "text NOT NULL, committed_at timestamp with time zone NOT NULL DEFAULT now(), "
                  "PRIMARY KEY (run, step, batch))",
                  table_.sql()));
}

Result<std::vector<Receipt>> CommitRecord::receipts(const SinkRun& run) {
  TRANCHE_ASSIGN(const auto rows,
                 connection_.query(fmt::format("SELECT {} FROM {} WHERE run = $1 AND step = $2 AND "
                                               "batch >= 0 ORDER BY batch",
                                               receipt_columns, table_.sql()),
                                   run.run_id, run.step));
  std::vector<Receipt> found;
  for (std::size_t row = 0; row < rows.size(); ++row) found.push_back(read_receipt(rows, row));
  return found;
}

Result<std::optional<Receipt>> CommitRecord::find(const SinkRun& run, std::uint64_t group) {
  TRANCHE_ASSIGN(const auto rows,
                 connection_.query(fmt::format("SELECT {} FROM {} WHERE run = $1 AND step = $2 AND "
                                               "batch = $3::bigint",
                                               receipt_columns, table_.sql()),
                                   run.run_id, run.step, group));
  if (rows.size() == 0) return std::optional<Receipt>{};
  return std::optional<Receipt>{read_receipt(rows, 0)};
}

Result<bool> CommitRecord::is_sealed(const SinkRun& run) {
  TRANCHE_ASSIGN(const auto rows,
                 connection_.query(fmt::format("SELECT 1 FROM {} WHERE run = $1 AND step = $2 AND "
                                               "batch = $3::bigint",
                                               table_.sql()),
                                   run.run_id, run.step, seal_batch));
  return rows.size() > 0;
}

Result<bool> CommitRecord::insert(const SinkRun& run, const Receipt& receipt) {
  return insert_row(run, static_cast<std::int64_t>(receipt.group), receipt);
}

Result<void> CommitRecord::insert_seal(const SinkRun& run, std::uint64_t rows) {
  Receipt seal;
  seal.rows = rows;
  TRANCHE_TRY(insert_row(run, seal_batch, seal));
  return {};
}

Result<bool> CommitRecord::insert_row(const SinkRun& run, std::int64_t batch,
                                      const Receipt& receipt) {
  TRANCHE_ASSIGN(
      const auto inserted,
      connection_.query(fmt::format("INSERT INTO {} (run, step, batch, rows, bytes, digest, "
                                    "reject_id, committed_at) VALUES ($1, $2, $3::bigint, "
                                    "$4::bigint, $5::bigint, $6, $7, now()) ON CONFLICT DO NOTHING",
                                    table_.sql()),
                        run.run_id, run.step, batch, receipt.rows, receipt.bytes,
                        to_hex64(receipt.checksum), receipt.reject_id));
  return inserted.affected() == 1;
}

Result<void> CommitRecord::set_acknowledged(const SinkRun& run, const Receipt& receipt) {
  TRANCHE_TRY(connection_.query(
      fmt::format("UPDATE {} SET rows = $1::bigint, digest = $2 WHERE run = $3 "
                  "AND step = $4 AND batch = $5::bigint",
                  table_.sql()),
      receipt.rows, to_hex64(receipt.checksum), run.run_id, run.step, receipt.group));
  return {};
}

Result<void> CommitRecord::erase(const SinkRun& run) {
  TRANCHE_TRY(
      connection_.query(fmt::format("DELETE FROM {} WHERE run = $1 AND step = $2", table_.sql()),
                        run.run_id, run.step));
  return {};
}

Result<bool> CommitRecord::has_column(std::string_view name) {
  TRANCHE_ASSIGN(const auto shape, read_shape(connection_, table_));
  return shape && shape->find(name) != nullptr;
}

Result<void> CommitRecord::execute(const std::string& sql) { return connection_.execute(sql); }

Result<std::optional<std::string>> CommitRecord::first_text(const std::string& sql) {
  TRANCHE_ASSIGN(const auto rows, connection_.query(sql));
  return rows.size() == 0 ? std::optional<std::string>() : std::optional(rows.string(0, 0));
}

}  // namespace tranche::postgres
