#include "drivers/sqlite.h"

#include <sqlite3.h>

#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/system_error.h"

namespace tranche {
namespace {

std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char byte : text) {
    if (byte == quote) out += quote;
    out += byte;
  }
  out += quote;
  return out;
}

// The last error of the kernel at the database or its journal; 0: none. A connection remembers only
// what failed while a statement was executed, the files know what failed at its COMMIT too.
int system_error_of(sqlite3* handle) {
  if (const int error_number = sqlite3_system_errno(handle); error_number != 0) return error_number;
  for (const int file : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
    sqlite3_file* opened = nullptr;
    int error_number = 0;
    if (sqlite3_file_control(handle, "main", file, &opened) != SQLITE_OK) continue;
    if (opened == nullptr || opened->pMethods == nullptr) continue;
    opened->pMethods->xFileControl(opened, SQLITE_FCNTL_LAST_ERRNO, &error_number);
    if (error_number != 0) return error_number;
  }
  return 0;
}

// What SQLite says, and the kernel's reason where the kernel refused something.
std::string reason_of(sqlite3* handle, int code) {
  if (handle == nullptr) return sqlite3_errstr(code);
  std::string text = sqlite3_errmsg(handle);
  const int primary = code & 0xff;
  if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN) return text;
  const int error_number = system_error_of(handle);
  if (error_number != 0) text += fmt::format(" ({})", reason(error_number));
  return text;
}

Error error_of(sqlite3* handle, int code, const std::string& path, std::chrono::milliseconds wait) {
  const std::string why = reason_of(handle, code);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return make_error(ErrorKind::transient,
                        fmt::format("Another process holds SQLite database {} locked; it was "
                                    "waited for {} ms.",
                                    path, wait.count()));
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
      return make_error(ErrorKind::bad_record, why);
    case SQLITE_FULL:
      return make_error(ErrorKind::failed,
                        fmt::format("Can't write SQLite database {}: the disk is full. Free some "
                                    "space, then run again.",
                                    path));
    case SQLITE_IOERR:
      return make_error(ErrorKind::failed,
                        fmt::format("Can't read or write SQLite database {}: {}.", path, why));
    case SQLITE_CORRUPT:
      return make_error(
          ErrorKind::failed,
          fmt::format("SQLite database {} is damaged: {}. Restore it from a backup.", path, why));
    case SQLITE_NOTADB:
      return make_error(ErrorKind::failed, fmt::format("{} is not a SQLite database.", path));
    case SQLITE_READONLY:
      if (code == SQLITE_READONLY_ROLLBACK || code == SQLITE_READONLY_RECOVERY) {
        return make_error(ErrorKind::failed,
                          fmt::format("SQLite database {} was left in the middle of a transaction "
                                      "by a program that died. Open it once with a program that "
                                      "may write it (sqlite3 {} .tables), then run again.",
                                      path, path));
      }
      return make_error(ErrorKind::failed,
                        fmt::format("SQLite database {} can't be written: {}. Check the "
                                    "permissions of the file and of its folder.",
                                    path, why));
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return make_error(ErrorKind::failed,
                        fmt::format("Can't open SQLite database {}: {}.", path, why));
    case SQLITE_NOMEM:
      return make_error(ErrorKind::memory,
                        fmt::format("SQLite is out of memory on database {}.", path));
    default:
      return make_error(ErrorKind::failed,
                        fmt::format("SQLite database {} refuses a statement: {}.", path, why));
  }
}

}  // namespace

SqliteStatement::SqliteStatement(SqliteStatement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      bind_error_(std::exchange(other.bind_error_, 0)) {}

SqliteStatement& SqliteStatement::operator=(SqliteStatement&& other) noexcept {
  std::swap(database_, other.database_);
  std::swap(statement_, other.statement_);
  std::swap(bind_error_, other.bind_error_);
  return *this;
}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

void SqliteStatement::keep(int code) {
  if (code != SQLITE_OK && bind_error_ == SQLITE_OK) [[unlikely]]
    bind_error_ = code;
}

void SqliteStatement::bind_null(int parameter) { keep(sqlite3_bind_null(statement_, parameter)); }

void SqliteStatement::bind_integer(int parameter, std::int64_t value) {
  keep(sqlite3_bind_int64(statement_, parameter, value));
}

void SqliteStatement::bind_natural(int parameter, std::uint64_t value) {
  keep(sqlite3_bind_int64(statement_, parameter, static_cast<std::int64_t>(value)));
}

void SqliteStatement::bind_real(int parameter, double value) {
  keep(sqlite3_bind_double(statement_, parameter, value));
}

void SqliteStatement::bind_text(int parameter, std::string_view value) {
  // A null pointer would bind a null, and an empty view may have one.
  const char* bytes = value.data() != nullptr ? value.data() : "";
  keep(sqlite3_bind_text64(statement_, parameter, bytes, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void SqliteStatement::bind_blob(int parameter, std::string_view value) {
  const char* bytes = value.data() != nullptr ? value.data() : "";
  keep(sqlite3_bind_blob64(statement_, parameter, bytes, value.size(), SQLITE_STATIC));
}

void SqliteStatement::bind_text_copy(int parameter, std::string_view value) {
  const char* bytes = value.data() != nullptr ? value.data() : "";
  keep(sqlite3_bind_text64(statement_, parameter, bytes, value.size(), SQLITE_TRANSIENT,
                           SQLITE_UTF8));
}

void SqliteStatement::bind_blob_copy(int parameter, std::string_view value) {
  const char* bytes = value.data() != nullptr ? value.data() : "";
  keep(sqlite3_bind_blob64(statement_, parameter, bytes, value.size(), SQLITE_TRANSIENT));
}

Result<bool> SqliteStatement::step() {
  if (bind_error_ != SQLITE_OK) [[unlikely]] {
    return database_->error(std::exchange(bind_error_, SQLITE_OK));
  }
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return database_->error(code);
}

Result<void> SqliteStatement::run() {
  for (;;) {
    auto row = step();
    if (row && *row) continue;
    reset();
    if (!row) return std::move(row).error();
    return {};
  }
}

void SqliteStatement::reset() { sqlite3_reset(statement_); }

int SqliteStatement::column_count() const { return sqlite3_column_count(statement_); }

std::string SqliteStatement::column_name(int column) const {
  const char* name = sqlite3_column_name(statement_, column);
  return name != nullptr ? name : "";
}

std::string SqliteStatement::declared_type(int column) const {
  const char* type = sqlite3_column_decltype(statement_, column);
  return type != nullptr ? type : "";
}

SqliteKind SqliteStatement::kind(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_INTEGER:
      return SqliteKind::integer;
    case SQLITE_FLOAT:
      return SqliteKind::real;
    case SQLITE_TEXT:
      return SqliteKind::text;
    case SQLITE_BLOB:
      return SqliteKind::blob;
    default:
      return SqliteKind::null;
  }
}

bool SqliteStatement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t SqliteStatement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::uint64_t SqliteStatement::natural(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column));
}

double SqliteStatement::real(int column) const { return sqlite3_column_double(statement_, column); }

std::string_view SqliteStatement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string_view SqliteStatement::blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::open(const std::filesystem::path& path,
                                                             Access access,
                                                             std::chrono::milliseconds wait) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (access == Access::read_only) flags |= SQLITE_OPEN_READONLY;
  if (access != Access::read_only) flags |= SQLITE_OPEN_READWRITE;
  if (access == Access::create) flags |= SQLITE_OPEN_CREATE;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  if (code != SQLITE_OK) {
    Error failure = error_of(handle, code, path.string(), wait);
    sqlite3_close_v2(handle);
    return failure;
  }
  auto database = std::unique_ptr<SqliteDatabase>(new SqliteDatabase(handle, path, wait));
  sqlite3_busy_timeout(handle, static_cast<int>(wait.count()));
  TRANCHE_TRY(database->query_integer("PRAGMA schema_version"));
  return database;
}

// Statements that outlive the database would keep it open: close_v2 waits for them.
SqliteDatabase::~SqliteDatabase() {
  writeback_.reset();
  sqlite3_close_v2(handle_);
}

Result<void> SqliteDatabase::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code);
  return {};
}

Result<SqliteStatement> SqliteDatabase::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return error(code);
  return SqliteStatement(this, statement);
}

Result<std::int64_t> SqliteDatabase::query_integer(std::string_view sql) {
  TRANCHE_ASSIGN(SqliteStatement statement, prepare(sql));
  TRANCHE_ASSIGN(const bool row, statement.step());
  return row ? statement.integer(0) : std::int64_t{0};
}

void SqliteDatabase::take_turns() {
  static std::mutex mutex;
  static std::map<std::filesystem::path, std::weak_ptr<std::mutex>> all;
  const std::scoped_lock lock(mutex);
  std::erase_if(all, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<std::mutex>& shared = all[std::filesystem::absolute(path_).lexically_normal()];
  turns_ = shared.lock();
  if (!turns_) shared = turns_ = std::make_shared<std::mutex>();
}

SqliteDatabase::Turn SqliteDatabase::wait_for_turn() {
  return turns_ && !turn_.owns_lock() ? Turn(*turns_) : Turn();
}

Result<void> SqliteDatabase::begin() {
  Turn turn = wait_for_turn();
  TRANCHE_TRY(execute("BEGIN IMMEDIATE"));
  turn_ = std::move(turn);
  return {};
}

void SqliteDatabase::begin_writeback() {
  if (!writeback_) {
    auto mode = query("PRAGMA journal_mode");
    if (!mode || !mode->step() || mode->text(0) == "wal") return;
    writeback_ = std::make_unique<SqliteWriteback>(path_);
  }
  int cache_bytes = 0;
  int highest = 0;
  sqlite3_db_status(handle_, SQLITE_DBSTATUS_CACHE_USED, &cache_bytes, &highest, 0);
  writeback_->advance(static_cast<std::uint64_t>(cache_bytes));
}

Result<void> SqliteDatabase::commit() {
  TRANCHE_TRY(execute("COMMIT"));
  turn_ = Turn();
  return {};
}

void SqliteDatabase::rollback() {
  if (in_transaction()) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  turn_ = Turn();
}

bool SqliteDatabase::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

bool SqliteDatabase::has_broken_keys() const {
  int broken = 0;
  int most = 0;
  sqlite3_db_status(handle_, SQLITE_DBSTATUS_DEFERRED_FKS, &broken, &most, 0);
  return broken != 0;
}

std::int64_t SqliteDatabase::changes() const { return sqlite3_changes64(handle_); }

std::int64_t SqliteDatabase::last_insert_id() const { return sqlite3_last_insert_rowid(handle_); }

bool SqliteDatabase::is_read_only() const { return sqlite3_db_readonly(handle_, "main") == 1; }

Error SqliteDatabase::error(int code) const {
  return error_of(handle_, code, path_.string(), wait_);
}

Result<SqliteTransaction> SqliteTransaction::begin(SqliteDatabase& database) {
  TRANCHE_TRY(database.begin());
  return SqliteTransaction(database);
}

SqliteTransaction::SqliteTransaction(SqliteTransaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

SqliteTransaction::~SqliteTransaction() {
  if (database_ != nullptr) database_->rollback();
}

Result<void> SqliteTransaction::commit() {
  TRANCHE_TRY(database_->commit());
  database_ = nullptr;
  return {};
}

std::string sqlite_identifier(std::string_view name) { return quoted(name, '"'); }
std::string sqlite_literal(std::string_view text) { return quoted(text, '\''); }

}  // namespace tranche
