#include "drivers/duckdb_database.h"

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <utility>

#include <tranche/core/value.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "drivers/duckdb_handles.h"

namespace tranche {

struct DuckDatabase::State {
  DuckHandle<duckdb_database, duckdb_close> database;
  std::atomic<std::uint64_t> feeds{0};  // for their names
  // Of one that is borrowed: by what it is found again.
  bool is_borrowed = false;
  std::uint64_t memory_bytes_max = 0;
  std::string spill_folder;
  std::atomic<bool> is_spoilt{false};  // something of its borrower may have stayed in it
};

struct DuckConnection::State {
  std::shared_ptr<DuckDatabase> owner;
  DuckDatabase::State* of = nullptr;  // the owner's
  DuckHandle<duckdb_connection, duckdb_disconnect> connection;
  std::vector<std::shared_ptr<ServedFeed>> feeds;

  // DuckDB keeps the functions for ever, but nobody calls them any more.
  ~State() {
    for (const auto& feed : feeds) feed->feed = PageFeed();
  }

  // What a feed failed with is the cause; DuckDB's message only repeats it.
  Error error(const char* message) {
    for (const auto& feed : feeds)
      if (auto failure = std::exchange(feed->failure, std::nullopt)) return *std::move(failure);
    Error error = duckdb_error(message);
    if (error.kind != ErrorKind::config && error.kind != ErrorKind::bad_record)
      of->is_spoilt = true;
    return error;
  }
};

struct DuckStatement::State {
  std::shared_ptr<DuckConnection::State> connection;
  DuckConnection* maker = nullptr;
  DuckHandle<duckdb_prepared_statement, duckdb_destroy_prepare> statement;
};

struct DuckResult::State {
  std::shared_ptr<DuckConnection::State> connection;
  std::unique_ptr<DuckStatement::State> statement;  // of a query; prepared ones have owners
  duckdb_result result{};
  std::vector<ResultColumn> columns;
  ChunkHandle chunk;
  std::size_t chunk_rows = 0;
  ~State() {
    chunk.reset();
    duckdb_destroy_result(&result);
  }
};

namespace {

struct ErrorPrefix {
  std::string_view prefix;
  ErrorKind kind;
};
constexpr ErrorPrefix error_prefixes[] = {
    {"Parser Error: ", ErrorKind::config},
    {"Syntax Error: ", ErrorKind::config},
    {"Binder Error: ", ErrorKind::config},
    {"Catalog Error: ", ErrorKind::config},
    {"Not implemented Error: ", ErrorKind::config},
    {"Missing Extension Error: ", ErrorKind::config},
    {"Permission Error: ", ErrorKind::config},
    {"Settings Error: ", ErrorKind::config},
    {"Parameter Not Resolved Error: ", ErrorKind::config},
    {"Parameter Not Allowed Error: ", ErrorKind::config},
    {"Conversion Error: ", ErrorKind::bad_record},
    {"Invalid Input Error: ", ErrorKind::bad_record},
    {"Out of Range Error: ", ErrorKind::bad_record},
    {"Constraint Error: ", ErrorKind::bad_record},
    {"Mismatch Type Error: ", ErrorKind::bad_record},
    {"Invalid type Error: ", ErrorKind::bad_record},
    {"Decimal Error: ", ErrorKind::bad_record},
    {"Out of Memory Error: ", ErrorKind::memory},
    {"IO Error: ", ErrorKind::failed},
    {"INTERRUPT Error: ", ErrorKind::stopped},
    {"INTERNAL Error: ", ErrorKind::bug},
    {"FATAL Error: ", ErrorKind::failed},  // what it could not write, in most cases
    {"TransactionContext Error: ", ErrorKind::bug},
};

std::mutex& open_mutex() {
  static std::mutex mutex;
  return mutex;
}

// Instances that nobody has borrowed just now, the last one given back at the end.
struct IdleInstances {
  std::mutex mutex;
  unsigned keepers = 0;  // none is kept without
  std::vector<std::unique_ptr<DuckDatabase::State>> idle;
};
// As many as workers of steps at once; those of other limits and folders are closed beyond it.
constexpr std::size_t idle_instances_max = 8;
// A function of each stays in the instance.
constexpr std::uint64_t feeds_of_an_instance_max = 256;

IdleInstances& idle_instances() {
  static auto* const instances = new IdleInstances;  // also for threads that outlive main
  return *instances;
}

void give_back(std::unique_ptr<DuckDatabase::State> state) {
  IdleInstances& instances = idle_instances();
  std::unique_ptr<DuckDatabase::State> closed;  // behind the lock
  const std::scoped_lock lock(instances.mutex);
  if (instances.keepers == 0) return;
  instances.idle.push_back(std::move(state));
  if (instances.idle.size() <= idle_instances_max) return;
  closed = std::move(instances.idle.front());
  instances.idle.erase(instances.idle.begin());
}

using ConfigHandle = DuckHandle<duckdb_config, duckdb_destroy_config>;

Result<std::unique_ptr<DuckResult>> take_result(std::unique_ptr<DuckResult::State> state) {
  const idx_t columns = duckdb_column_count(&state->result);
  for (idx_t at = 0; at < columns; ++at) {
    LogicalTypeHandle type(duckdb_column_logical_type(&state->result, at));
    state->columns.push_back(
        describe_result_column(duckdb_column_name(&state->result, at), type.get()));
  }
  return std::make_unique<DuckResult>(std::move(state));
}

Result<std::unique_ptr<DuckResult>> run_prepared(
    const std::shared_ptr<DuckConnection::State>& connection, duckdb_prepared_statement statement,
    std::unique_ptr<DuckStatement::State> owned) {
  DuckHandle<duckdb_pending_result, duckdb_destroy_pending> pending;
  if (duckdb_pending_prepared_streaming(statement, pending.out()) != DuckDBSuccess)
    return connection->error(duckdb_pending_error(pending.get()));
  auto state = std::make_unique<DuckResult::State>();
  state->connection = connection;
  state->statement = std::move(owned);
  if (duckdb_execute_pending(pending.get(), &state->result) != DuckDBSuccess) {
    const char* message = duckdb_result_error(&state->result);
    return connection->error(message != nullptr ? message : duckdb_pending_error(pending.get()));
  }
  return take_result(std::move(state));
}

}  // namespace

Error duckdb_error(const char* message) {
  std::string_view text = message != nullptr ? message : "";
  ErrorKind kind = ErrorKind::failed;
  for (const ErrorPrefix& row : error_prefixes) {
    if (!text.starts_with(row.prefix)) continue;
    kind = row.kind;
    text.remove_prefix(row.prefix.size());
    break;
  }
  // The first line is the sentence; of the others only the candidates help without the SQL.
  std::string sentence(trim(text.substr(0, text.find('\n'))));
  if (sentence.empty()) sentence = "DuckDB failed without saying why";
  for (const std::string& line : split(text, '\n')) {
    if (!line.starts_with("Candidate ") && !line.starts_with("Did you mean")) continue;
    if (sentence.ends_with('!') || sentence.ends_with('.')) sentence.pop_back();
    sentence += fmt::format(". {}", trim(line));
  }
  return make_error(kind, std::move(sentence));
}

DuckDatabase::DuckDatabase(std::unique_ptr<State> state) : state_(std::move(state)) {}
DuckDatabase::~DuckDatabase() {
  if (!state_->is_borrowed || state_->is_spoilt || state_->feeds > feeds_of_an_instance_max) return;
  give_back(std::move(state_));
}

KeptInstances::KeptInstances() {
  const std::scoped_lock lock(idle_instances().mutex);
  ++idle_instances().keepers;
}

KeptInstances::~KeptInstances() {
  std::vector<std::unique_ptr<DuckDatabase::State>> closed;  // behind the lock
  const std::scoped_lock lock(idle_instances().mutex);
  if (--idle_instances().keepers == 0) closed.swap(idle_instances().idle);
}

Result<std::shared_ptr<DuckDatabase>> DuckDatabase::borrow(std::uint64_t memory_bytes_max,
                                                           const std::string& spill_folder) {
  {
    const std::scoped_lock lock(idle_instances().mutex);
    auto& idle = idle_instances().idle;
    for (auto at = idle.rbegin(); at != idle.rend(); ++at) {
      if ((*at)->memory_bytes_max != memory_bytes_max || (*at)->spill_folder != spill_folder)
        continue;
      auto database = std::make_shared<DuckDatabase>(std::move(*at));
      idle.erase(std::next(at).base());
      return database;
    }
  }
  TRANCHE_ASSIGN(auto database, open(memory_bytes_max, spill_folder));
  database->state_->is_borrowed = true;
  database->state_->memory_bytes_max = memory_bytes_max;
  database->state_->spill_folder = spill_folder;
  return database;
}

Result<std::shared_ptr<DuckDatabase>> DuckDatabase::open(std::uint64_t memory_bytes_max,
                                                         const std::string& spill_folder) {
  return open_at(nullptr, memory_bytes_max, spill_folder);
}

Result<std::shared_ptr<DuckDatabase>> DuckDatabase::open_file(const std::string& path,
                                                              std::uint64_t memory_bytes_max,
                                                              const std::string& spill_folder) {
  auto opened = open_at(path.c_str(), memory_bytes_max, spill_folder);
  if (!opened) return duckdb_file_error(std::move(opened).error(), path);
  return opened;
}

Result<void> create_database_file(const std::string& path, const std::string& scratch) {
  if (file_exists(path)) return {};
  constexpr std::uint64_t memory_bytes = 32ULL << 20;
  const fs::path made = fs::path(scratch) / "new.duckdb";
  TRANCHE_TRY(remove_file(made));  // of an engine that died here
  TRANCHE_TRY(DuckDatabase::open_file(made.string(), memory_bytes, ""));  // and closes it
  TRANCHE_ASSIGN(const std::string bytes, read_file(made));
  TRANCHE_TRY(remove_file(made));
  return create_file_durably(path, bytes);
}

Result<std::shared_ptr<DuckDatabase>> DuckDatabase::open_at(const char* path,
                                                            std::uint64_t memory_bytes_max,
                                                            const std::string& spill_folder) {
  TRANCHE_TRY(load_duckdb());
  ConfigHandle config;
  if (duckdb_create_config(config.out()) != DuckDBSuccess)
    return make_error(ErrorKind::memory, "DuckDB's configuration can't be made: out of memory");
  std::vector<std::pair<const char*, std::string>> settings{
      {"threads", "1"},
      {"preserve_insertion_order", "true"},
      // They may build a join on `batch`, which scrambles the order of its rows.
      {"disabled_optimizers", "join_order,build_side_probe_side"},
      {"autoinstall_known_extensions", "false"},
      {"autoload_known_extensions", "false"},
      // Files are opened by descriptor, so that equal names may be different files.
      {"enable_external_file_cache", "false"},
  };
  if (memory_bytes_max != 0) {
    // In whole KiB: DuckDB reads "B" with a fraction and rounds.
    settings.emplace_back("memory_limit", fmt::format("{}KiB", memory_bytes_max / 1024));
  }
  if (!spill_folder.empty()) settings.emplace_back("temp_directory", spill_folder);
  for (const auto& [name, value] : settings) {
    if (duckdb_set_config(config.get(), name, value.c_str()) != DuckDBSuccess)
      return make_error(ErrorKind::bug,
                        fmt::format("DuckDB refuses the setting {} = {}", name, value));
  }
  auto state = std::make_unique<State>();
  char* message = nullptr;
  duckdb_state opened = DuckDBError;
  {
    const std::scoped_lock lock(open_mutex());
    opened = duckdb_open_ext(path, state->database.out(), config.get(), &message);
  }
  if (opened != DuckDBSuccess) {
    Error error = duckdb_error(message);
    duckdb_free(message);
    error.message = fmt::format("DuckDB can't be opened: {}", error.message);
    return error;
  }
  auto database = std::make_shared<DuckDatabase>(std::move(state));
  TRANCHE_ASSIGN(const auto connection, database->connect());
  // The machine's own zone must not decide what a cast of a timestamptz gives. A setting of the ICU
  // extension: a build without it has no zones, and no such casts either.
  const auto zone = connection->execute("SET GLOBAL TimeZone = 'UTC'");
  if (!zone && zone.error().kind != ErrorKind::config) return zone.error();
  return database;
}

Error duckdb_file_error(Error error, const std::string& path) {
  const std::string& message = error.message;
  const bool is_locked = message.find("Could not set lock on file") != std::string::npos;
  // What it says of a file that it takes for one of another system, and of any other one.
  for (const char* words :
       {"in-memory database in read-only mode", "not a valid DuckDB database"}) {
    if (message.find(words) == std::string::npos) continue;
    return make_error(ErrorKind::config, fmt::format("{} is no DuckDB database.", path));
  }
  if (!is_locked) {
    error.message = fmt::format("DuckDB database {}: {}", path, message);
    return error;
  }
  const auto begin = message.find("(PID ");
  const auto end = message.find(')', begin == std::string::npos ? 0 : begin);
  const std::string who = begin == std::string::npos || end == std::string::npos
                              ? std::string()
                              : message.substr(begin, end - begin + 1) + " ";
  return make_error(ErrorKind::busy,
                    fmt::format("Another process {}has DuckDB database {} open. DuckDB lets one "
                                "process write, or several read: end that one, or wait for it "
                                "with --wait 10m.",
                                who, path));
}

Result<std::string> attach_to_read(DuckConnection& connection, const std::string& path) {
  const std::string name = "tranche_" + digest_hex(path).substr(0, 12);
  connection.state_->of->is_spoilt = true;  // whoever has it next must not hold the file
  const auto attached = connection.execute(
      fmt::format("ATTACH IF NOT EXISTS {} AS {} (READ_ONLY)", sql_literal(path), name));
  if (!attached) return duckdb_file_error(attached.error(), path);
  return name;
}

Result<std::shared_ptr<DuckDatabase>> DuckDatabase::of(WorkerScope& worker) {
  return worker.get<DuckDatabase>([](WorkerScope& scope) {
    return DuckDatabase::borrow(scope.database_memory_bytes(), scope.spill_folder());
  });
}

Result<std::unique_ptr<DuckConnection>> DuckDatabase::connect() {
  auto state = std::make_shared<DuckConnection::State>();
  state->owner = shared_from_this();
  state->of = state_.get();
  if (duckdb_connect(state_->database.get(), state->connection.out()) != DuckDBSuccess)
    return make_error(ErrorKind::failed, "DuckDB gives no connection");
  return std::make_unique<DuckConnection>(std::move(state));
}

DuckConnection::DuckConnection(std::shared_ptr<State> state) : state_(std::move(state)) {}
DuckConnection::~DuckConnection() = default;

Result<std::uint64_t> DuckConnection::execute(const std::string& sql) {
  duckdb_result result{};
  const duckdb_state done = duckdb_query(state_->connection.get(), sql.c_str(), &result);
  if (done != DuckDBSuccess) {
    Error error = state_->error(duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    return error;
  }
  const std::uint64_t rows = duckdb_rows_changed(&result);
  duckdb_destroy_result(&result);
  return rows;
}

void DuckConnection::interrupt() { duckdb_interrupt(state_->connection.get()); }

Result<std::unique_ptr<DuckStatement>> DuckConnection::prepare(const std::string& sql) {
  auto state = std::make_unique<DuckStatement::State>();
  state->connection = state_;
  state->maker = this;
  if (duckdb_prepare(state_->connection.get(), sql.c_str(), state->statement.out()) !=
      DuckDBSuccess)
    return state_->error(duckdb_prepare_error(state->statement.get()));
  return std::make_unique<DuckStatement>(std::move(state));
}

Result<std::unique_ptr<DuckResult>> DuckConnection::query(const std::string& sql) {
  auto state = std::make_unique<DuckStatement::State>();
  state->connection = state_;
  if (duckdb_prepare(state_->connection.get(), sql.c_str(), state->statement.out()) !=
      DuckDBSuccess)
    return state_->error(duckdb_prepare_error(state->statement.get()));
  const duckdb_prepared_statement statement = state->statement.get();
  return run_prepared(state_, statement, std::move(state));
}

Result<std::size_t> DuckConnection::count_statements(const std::string& sql) {
  DuckHandle<duckdb_extracted_statements, duckdb_destroy_extracted> extracted;
  const idx_t count =
      duckdb_extract_statements(state_->connection.get(), sql.c_str(), extracted.out());
  const char* message = duckdb_extract_statements_error(extracted.get());
  if (message != nullptr && *message != '\0') return duckdb_error(message);
  return static_cast<std::size_t>(count);
}

Result<std::vector<std::vector<std::string>>> DuckConnection::query_texts(const std::string& sql) {
  TRANCHE_ASSIGN(auto result, query(sql));
  TRANCHE_ASSIGN(const SchemaPtr schema, result->schema());
  std::vector<std::vector<std::string>> rows;
  Page page(schema);
  while (true) {
    TRANCHE_ASSIGN(const std::size_t fetched, result->fetch());
    if (fetched == 0) return rows;
    page.clear();
    TRANCHE_TRY(result->append_to(page));
    for (std::size_t row = 0; row < fetched; ++row) {
      auto& texts = rows.emplace_back(page.column_count());
      for (std::size_t at = 0; at < page.column_count(); ++at) {
        if (page.column(at).is_valid(row)) append_value_text(texts[at], page.column(at), row);
      }
    }
  }
}

Result<std::string> DuckConnection::add_feed(PageFeed feed) {
  const std::string name = fmt::format("tranche_pages_{}", state_->of->feeds.fetch_add(1));
  auto served = std::make_shared<ServedFeed>(ServedFeed{std::move(feed), std::nullopt});
  TRANCHE_TRY(register_feed(state_->connection.get(), name, served));
  state_->feeds.push_back(std::move(served));
  return name;
}

DuckStatement::DuckStatement(std::unique_ptr<State> state) : state_(std::move(state)) {}
DuckStatement::~DuckStatement() = default;

std::vector<std::string> DuckStatement::parameter_names() const {
  std::vector<std::string> names;
  const idx_t count = duckdb_nparams(state_->statement.get());
  for (idx_t at = 1; at <= count; ++at) {
    const char* name = duckdb_parameter_name(state_->statement.get(), at);
    names.emplace_back(name != nullptr ? name : "");
    duckdb_free(const_cast<char*>(name));
  }
  return names;
}

bool DuckStatement::is_select() const {
  return duckdb_prepared_statement_type(state_->statement.get()) == DUCKDB_STATEMENT_TYPE_SELECT;
}

Result<void> DuckStatement::bind(const Parameter& parameter) {
  idx_t index = 0;
  if (duckdb_bind_parameter_index(state_->statement.get(), &index, parameter.name.c_str()) !=
      DuckDBSuccess)
    return make_error(ErrorKind::bug, fmt::format("The SQL has no parameter ${}", parameter.name));
  TRANCHE_ASSIGN(ValueHandle value, make_value(*state_->maker, parameter));
  if (duckdb_bind_value(state_->statement.get(), index, value.get()) != DuckDBSuccess)
    return state_->connection->error(duckdb_prepare_error(state_->statement.get()));
  return {};
}

Result<std::unique_ptr<DuckResult>> DuckStatement::execute() {
  return run_prepared(state_->connection, state_->statement.get(), nullptr);
}

DuckResult::DuckResult(std::unique_ptr<State> state) : state_(std::move(state)) {}
DuckResult::~DuckResult() = default;

Result<SchemaPtr> DuckResult::schema() const {
  Schema schema;
  for (const ResultColumn& column : state_->columns) {
    if (!column.unsupported.empty())
      return make_error(ErrorKind::config,
                        fmt::format("Column \"{}\" is of type {}, which is not supported; cast it "
                                    "to json text or select its fields",
                                    column.name, column.unsupported));
    schema.fields.push_back(Field{column.name, column.type, false});
  }
  return std::make_shared<const Schema>(std::move(schema));
}

Result<std::size_t> DuckResult::fetch() {
  state_->chunk_rows = 0;
  do {
    *state_->chunk.out() = duckdb_fetch_chunk(state_->result);
    if (state_->chunk.get() == nullptr) {
      // The end and an error look alike here; the result knows.
      const char* message = duckdb_result_error(&state_->result);
      if (message != nullptr && *message != '\0') return state_->connection->error(message);
      return std::size_t{0};
    }
    state_->chunk_rows = duckdb_data_chunk_get_size(state_->chunk.get());
  } while (state_->chunk_rows == 0);
  return state_->chunk_rows;
}

Result<void> DuckResult::append_to(Page& page) const {
  const std::size_t at = page.rows();
  const std::size_t rows = state_->chunk_rows;
  if (page.capacity() < at + rows) page.reserve(at + rows);
  for (std::size_t index = 0; index < page.column_count(); ++index) {
    TRANCHE_TRY(append_vector(page.column(index), page.arena, state_->columns[index],
                              duckdb_data_chunk_get_vector(state_->chunk.get(), index), at, rows));
  }
  page.set_rows(at + rows);
  return {};
}

const std::int64_t* DuckResult::numbers(std::size_t column) const {
  return static_cast<const std::int64_t*>(
      duckdb_vector_get_data(duckdb_data_chunk_get_vector(state_->chunk.get(), column)));
}

}  // namespace tranche
