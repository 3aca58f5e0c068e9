// Which state of a database is read. SQLite can name a state (sqlite3_snapshot) only where it was
// built so, which Debian's is not; what it names then is what is read here.
//
// All of it is read through SQLite's own file handles: to open and close one of the files would
// release the locks that this process has on it, as POSIX wants it.
#include <sqlite3.h>

#include <cstring>

#include <fmt/format.h>

#include "drivers/sqlite.h"

namespace tranche {
namespace {

constexpr int log_index_page_bytes = 32768;
constexpr int attempts_max = 100;

// The head of the index of a write-ahead log, https://sqlite.org/walformat.html, 2.1.
struct LogHead {
  std::uint32_t version;
  std::uint32_t unused;
  std::uint32_t changes;  // begins anew with the index
  std::uint8_t is_initialised;
  std::uint8_t is_big_endian;
  std::uint16_t page_bytes;
  std::uint32_t frames;
  std::uint32_t pages;
  std::uint32_t frame_checksum[2];  // of all frames up to the last commit
  std::uint32_t salt[2];
  std::uint32_t checksum[2];
};
static_assert(sizeof(LogHead) == 48);

sqlite3_file* file_of(sqlite3* handle) {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  return file;
}

// It stands there twice, and a writer changes one after the other.
bool read_log_head(sqlite3_file* file, LogHead& head) {
  void volatile* page = nullptr;
  if (file->pMethods->iVersion < 2) return false;
  if (file->pMethods->xShmMap(file, 0, log_index_page_bytes, 0, &page) != SQLITE_OK) return false;
  if (page == nullptr) return false;
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    LogHead copies[2];
    std::memcpy(copies, const_cast<const void*>(page), sizeof copies);
    file->pMethods->xShmBarrier(file);
    if (std::memcmp(&copies[0], &copies[1], sizeof(LogHead)) != 0) continue;
    head = copies[0];
    return true;
  }
  return false;
}

}  // namespace

Result<SqliteState> SqliteDatabase::look_at_state() {
  SqliteState state;
  TRANCHE_ASSIGN(auto mode, query("PRAGMA journal_mode"));
  TRANCHE_TRY(mode.step());
  state.is_wal = mode.text(0) == "wal";
  mode.reset();
  TRANCHE_ASSIGN(const std::int64_t page_bytes, query_integer("PRAGMA page_size"));
  TRANCHE_ASSIGN(const std::int64_t pages, query_integer("PRAGMA page_count"));
  state.bytes = static_cast<std::uint64_t>(page_bytes * pages);
  sqlite3_file* const file = file_of(handle_);
  LogHead head{};
  if (file == nullptr || (state.is_wal && !read_log_head(file, head))) {
    return make_error(
        ErrorKind::failed,
        fmt::format("It can't be seen in which state SQLite database {} is.", path_.string()));
  }
  if (state.is_wal && head.frames > 0) {
    state.is_named_by_log = true;
    state.name =
        fmt::format("log {:08x}{:08x}, {} frames, checksum {:08x}{:08x}", head.salt[0],
                    head.salt[1], head.frames, head.frame_checksum[0], head.frame_checksum[1]);
    return state;
  }
  unsigned char counter[4] = {0, 0, 0, 0};  // https://sqlite.org/fileformat.html, 1.3.7
  if (state.bytes > 0 && file->pMethods->xRead(file, counter, 4, 24) != SQLITE_OK)
    return error(SQLITE_IOERR);
  const std::uint32_t changes = std::uint32_t{counter[0]} << 24 | std::uint32_t{counter[1]} << 16 |
                                std::uint32_t{counter[2]} << 8 | std::uint32_t{counter[3]};
  state.name = fmt::format("change {}, {} pages", changes, pages);
  return state;
}

// The state is looked at before and after the transaction begins: equal, it is the transaction's.
Result<SqliteState> SqliteDatabase::begin_reading() {
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    TRANCHE_TRY(query_integer("SELECT count(*) FROM sqlite_schema"));
    TRANCHE_ASSIGN(const SqliteState before, look_at_state());
    TRANCHE_TRY(execute("BEGIN"));
    TRANCHE_TRY(query_integer("SELECT count(*) FROM sqlite_schema"));
    TRANCHE_ASSIGN(SqliteState state, look_at_state());
    if (state == before) return state;
    rollback();
  }
  return make_error(ErrorKind::transient,
                    fmt::format("SQLite database {} is written to without a pause; there was no "
                                "moment to begin to read it.",
                                path_.string()));
}

}  // namespace tranche
