#include "drivers/postgres.h"

#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/format.h>

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

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, FreeOptions>;

Error no_url() {
  return make_error(ErrorKind::config,
                    "What names the PostgreSQL database is not a URL that can be understood; it "
                    "was expected to look like postgresql://user@host:5432/database, with "
                    "special characters of its parts written as %XX.");
}

bool is_url(std::string_view text) {
  return text.starts_with("postgresql://") || text.starts_with("postgres://");
}

Result<Options> parse_options(const std::string& url) {
  if (!is_url(url)) return no_url();
  char* message = nullptr;  // may quote a part of the URL, so nobody sees it
  Options options(PQconninfoParse(url.c_str(), &message));
  PQfreemem(message);
  if (!options) return no_url();
  return options;
}

PostgresPlace place_of(const PQconninfoOption* options) {
  PostgresPlace place;
  for (const PQconninfoOption* one = options; one->keyword != nullptr; ++one) {
    const std::string_view key = one->keyword;
    const std::string value = one->val != nullptr ? one->val : "";
    if (key == "host") place.host = value;
    if (key == "hostaddr" && place.host.empty()) place.host = value;
    if (key == "port") place.port = value;
    if (key == "dbname") place.database = value;
    if (key == "user") place.user = value;
  }
  return place;
}

// What libpq says, on one line.
std::string on_one_line(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    if (byte == '\n' || byte == '\r' || byte == '\t') {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else {
      out += byte;
    }
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == '.')) out.pop_back();
  return out;
}

std::string field_of(const PGresult* result, int field) {
  const char* const text = result != nullptr ? PQresultErrorField(result, field) : nullptr;
  return text != nullptr ? text : "";
}

// libpq gives no SQLSTATE with a connection that was refused, so its words tell: what only a change
// of the job or of the server's settings mends is config.
Error refused(PGconn* handle, const PostgresPlace& place) {
  const std::string why = on_one_line(PQerrorMessage(handle));
  ErrorKind kind = ErrorKind::transient;
  for (const char* words : {"authentication failed", "no password supplied", "does not exist",
                            "no pg_hba.conf entry", "permission denied for database",
                            "is not permitted to log in", "could not translate host name",
                            "certificate", "does not support SSL", "invalid"}) {
    if (why.find(words) != std::string::npos) kind = ErrorKind::config;
  }
  if (why.find(".s.PGSQL.") != std::string::npos) kind = ErrorKind::transient;  // no socket yet
  return make_error(kind, fmt::format("Can't connect to PostgreSQL database {}: {}{}",
                                      to_string(place), why, why.ends_with('?') ? "" : "."));
}

constexpr const char* session_settings =
    "SET synchronous_commit = on; SET client_min_messages = warning; SET DateStyle = ISO; "
    "SET IntervalStyle = iso_8601; SET TimeZone = 'UTC'; SET extra_float_digits = 3; "
    "SET bytea_output = hex; SET standard_conforming_strings = on; SET statement_timeout = 0; "
    "SET idle_in_transaction_session_timeout = 0; ";

// What DISCARD ALL does, which can't be sent together with anything else.
constexpr const char* discard_all =
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *; "
    "SELECT pg_advisory_unlock_all(); DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES; ";

void ignore_notice(void*, const PGresult*) {}

std::string settings_of_session(const PostgresTimeouts& timeouts) {
  return session_settings + fmt::format("SET lock_timeout = {}", timeouts.lock.count());
}

// Connections that nobody has borrowed just now, the last one given back at the end.
struct IdleConnection {
  std::string borrowed_as;
  std::unique_ptr<PostgresConnection> connection;
};
struct IdleConnections {
  std::mutex mutex;
  unsigned keepers = 0;  // none is kept without
  std::vector<IdleConnection> idle;
};
constexpr std::size_t idle_connections_max = 16;

IdleConnections& idle_connections() {
  static auto* const connections = new IdleConnections;  // also for threads that outlive main
  return *connections;
}

}  // namespace

KeptConnections::KeptConnections() {
  const std::scoped_lock lock(idle_connections().mutex);
  ++idle_connections().keepers;
}

KeptConnections::~KeptConnections() {
  std::vector<IdleConnection> ended;  // behind the lock
  const std::scoped_lock lock(idle_connections().mutex);
  if (--idle_connections().keepers == 0) ended.swap(idle_connections().idle);
}

Result<PostgresPlace> parse_postgres_url(const std::string& url) {
  TRANCHE_ASSIGN(const Options options, parse_options(url));
  return place_of(options.get());
}

std::string to_string(const PostgresPlace& place) {
  return fmt::format("{}:{}/{}", place.host.empty() ? "localhost" : place.host,
                     place.port.empty() ? "5432" : place.port,
                     place.database.empty() ? place.user : place.database);
}

// ---- Rows

PostgresRows::PostgresRows(PostgresRows&& other) noexcept
    : result_(std::exchange(other.result_, nullptr)) {}

PostgresRows& PostgresRows::operator=(PostgresRows&& other) noexcept {
  std::swap(result_, other.result_);
  return *this;
}

PostgresRows::~PostgresRows() { PQclear(result_); }

std::size_t PostgresRows::size() const { return static_cast<std::size_t>(PQntuples(result_)); }

std::size_t PostgresRows::column_count() const {
  return static_cast<std::size_t>(PQnfields(result_));
}

std::uint32_t PostgresRows::column_type(std::size_t column) const {
  return PQftype(result_, static_cast<int>(column));
}

std::int32_t PostgresRows::column_modifier(std::size_t column) const {
  return PQfmod(result_, static_cast<int>(column));
}

std::string PostgresRows::column_name(std::size_t column) const {
  return PQfname(result_, static_cast<int>(column));
}

bool PostgresRows::is_null(std::size_t row, std::size_t column) const {
  return PQgetisnull(result_, static_cast<int>(row), static_cast<int>(column)) != 0;
}

std::string_view PostgresRows::text(std::size_t row, std::size_t column) const {
  const int r = static_cast<int>(row);
  const int c = static_cast<int>(column);
  return {PQgetvalue(result_, r, c), static_cast<std::size_t>(PQgetlength(result_, r, c))};
}

std::int64_t PostgresRows::integer(std::size_t row, std::size_t column) const {
  const std::string_view digits = text(row, column);
  std::int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

std::uint64_t PostgresRows::affected() const {
  const std::string_view digits = PQcmdTuples(result_);
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

// ---- Connections

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(
    const std::string& url, const PostgresTimeouts& timeouts) {
  TRANCHE_ASSIGN(const Options options, parse_options(url));
  // Later keywords win over those of the URL, except where the URL says something of its own.
  std::vector<std::pair<std::string, std::string>> settings{
      {"connect_timeout", std::to_string(timeouts.connect.count())},
      {"tcp_user_timeout", std::to_string(timeouts.network.count())},
      {"keepalives_idle", "30"},
      {"application_name", "tranche"},
  };
  for (const PQconninfoOption* one = options.get(); one->keyword != nullptr; ++one) {
    if (one->val != nullptr && *one->val != '\0') settings.emplace_back(one->keyword, one->val);
  }
  settings.emplace_back("client_encoding", "UTF8");
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : settings) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  PGconn* const handle = PQconnectdbParams(keywords.data(), values.data(), 0);
  PostgresPlace place = place_of(options.get());
  if (handle == nullptr) return make_error(ErrorKind::memory, "libpq is out of memory.");
  if (PQstatus(handle) != CONNECTION_OK) {
    Error error = refused(handle, place);
    PQfinish(handle);
    return error;
  }
  place.host = PQhost(handle);
  place.port = PQport(handle);
  place.database = PQdb(handle);
  place.user = PQuser(handle);
  auto made = std::unique_ptr<PostgresConnection>(new PostgresConnection(handle, std::move(place)));
  PQsetNoticeReceiver(handle, ignore_notice, nullptr);
  TRANCHE_TRY(made->execute(settings_of_session(timeouts)));
  return made;
}

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::borrow(
    const std::string& url, const PostgresTimeouts& timeouts) {
  const std::string key =
      fmt::format("{}\n{}\n{}", url, timeouts.connect.count(), timeouts.network.count());
  while (true) {
    std::unique_ptr<PostgresConnection> kept;
    {
      const std::scoped_lock lock(idle_connections().mutex);
      auto& idle = idle_connections().idle;
      const auto found = std::find_if(idle.rbegin(), idle.rend(), [&](const auto& one) {
        return one.borrowed_as == key;
      });
      if (found == idle.rend()) break;
      kept = std::move(found->connection);
      idle.erase(std::next(found).base());
    }
    // Whatever its borrower has set, locked or made. One that was lost meanwhile is found out.
    if (!kept->execute(discard_all + settings_of_session(timeouts))) continue;
    kept->borrowed_as_ = key;
    return kept;
  }
  TRANCHE_ASSIGN(auto made, open(url, timeouts));
  made->borrowed_as_ = key;
  return made;
}

PostgresConnection::~PostgresConnection() {
  drop_copied();
  if (!borrowed_as_.empty()) give_back();
  PQfinish(handle_);
}

void PostgresConnection::give_back() {
  IdleConnections& connections = idle_connections();
  {
    const std::scoped_lock lock(connections.mutex);
    if (connections.keepers == 0 || connections.idle.size() >= idle_connections_max) return;
  }
  if (PQtransactionStatus(handle_) == PQTRANS_INTRANS) rollback();
  if (!is_alive() || PQtransactionStatus(handle_) != PQTRANS_IDLE) return;
  auto kept = std::unique_ptr<PostgresConnection>(
      new PostgresConnection(std::exchange(handle_, nullptr), std::move(place_)));
  const std::scoped_lock lock(connections.mutex);
  if (connections.keepers == 0) return;
  connections.idle.push_back({std::move(borrowed_as_), std::move(kept)});
}

Error PostgresConnection::failed(const PGresult* result) {
  failure_ = PostgresFailure{
      .sqlstate = field_of(result, PG_DIAG_SQLSTATE),
      .message = on_one_line(field_of(result, PG_DIAG_MESSAGE_PRIMARY)),
      .detail = on_one_line(field_of(result, PG_DIAG_MESSAGE_DETAIL)),
      .hint = on_one_line(field_of(result, PG_DIAG_MESSAGE_HINT)),
      .context = field_of(result, PG_DIAG_CONTEXT),
      .table = field_of(result, PG_DIAG_TABLE_NAME),
      .column = field_of(result, PG_DIAG_COLUMN_NAME),
      .constraint = field_of(result, PG_DIAG_CONSTRAINT_NAME),
  };
  if (!failure_.detail.empty()) failure_.detail += '.';
  if (failure_.message.empty()) failure_.message = on_one_line(PQerrorMessage(handle_));
  // A server that is going down says so before the connection ends; either way it is lost, though
  // libpq may take the connection for one that works until it has read from it.
  if (failure_.sqlstate.empty()) {
    return make_error(ErrorKind::transient,
                      fmt::format("The connection to PostgreSQL database {} was lost: {}.",
                                  to_string(place_), failure_.message));
  }
  const std::string hint = failure_.hint.empty() ? "" : fmt::format(" {}.", failure_.hint);
  return make_error(postgres_error_kind(failure_.sqlstate),
                    fmt::format("PostgreSQL database {} refused a statement with {}{}",
                                to_string(place_), failure_.sentence(), hint));
}

Result<void> PostgresConnection::execute(const std::string& sql) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(handle_, sql.c_str()),
                                                             PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) {
    return {};
  }
  return failed(result.get());
}

Result<PostgresRows> PostgresConnection::query_with(const std::string& sql,
                                                    const std::vector<std::string>& values) {
  std::vector<const char*> parameters;
  for (const std::string& value : values) parameters.push_back(value.c_str());
  PGresult* const result =
      PQexecParams(handle_, sql.c_str(), static_cast<int>(values.size()), nullptr,
                   parameters.data(), nullptr, nullptr, 0);
  PostgresRows rows(result);
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return rows;
  return failed(result);
}

Result<std::int64_t> PostgresConnection::query_integer(const std::string& sql) {
  TRANCHE_ASSIGN(const PostgresRows rows, query(sql));
  return rows.size() == 0 ? 0 : rows.integer(0, 0);
}

Result<void> PostgresConnection::commit() {
  // COMMIT of a failed transaction is a ROLLBACK that reports success.
  if (PQtransactionStatus(handle_) == PQTRANS_INERROR) {
    rollback();
    return make_error(ErrorKind::bug, "A transaction that had failed was to be committed.");
  }
  auto committed = execute("COMMIT");
  if (committed || is_alive()) return committed;
  return make_error(ErrorKind::in_doubt, committed.error().message);
}

void PostgresConnection::rollback() {
  cancel_copy_in();
  if (!in_transaction()) return;
  const auto done = execute("ROLLBACK");  // on a failure the connection is lost, and it is done
  static_cast<void>(done);
}

bool PostgresConnection::in_transaction() const {
  const PGTransactionStatusType status = PQtransactionStatus(handle_);
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE;
}

bool PostgresConnection::is_alive() const { return PQstatus(handle_) == CONNECTION_OK; }

std::int64_t PostgresConnection::server_version() const { return PQserverVersion(handle_); }

int PostgresConnection::backend() const { return PQbackendPID(handle_); }

// ---- COPY

Result<void> PostgresConnection::begin_copy_in(const std::string& sql) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(handle_, sql.c_str()),
                                                             PQclear);
  if (PQresultStatus(result.get()) == PGRES_COPY_IN) return {};
  return failed(result.get());
}

Result<void> PostgresConnection::put(std::string_view bytes) {
  // A message is a piece that stays in the processor's cache on its way to the kernel.
  constexpr std::size_t piece_bytes = 128 << 10;
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, piece_bytes);
    if (PQputCopyData(handle_, piece.data(), static_cast<int>(piece.size())) != 1) {
      return failed(nullptr);
    }
    bytes.remove_prefix(piece.size());
  }
  return {};
}

Result<std::uint64_t> PostgresConnection::finish_copy_in() {
  if (PQputCopyEnd(handle_, nullptr) != 1) return failed(nullptr);
  TRANCHE_ASSIGN(const PostgresRows rows, last_result());
  return rows.affected();
}

void PostgresConnection::cancel_copy_in() {
  if (PQtransactionStatus(handle_) != PQTRANS_ACTIVE) return;
  if (PQputCopyEnd(handle_, "The rows were taken back.") != 1) return;
  const auto ended = last_result();
  static_cast<void>(ended);
}

// The first error of what is left counts; the connection is then ready for the next statement.
Result<PostgresRows> PostgresConnection::last_result() {
  PostgresRows rows;
  std::optional<Error> error;
  while (PGresult* const result = PQgetResult(handle_)) {
    PostgresRows held(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
      rows = std::move(held);
    } else if (!error) {
      error = failed(result);
    }
    if (!is_alive() && !error) error = failed(nullptr);
  }
  if (error) return *std::move(error);
  return rows;
}

Result<void> PostgresConnection::begin_copy_out(const std::string& sql) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(handle_, sql.c_str()),
                                                             PQclear);
  if (PQresultStatus(result.get()) == PGRES_COPY_OUT) return {};
  return failed(result.get());
}

Result<std::optional<std::string_view>> PostgresConnection::next_copied() {
  drop_copied();
  const int bytes = PQgetCopyData(handle_, &copied_, 0);
  if (bytes > 0) {
    return std::optional<std::string_view>({copied_, static_cast<std::size_t>(bytes)});
  }
  if (bytes == -2) return failed(nullptr);
  TRANCHE_ASSIGN(const PostgresRows rows, last_result());
  static_cast<void>(rows);
  return std::optional<std::string_view>{};
}

void PostgresConnection::drop_copied() { PQfreemem(std::exchange(copied_, nullptr)); }

// ---- Transactions and names

Result<PostgresTransaction> PostgresTransaction::begin(PostgresConnection& connection) {
  TRANCHE_TRY(connection.begin());
  return PostgresTransaction(connection);
}

PostgresTransaction::PostgresTransaction(PostgresTransaction&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)) {}

PostgresTransaction::~PostgresTransaction() {
  if (connection_ != nullptr) connection_->rollback();
}

Result<void> PostgresTransaction::commit() {
  return std::exchange(connection_, nullptr)->commit();
}

std::string postgres_identifier(std::string_view name) { return quoted(name, '"'); }

std::string postgres_literal(std::string_view text) { return quoted(text, '\''); }

}  // namespace tranche
