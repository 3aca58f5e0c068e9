#include "connectors/catalog_database.h"

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "connectors/catalog_script.h"
#include "connectors/duckdb_target.h"
#include "connectors/postgres_target.h"
#include "connectors/sqlite_target.h"
#include "connectors/table_sink.h"

namespace tranche {
namespace {

constexpr std::uint64_t duckdb_memory_bytes = 256ULL << 20;

Result<void> execute_in_postgres(const std::string& url,
                                 const std::vector<std::string>& statements) {
  TRANCHE_ASSIGN(const auto connection, PostgresConnection::open(url));
  TRANCHE_TRY(connection->begin());
  for (const std::string& statement : statements) TRANCHE_TRY(connection->execute(statement));
  return connection->commit();
}

Result<void> execute_in_sqlite(const std::string& path,
                               const std::vector<std::string>& statements) {
  sqlite::Target target;
  target.database = path;
  target.checks_foreign_keys = false;
  TRANCHE_ASSIGN(const auto database, sqlite::open_for_writing(target, true));
  TRANCHE_TRY(database->begin());
  for (const std::string& statement : statements) TRANCHE_TRY(database->execute(statement));
  return database->commit();
}

Result<void> execute_in_duckdb(const std::string& path,
                               const std::vector<std::string>& statements) {
  TRANCHE_ASSIGN(const auto database,
                 DuckDatabase::open_file(path, duckdb_memory_bytes, path + ".tmp"));
  TRANCHE_ASSIGN(const auto connection, database->connect());
  for (const std::string& statement : statements) TRANCHE_TRY(duck::run(*connection, statement));
  return duck::run(*connection, "CHECKPOINT");
}

CatalogName commits_of(const DatabasePlace& place) {
  return {place.is_file() ? "" : "public", "tranche_commits"};
}

}  // namespace

std::string DatabasePlace::name() const {
  if (is_file()) return system + ":" + url;
  return url_without_password(url);
}

Result<DatabasePlace> parse_database(const std::string& text) {
  if (text.starts_with("postgresql://") || text.starts_with("postgres://")) {
    TRANCHE_TRY(parse_postgres_url(text));
    return DatabasePlace{"postgres", text};
  }
  for (const char* system : {"sqlite", "duckdb"}) {
    const std::string head = std::string(system) + ":";
    if (!text.starts_with(head) || text.size() == head.size()) continue;
    return DatabasePlace{system, database_file(text.substr(head.size()), {}).string()};
  }
  return make_error(ErrorKind::usage,
                    fmt::format("\"{}\" names no database; postgresql://user@host/database, "
                                "sqlite:file or duckdb:file was expected",
                                excerpt(url_without_password(text))));
}

Result<std::unique_ptr<CatalogDatabase>> open_to_read(const DatabasePlace& place) {
  if (place.system == "postgres") return open_postgres_catalog(place.url);
  auto opened =
      place.system == "sqlite" ? open_sqlite_catalog(place.url) : open_duckdb_catalog(place.url);
  if (!opened && opened.error().kind == ErrorKind::failed)
    opened.error().kind = ErrorKind::config;  // a file of another kind
  return opened;
}

Result<std::unique_ptr<CatalogDatabase>> open_for_trial(const DatabasePlace& place) {
  if (place.system == "postgres") return try_in_postgres(place.url);
  return place.system == "sqlite" ? try_in_sqlite() : try_in_duckdb();
}

Result<void> execute_in(const DatabasePlace& place, const std::vector<std::string>& statements) {
  if (place.system == "postgres") return execute_in_postgres(place.url, statements);
  return place.system == "sqlite" ? execute_in_sqlite(place.url, statements)
                                  : execute_in_duckdb(place.url, statements);
}

Result<void> take_rows_out(const DatabasePlace& place, const CatalogName& table,
                           const std::string& run, const std::string& step) {
  return execute_in(place, {"DELETE FROM " + quoted_name(place.system, table),
                            fmt::format("DELETE FROM {} WHERE run = {} AND step = {}",
                                        quoted_name(place.system, commits_of(place)),
                                        sql_literal(run), sql_literal(step))});
}

Result<void> forget_commits(const DatabasePlace& place, const std::string& run) {
  const CatalogName commits = commits_of(place);
  const std::string name = quoted_name(place.system, commits);
  // It may be gone already, after a crash.
  TRANCHE_TRY(
      execute_in(place, {fmt::format("CREATE TABLE IF NOT EXISTS {} (run VARCHAR)", name),
                         fmt::format("DELETE FROM {} WHERE run = {}", name, sql_literal(run))}));
  TRANCHE_ASSIGN(const bool is_used, has_rows(place, commits));
  return is_used ? Result<void>() : execute_in(place, {"DROP TABLE " + name});
}

Result<bool> has_rows(const DatabasePlace& place, const CatalogName& table) {
  const std::string sql = fmt::format("SELECT 1 FROM {} LIMIT 1", quoted_name(place.system, table));
  if (place.system == "postgres") {
    TRANCHE_ASSIGN(const auto connection, PostgresConnection::open(place.url));
    TRANCHE_ASSIGN(const auto rows, connection->query(sql));
    return rows.size() > 0;
  }
  if (place.system == "sqlite") {
    TRANCHE_ASSIGN(const auto database,
                   SqliteDatabase::open(place.url, SqliteDatabase::Access::read_only,
                                        std::chrono::seconds(10)));
    TRANCHE_ASSIGN(auto rows, database->prepare(sql));
    return rows.step();
  }
  TRANCHE_ASSIGN(const auto database, DuckDatabase::open(duckdb_memory_bytes, ""));
  TRANCHE_ASSIGN(const auto connection, database->connect());
  TRANCHE_ASSIGN(const std::string name, attach_to_read(*connection, place.url));
  TRANCHE_TRY(duck::run(*connection, "USE " + name));
  TRANCHE_ASSIGN(const auto rows, connection->query_texts(sql));
  return !rows.empty();
}

}  // namespace tranche
