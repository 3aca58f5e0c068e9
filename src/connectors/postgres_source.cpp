#include "connectors/postgres_source.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "connectors/postgres_keys.h"
#include "connectors/postgres_target.h"
#include "connectors/table_query.h"
#include "connectors/time_windows.h"
#include "drivers/big_endian.h"

namespace tranche {
namespace postgres {
namespace {

constexpr std::uint64_t batch_memory_bytes = 32ULL << 20;
constexpr std::uint64_t batch_rows_max = 100'000;
constexpr std::size_t page_rows = 8 * vector_rows;

// The snapshot's name at the server, and when that was started: names begin anew with it.
std::string name_of(const std::string& snapshot) { return snapshot.substr(0, snapshot.find('/')); }

Result<std::unique_ptr<PostgresConnection>> open_in(const std::string& url,
                                                    const std::string& snapshot) {
  TRANCHE_ASSIGN(auto connection, PostgresConnection::borrow(url));
  TRANCHE_TRY(connection->execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  const auto imported = connection->execute(
      fmt::format("SET TRANSACTION SNAPSHOT {}", postgres_literal(name_of(snapshot))));
  if (imported) return connection;
  if (imported.error().kind == ErrorKind::transient) return imported.error();
  return make_error(ErrorKind::failed,
                    fmt::format("{}: the snapshot that the run reads is gone, since the connection "
                                "that held it was cut. Run it again.",
                                to_string(connection->place())));
}

// The connections of one worker, each in the snapshot of its run.
class WorkerConnections {
 public:
  Result<PostgresConnection*> get(const std::string& url, const std::string& snapshot) {
    auto& connection = connections_[{url, snapshot}];
    if (!connection || !connection->is_alive() || !connection->in_transaction()) {
      connection.reset();
      TRANCHE_ASSIGN(connection, open_in(url, snapshot));
    }
    return connection.get();
  }
  void drop(const std::string& url, const std::string& snapshot) {
    connections_.erase({url, snapshot});
  }

 private:
  std::map<std::pair<std::string, std::string>, std::unique_ptr<PostgresConnection>> connections_;
};

class TableReader final : public Reader {
 public:
  TableReader(const SourceUse& use, std::string snapshot,
              std::shared_ptr<WorkerConnections> connections, PostgresConnection& connection,
              const Relation& relation, const Slice& slice)
      : url_(use.url),
        snapshot_(std::move(snapshot)),
        connections_(std::move(connections)),
        connection_(connection),
        schema_(relation.schema),
        name_(std::make_shared<const std::string>(relation.name)),
        slice_(slice),
        tuples_(relation.schema, relation.wires()) {}

  // What is not read to its end leaves the connection in the middle of a COPY.
  ~TableReader() override {
    if (!is_ended_) connections_->drop(url_, snapshot_);
  }

  Result<std::unique_ptr<Page>> next(std::vector<Reject>& rejects) override {
    if (is_ended_) return std::unique_ptr<Page>();
    const std::uint64_t left = slice_.records - std::min(slice_.records, passed_);
    auto page = std::make_unique<Page>(
        schema_, std::min<std::uint64_t>(page_rows, (left / vector_rows + 1) * vector_rows));
    page->base.source = name_;
    page->base.record = slice_.first_record + passed_;
    const std::uint64_t first = passed_;
    while (page->rows() < page->capacity()) {
      if (piece_.empty()) {
        TRANCHE_ASSIGN(const bool more, fetch());
        if (!more) break;
        continue;
      }
      TRANCHE_TRY(take_tuple(*page, first, rejects));
    }
    if (page->rows() == 0) page.reset();
    return page;
  }

  std::uint64_t bytes_read() const override { return bytes_; }

 private:
  // The next piece of the COPY; false: there is none, and all came.
  Result<bool> fetch() {
    TRANCHE_ASSIGN(const auto piece, connection_.next_copied());
    if (!piece) {
      is_ended_ = true;
      if (passed_ == slice_.records) return false;
      return make_error(ErrorKind::failed,
                        fmt::format("PostgreSQL gave {} records of {} where the plan counted {}, "
                                    "though in one snapshot: records of equal keys ({}) are not "
                                    "equal to it everywhere, or the query gives others each time "
                                    "it runs.",
                                    passed_, *name_, slice_.records, slice_.range));
    }
    piece_ = *piece;
    bytes_ += piece_.size();
    if (!std::exchange(has_begun_, true)) piece_.remove_prefix(header_bytes());
    if (piece_ == copy_trailer) piece_ = {};
    return true;
  }

  std::size_t header_bytes() const {
    if (piece_.size() < copy_header.size()) return piece_.size();
    const std::size_t fixed = copy_header.size();
    const auto extension = get_big_endian<std::uint32_t>(piece_.data() + fixed - 4);
    return std::min(piece_.size(), fixed + extension);
  }

  Result<void> take_tuple(Page& page, std::uint64_t first, std::vector<Reject>& rejects) {
    const std::string_view before = piece_;
    const std::size_t row = page.rows();
    const auto read = tuples_.read(piece_, page, row);
    if (read) {
      page.set_rows(row + 1);
      page.origins.push_back(Origin{.offset = slice_.begin + passed_,
                                    .record = static_cast<std::uint32_t>(passed_ - first)});
      ++passed_;
      return {};
    }
    if (read.error().kind != ErrorKind::bad_record) return read.error();
    Reject reject(read.error().message);
    reject.phase = "read";
    reject.record = slice_.first_record + passed_;
    reject.source = *name_;
    reject.offset = slice_.begin + passed_;
    reject.has_position = true;
    reject.raw = before.substr(0, before.size() - piece_.size());
    rejects.push_back(std::move(reject));
    ++passed_;
    return {};
  }

  std::string url_;
  std::string snapshot_;
  std::shared_ptr<WorkerConnections> connections_;
  PostgresConnection& connection_;
  SchemaPtr schema_;
  std::shared_ptr<const std::string> name_;
  Slice slice_;
  PostgresTupleReader tuples_;
  std::string_view piece_;
  std::uint64_t passed_ = 0;
  std::uint64_t bytes_ = 0;
  bool has_begun_ = false;
  bool is_ended_ = false;
};

std::string copy_sql(const Relation& relation, const RelationKey& key, const KeyRange& range,
                     const std::string& filter) {
  std::string list;
  for (const RelationColumn& column : relation.columns) {
    list += (list.empty() ? "" : ", ") + column.expression;
  }
  std::string sql = fmt::format("COPY (SELECT {} FROM {} WHERE {} AND {}", list, relation.from,
                                condition(key, range), filter);
  if (!key.is_address) sql += fmt::format(" ORDER BY {}", key.expression);
  if (!key.tie_breaker.empty()) sql += ", " + key.tie_breaker;
  return sql + ") TO STDOUT (FORMAT binary)";
}

}  // namespace

// What SET TRANSACTION SNAPSHOT takes.
std::string TableSource::imported() const {
  return use_.snapshot.empty() ? snapshot_ : use_.snapshot;
}

Result<void> TableSource::take_snapshot() {
  if (!use_.snapshot.empty()) {
    TRANCHE_ASSIGN(connection_, open_in(use_.url, use_.snapshot));
    snapshot_ = use_.snapshot.substr(use_.snapshot.find('@') + 1);
    return {};
  }
  TRANCHE_ASSIGN(connection_, PostgresConnection::borrow(use_.url));
  TRANCHE_TRY(connection_->execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  TRANCHE_ASSIGN(const auto row,
                 connection_->query("SELECT pg_export_snapshot(), extract(epoch FROM "
                                    "pg_postmaster_start_time())::bigint"));
  snapshot_ = fmt::format("{}/{}", row.text(0, 0), row.text(0, 1));
  return {};
}

Result<std::vector<Input>> TableSource::inputs() {
  TRANCHE_TRY(take_snapshot());
  TRANCHE_ASSIGN(relation_, describe_relation(*connection_, use_.relation));
  Input input;
  input.name = fmt::format("{}: {}", to_string(connection_->place()), relation_->name);
  input.bytes = relation_->bytes;
  input.snapshot = snapshot_;
  if (use_.increment) {
    input.from = read_until_;
    TRANCHE_ASSIGN(input.until,
                   increment_end(*connection_, *relation_, *use_.increment, read_until_));
    if (!input.from.empty()) input.bytes = 0;  // nobody knows how much is new
  }
  return std::vector<Input>{std::move(input)};
}

Result<void> TableSource::use_inputs(std::vector<Input> inputs) {
  inputs_ = std::move(inputs);
  if (inputs_.size() != 1) {
    return make_error(ErrorKind::bug, "A PostgreSQL source has one input.");
  }
  if (!connection_ || snapshot_ != inputs_[0].snapshot) {
    snapshot_ = inputs_[0].snapshot;
    TRANCHE_ASSIGN(connection_, open_in(use_.url, imported()));
    relation_.reset();
  }
  if (!relation_) {
    TRANCHE_ASSIGN(relation_, describe_relation(*connection_, use_.relation));
  }
  if (use_.increment) {
    TRANCHE_ASSIGN(filter_, increment_condition(*connection_, *relation_, *use_.increment,
                                                inputs_[0].from, inputs_[0].until));
  }
  return {};
}

Result<SchemaPtr> TableSource::schema() {
  if (!relation_) return make_error(ErrorKind::bug, "The PostgreSQL source has no inputs yet.");
  return relation_->schema;
}

Result<void> TableSource::use_division(const Division& division) {
  const std::string& column = division.window ? division.window->column : division.key;
  key_ = relation_->own_key;
  if (!column.empty()) {
    TRANCHE_ASSIGN(key_, describe_key(*connection_, *relation_, column));
  }
  window_end_ = nullptr;
  if (!division.window) return {};
  TRANCHE_ASSIGN(const TimeWindows windows,
                 find_time_windows(*relation_->schema, *division.window));
  const Type type = relation_->schema->fields[windows.column].type;
  if (key_->type != postgres_type_name(type) && key_->type != "timestamp without time zone") {
    return make_error(ErrorKind::config,
                      fmt::format("Column \"{}\" of {} is {}; windows of time need a date, a "
                                  "timestamp or a timestamp with time zone.",
                                  column, relation_->name, key_->type));
  }
  // The year before 1, which is 0 in ISO 8601, is 1 BC to PostgreSQL.
  window_end_ = [end_of = window_end_of(windows, type)](const std::string& key) {
    Result<std::string> end = end_of(key);
    if (end && end->starts_with("0000-")) *end = "0001" + end->substr(4) + " BC";
    return end;
  };
  return {};
}

Result<std::unique_ptr<SliceStream>> TableSource::divide(const Slice* after) {
  if (!key_) {
    return make_error(
        ErrorKind::config,
        fmt::format("{} of PostgreSQL has no primary key of one column, so it is not known by what "
                    "to divide it; name a column: batch: {{ key: id, rows: 100000 }}.",
                    relation_->name));
  }
  const bool is_of_this_state = after != nullptr && !use_.snapshot.empty() &&
                                after->digest == table_slice_digest(snapshot_, after->range);
  if (after != nullptr && key_->is_address && !is_of_this_state) {
    return make_error(
        ErrorKind::config,
        fmt::format("{} was divided by the place of its rows, which counts in one snapshot only, "
                    "and that is gone. Start again with --fresh, and name a column next time: "
                    "batch: {{ key: id }}.",
                    relation_->name));
  }
  TRANCHE_ASSIGN(auto begin, range_behind(after));
  KeySlices settings;
  settings.record_bytes = relation_->record_bytes;
  settings.record_memory_bytes = relation_->record_memory_bytes;
  settings.snapshot = snapshot_;
  settings.window_end = window_end_;
  auto cursor = std::make_unique<ServerKeyCursor>(*connection_, *relation_, *key_, filter_,
                                                  begin ? *begin : KeyRange{{}, {}, true});
  return slice_keys(std::move(cursor), std::move(settings), after);
}

Result<std::unique_ptr<Reader>> TableSource::open(const Slice& slice, WorkerScope& worker) const {
  TRANCHE_ASSIGN(const auto connections, worker.get<WorkerConnections>([](WorkerScope&) {
    return Result<std::shared_ptr<WorkerConnections>>(std::make_shared<WorkerConnections>());
  }));
  TRANCHE_ASSIGN(const KeyRange range, parse_key_range(slice.range));
  TRANCHE_ASSIGN(PostgresConnection * connection, connections->get(use_.url, imported()));
  auto reader =
      std::make_unique<TableReader>(use_, imported(), connections, *connection, *relation_, slice);
  TRANCHE_TRY(connection->begin_copy_out(copy_sql(*relation_, *key_, range, filter_)));
  return std::unique_ptr<Reader>(std::move(reader));
}

Result<std::optional<std::uint64_t>> TableSource::digest(const Slice& slice) const {
  return std::optional<std::uint64_t>(table_slice_digest(snapshot_, slice.range));
}

Division TableSource::default_division() const {
  const std::uint64_t fitting = batch_memory_bytes / relation_->record_memory_bytes;
  Division division;
  division.rows = std::clamp<std::uint64_t>(fitting, 1, batch_rows_max);
  return division;
}

std::vector<std::string> TableSource::notes() const {
  std::vector<std::string> notes = relation_->notes;
  if (!key_) return notes;
  notes.push_back(fmt::format("{} is divided by {}.", relation_->name, key_->name));
  if (key_->is_address) {
    notes.push_back(
        "A run that is killed begins anew, since the place of rows counts in one "
        "snapshot only; with batch: { key: } it could go on.");
  } else if (!key_->has_index) {
    notes.push_back(
        fmt::format("There is no index on {}, so each batch reads the whole table.", key_->name));
  }
  return notes;
}

}  // namespace postgres

const OptionTable& postgres_read_options() {
  static const OptionTable table = {
      postgres::database_option(),
      Option{.name = "table",
             .kind = OptionKind::text,
             .doc = "The table or view to read.",
             .example = "public.sales"},
      Option{.name = "query",
             .kind = OptionKind::text,
             .doc = "A SELECT instead of a table; it needs batch: { key: }.",
             .example = "SELECT id, total FROM sales WHERE total > 0"},
      Option{.name = "columns",
             .kind = OptionKind::columns,
             .doc = "The columns to read, with the types to read them as; all of them when left "
                    "out.",
             .example = "{ id: bigint, total: \"decimal(18,2)\" }"},
      increment_option(),
      Option{.name = "on_change",
             .kind = OptionKind::choice,
             .doc = "What a resume does when the snapshot of the run that was killed is gone: "
                    "refuse, continue with a new one behind the committed batches, or restart.",
             .default_text = "refuse",
             .choices = {"refuse", "continue", "restart"}},
      read_snapshot_option(
          "A snapshot that another session holds, as a backup does; left out: one of its own."),
  };
  return table;
}

Result<std::unique_ptr<Source>> make_postgres_source(const Node& node,
                                                     const std::filesystem::path&) {
  const OptionReader options(node, postgres_read_options());
  postgres::SourceUse use;
  use.url = options.text("postgres");
  use.relation.table = options.text("table");
  use.relation.query = options.text("query");
  use.relation.columns = options.columns("columns");
  use.increment = read_increment(options);
  use.snapshot = options.text("snapshot");
  const std::string on_change = options.text("on_change");
  if (on_change == "continue") use.on_snapshot_loss = SnapshotLoss::go_on;
  if (on_change == "restart") use.on_snapshot_loss = SnapshotLoss::start_afresh;
  if (use.relation.table.empty() == use.relation.query.empty()) {
    return make_error(ErrorKind::config,
                      "postgres needs what to read: either table: sales, or query: SELECT ...");
  }
  return std::unique_ptr<Source>(std::make_unique<postgres::TableSource>(std::move(use)));
}

}  // namespace tranche
