#include "connectors/sqlite_target.h"

#include <charconv>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/digest.h"
#include "connectors/sqlite_shape.h"

namespace tranche::sqlite {
namespace {

constexpr const char* receipt_columns = "batch, rows, bytes, digest, reject_id";

Receipt read_receipt(const SqliteStatement& row) {
  Receipt receipt;
  receipt.group = row.natural(0);
  receipt.rows = row.natural(1);
  receipt.bytes = row.natural(2);
  const std::string_view digest = row.text(3);
  std::from_chars(digest.data(), digest.data() + digest.size(), receipt.checksum, 16);
  receipt.reject_id = row.string(4);
  return receipt;
}

}  // namespace

Option written_file_option() {
  return Option{.name = "sqlite",
                .kind = OptionKind::text,
                .doc = "The database file; it is created when missing.",
                .required = true,
                .example = "warehouse.db"};
}

Option lock_wait_option() {
  return Option{
      .name = "lock_wait",
      .kind = OptionKind::duration,
      .doc = "How long one attempt waits while another program holds the database locked.",
      .default_text = "10s",
      .example = "1m"};
}

Option foreign_keys_option() {
  return Option{.name = "foreign_keys",
                .kind = OptionKind::boolean,
                .doc =
                    "Whether a row is refused that refers to one which is not there; false where "
                    "tables that refer to each other are loaded one after the other.",
                .default_text = "true"};
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

Result<std::unique_ptr<SqliteDatabase>> open_for_writing(const Target& target, bool create) {
  TRANCHE_ASSIGN(auto database, SqliteDatabase::open(target.database,
                                                     create ? SqliteDatabase::Access::create
                                                            : SqliteDatabase::Access::read_write,
                                                     target.lock_wait));
  if (database->is_read_only()) {
    return make_error(ErrorKind::config,
                      fmt::format("SQLite database {} can't be written: permission denied. Check "
                                  "the permissions of the file and of its folder.",
                                  target.database.string()));
  }
  TRANCHE_TRY(
      database->execute(fmt::format("PRAGMA synchronous = EXTRA; PRAGMA foreign_keys = {}; "
                                    "PRAGMA cache_size = -8192",
                                    target.checks_foreign_keys ? "ON" : "OFF")));
  return database;
}

Result<bool> CommitRecord::exists() {
  TRANCHE_ASSIGN(const auto shape, read_shape(database_, table_));
  return shape.has_value();
}

Result<void> CommitRecord::check() {
  TRANCHE_ASSIGN(const auto shape, read_shape(database_, table_));
  if (!shape) return {};
  for (const char* column :
       {"run", "step", "batch", "rows", "bytes", "digest", "reject_id", "committed_at"}) {
    if (shape->kind == "table" && shape->find(column) != nullptr) continue;
    return make_error(ErrorKind::config,
                      fmt::format("Table {} of {} is not a record of commits: it has no column "
                                  "\"{}\". Name another one with commits_table.",
                                  table_, database_.path().string(), column));
  }
  return {};
}

Result<void> CommitRecord::create() {
  return database_.execute(
      fmt::format("CREATE TABLE IF NOT EXISTS {} (run TEXT NOT NULL, step TEXT NOT NULL, "
                  "batch INTEGER NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, "
                  "digest TEXT NOT NULL, reject_id TEXT NOT NULL, committed_at TEXT NOT NULL, "
                  "PRIMARY KEY (run, step, batch)) WITHOUT ROWID",
                  sqlite_identifier(table_)));
}

Result<std::vector<Receipt>> CommitRecord::receipts(const SinkRun& run) {
  TRANCHE_ASSIGN(auto rows,
                 database_.query(fmt::format("SELECT {} FROM {} WHERE run = ? AND step = ? AND "
                                             "batch >= 0 ORDER BY batch",
                                             receipt_columns, sqlite_identifier(table_)),
                                 run.run_id, run.step));
  std::vector<Receipt> found;
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return found;
    found.push_back(read_receipt(rows));
  }
}

Result<std::optional<Receipt>> CommitRecord::find(const SinkRun& run, std::uint64_t group) {
  TRANCHE_ASSIGN(auto row,
                 database_.query(fmt::format("SELECT {} FROM {} WHERE run = ? AND step = ? AND "
                                             "batch = ?",
                                             receipt_columns, sqlite_identifier(table_)),
                                 run.run_id, run.step, group));
  TRANCHE_ASSIGN(const bool found, row.step());
  if (!found) return std::optional<Receipt>{};
  return std::optional<Receipt>{read_receipt(row)};
}

Result<bool> CommitRecord::is_sealed(const SinkRun& run) {
  TRANCHE_ASSIGN(auto row,
                 database_.query(fmt::format("SELECT 1 FROM {} WHERE run = ? AND step = ? AND "
                                             "batch = ?",
                                             sqlite_identifier(table_)),
                                 run.run_id, run.step, seal_batch));
  return row.step();
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
  return database_.run(
      fmt::format("INSERT OR ABORT INTO {} (run, step, batch, rows, bytes, digest, reject_id, "
                  "committed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                  sqlite_identifier(table_)),
      run.run_id, run.step, batch, receipt.rows, receipt.bytes, to_hex64(receipt.checksum),
      receipt.reject_id, format_utc(system_clock().now_microseconds()));
}

Result<void> CommitRecord::set_acknowledged(const SinkRun& run, const Receipt& receipt) {
  return database_.run(
      fmt::format("UPDATE {} SET rows = ?, digest = ? WHERE run = ? AND step = ? AND batch = ?",
                  sqlite_identifier(table_)),
      receipt.rows, to_hex64(receipt.checksum), run.run_id, run.step, receipt.group);
}

Result<void> CommitRecord::erase(const SinkRun& run) {
  return database_.run(
      fmt::format("DELETE FROM {} WHERE run = ? AND step = ?", sqlite_identifier(table_)),
      run.run_id, run.step);
}

Result<bool> CommitRecord::has_column(std::string_view name) {
  TRANCHE_ASSIGN(const auto shape, read_shape(database_, table_));
  return shape && shape->find(name) != nullptr;
}

Result<void> CommitRecord::execute(const std::string& sql) { return database_.execute(sql); }

Result<std::optional<std::string>> CommitRecord::first_text(const std::string& sql) {
  TRANCHE_ASSIGN(auto row, database_.query(sql));
  TRANCHE_ASSIGN(const bool found, row.step());
  return found ? std::optional(row.string(0)) : std::optional<std::string>();
}

}  // namespace tranche::sqlite
