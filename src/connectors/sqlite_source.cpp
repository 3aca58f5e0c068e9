#include "connectors/sqlite_source.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/text.h"
#include "connectors/sqlite_shape.h"
#include "connectors/sqlite_values.h"

namespace tranche::sqlite {
namespace {

constexpr std::size_t page_rows = 8 * vector_rows;
constexpr std::uint64_t batch_memory_bytes = 32ULL << 20;
constexpr std::uint64_t batch_rows_max = 122'880;
constexpr int sampled_rows = 1000;  // from either end

Error bad_job(std::string message) { return make_error(ErrorKind::config, std::move(message)); }

Error changed(const SourceOptions& options) {
  return make_error(ErrorKind::failed,
                    fmt::format("SQLite database {} was changed since the run was planned, and its "
                                "former state can't be read any more. Nothing was read from two "
                                "states. Start again with --fresh, when nobody writes to it.",
                                options.name));
}

// A worker's connections, each with a transaction that sees the planned state as long as it lives.
struct Connections {
  std::map<std::string, std::unique_ptr<SqliteDatabase>> of_path;
};

Result<SqliteDatabase*> connection_of(WorkerScope& worker, const SourceOptions& options,
                                      const Input& input) {
  TRANCHE_ASSIGN(const auto connections, worker.get<Connections>([](WorkerScope&) {
    return Result<std::shared_ptr<Connections>>(std::make_shared<Connections>());
  }));
  // By its state as well: of a lookup and a source in one file, one may have been planned later.
  const std::string name = options.path.string() + "\n" + input.snapshot;
  auto& database = connections->of_path[name];
  if (database) return database.get();
  TRANCHE_ASSIGN(auto opened, SqliteDatabase::open(options.path, SqliteDatabase::Access::read_only,
                                                   options.lock_wait));
  TRANCHE_ASSIGN(const SqliteState state, opened->begin_reading());
  TRANCHE_ASSIGN(const std::string snapshot, snapshot_name(state, options.path));
  if (snapshot != input.snapshot) return changed(options);
  database = std::move(opened);
  return database.get();
}

class TableReader final : public Reader {
 public:
  TableReader(SchemaPtr schema, std::shared_ptr<const std::string> name, const Slice& slice,
              SqliteStatement rows, std::vector<Taken> taken, bool has_rowid)
      : schema_(std::move(schema)),
        name_(std::move(name)),
        slice_(slice),
        rows_(std::move(rows)),
        taken_(std::move(taken)),
        columns_(static_cast<int>(schema_->fields.size())),
        has_rowid_(has_rowid) {}

  Result<std::unique_ptr<Page>> next(std::vector<Reject>& rejects) override {
    if (ended_) return std::unique_ptr<Page>();
    const std::uint64_t left = slice_.records - std::min(slice_.records, done_);
    auto page = std::make_unique<Page>(schema_, std::clamp<std::uint64_t>(left, 1, page_rows));
    page->base.source = name_;
    page->base.record = slice_.first_record + done_;
    page->origins.reserve(page->capacity());
    std::uint32_t record = 0;
    while (page->rows() < page->capacity()) {
      TRANCHE_ASSIGN(const bool more, rows_.step());
      if (!more) {
        ended_ = true;
        break;
      }
      take_row(*page, record++, rejects);
    }
    done_ += record;
    if (ended_ && done_ != slice_.records) {
      return make_error(ErrorKind::failed,
                        fmt::format("{} gave {} records of a range in which {} were counted: the "
                                    "database is damaged, or one of its functions gives other "
                                    "values each time.",
                                    *name_, done_, slice_.records));
    }
    if (page->rows() > 0 && fault_drops_record("parse")) {
      page->set_rows(page->rows() - 1);
      page->origins.pop_back();
    }
    if (page->rows() == 0 && ended_) page.reset();
    return page;
  }

  std::uint64_t bytes_read() const override {
    return slice_.records == 0 ? 0 : slice_.bytes / slice_.records * done_;
  }

 private:
  std::uint64_t number_of(std::uint32_t record) const {
    return has_rowid_ ? rows_.natural(columns_) : slice_.begin + done_ + record;
  }

  void take_row(Page& page, std::uint32_t record, std::vector<Reject>& rejects) {
    const std::size_t row = page.rows();
    for (int at = 0; at < columns_; ++at) {
      Column& column = page.column(static_cast<std::size_t>(at));
      const bool is_taken =
          take_value(rows_, at, column, row, page.arena, taken_[static_cast<std::size_t>(at)]);
      const bool is_missing =
          schema_->fields[static_cast<std::size_t>(at)].required && rows_.is_null(at);
      if (!is_taken || is_missing) [[unlikely]] {
        rejects.push_back(reject(record, at));
        return;
      }
    }
    page.origins.push_back(Origin{.offset = number_of(record), .record = record});
    page.set_rows(row + 1);
  }

  Reject reject(std::uint32_t record, int at) const {
    const Field& field = schema_->fields[static_cast<std::size_t>(at)];
    Reject reject;
    reject.record = slice_.first_record + done_ + record;
    reject.source = *name_;
    reject.offset = number_of(record);
    reject.has_position = true;
    reject.phase = "read";
    reject.error = rows_.is_null(at)
                       ? fmt::format("Column \"{}\" is null.", field.name)
                       : fmt::format("Column \"{}\" holds {}, which is no {}.", field.name,
                                     describe_value(rows_, at), to_string(field.type));
    reject.raw = row_as_json(rows_, columns_);
    return reject;
  }

  SchemaPtr schema_;
  std::shared_ptr<const std::string> name_;
  Slice slice_;
  SqliteStatement rows_;
  std::vector<Taken> taken_;  // one a column
  int columns_;
  bool has_rowid_;
  std::uint64_t done_ = 0;
  bool ended_ = false;
};

// To whom keeps times as numbers, since there is no type for them.
Error with_advice(Error error, const Schema& schema, const std::string& column) {
  const auto at = schema.find(column);
  if (at && is_numeric(schema.fields[*at].type)) {
    error.message += fmt::format(
        " Where it holds seconds since 1970, read them by a query: SELECT "
        "datetime({0}, 'unixepoch') AS {0}.",
        column);
  }
  return error;
}

// A name of the row's number that no column has taken.
std::string rowid_name(const TableShape& table) {
  if (table.kind == "view" || !table.has_rowid) return "";
  for (const char* name : {"rowid", "_rowid_", "oid"}) {
    if (table.find(name) == nullptr) return name;
  }
  return "";
}

}  // namespace

// By its count of changes a state is known as long as the file is the same one; a log names it by
// itself, and is written back into the file by whoever comes by.
Result<std::string> snapshot_name(const SqliteState& state, const std::filesystem::path& path) {
  if (state.is_named_by_log) return state.name;
  TRANCHE_ASSIGN(const FileStatus file, file_status(path));
  return fmt::format("{}, modified {}", state.name, file.modified_nanoseconds);
}

std::string TableSource::what() const {
  return options_.table.empty() ? "the query" : options_.table;
}

std::vector<std::string> TableSource::keeps_from_writing() const {
  return {fmt::format("sqlite:{}:", options_.path.string())};
}

Result<void> TableSource::look() {
  database_.reset();
  TRANCHE_TRY(file_status(options_.path));
  TRANCHE_ASSIGN(database_, SqliteDatabase::open(options_.path, SqliteDatabase::Access::read_only,
                                                 options_.lock_wait));
  TRANCHE_ASSIGN(state_, database_->begin_reading());
  TRANCHE_ASSIGN(snapshot_, snapshot_name(state_, options_.path));
  shape_ = ReadShape{};
  guessed_.clear();
  if (options_.query.empty()) {
    TRANCHE_TRY(find_table());
  } else {
    shape_.from = fmt::format("(\n{}\n)", options_.query);
  }
  TRANCHE_TRY(find_columns());
  TRANCHE_TRY(sample());
  const std::string key = options_.key.empty() ? only_key_ : options_.key;
  if (!key.empty() || options_.key.empty()) return use_key(key);
  return {};
}

Result<void> TableSource::find_table() {
  TRANCHE_ASSIGN(const auto table, read_shape(*database_, options_.table));
  if (!table) {
    return bad_job(
        fmt::format("SQLite database {} has no table \"{}\".", options_.name, options_.table));
  }
  shape_.from = sqlite_identifier(table->name);
  shape_.rowid = rowid_name(*table);
  only_key_.clear();
  std::size_t keys = 0;
  for (const TableColumn& column : table->columns) {
    if (column.key_position == 0 || table->has_rowid) continue;
    only_key_ = column.name;
    shape_.tie_breaks += ", " + sqlite_identifier(column.name);
    ++keys;
  }
  if (keys > 1) only_key_.clear();
  if (!shape_.rowid.empty()) shape_.tie_breaks = ", " + shape_.rowid;
  return {};
}

Result<void> TableSource::find_columns() {
  auto all = database_->prepare(fmt::format("SELECT * FROM {}", shape_.from));
  if (!all) return bad_job(all.error().message);
  names_.clear();
  for (int at = 0; at < all->column_count(); ++at) {
    if (contains_name(names_, all->column_name(at))) {
      return bad_job(
          fmt::format("Two columns of {} are called \"{}\"; give one of them another "
                      "name with AS.",
                      what(), all->column_name(at)));
    }
    names_.push_back(all->column_name(at));
  }
  std::vector<std::string> wanted = options_.columns.empty() ? names_ : options_.columns;
  std::vector<std::string> known = options_.types.names();
  known.insert(known.end(), wanted.begin(), wanted.end());
  known.insert(known.end(), options_.literals.begin(), options_.literals.end());
  if (!options_.key.empty()) known.push_back(options_.key);
  if (options_.increment) known.push_back(options_.increment->column);
  for (const std::string& name : known) {
    if (contains_name(names_, name)) continue;
    return bad_job(fmt::format("There is no column \"{}\" in {} of {}; it has {}.", name, what(),
                               options_.name, join(names_, ", ")));
  }
  for (const std::string& name : wanted) {
    shape_.columns += (shape_.columns.empty() ? "" : ", ") + sqlite_identifier(name);
  }
  TRANCHE_ASSIGN(const auto chosen,
                 database_->prepare(fmt::format("SELECT {} FROM {}", shape_.columns, shape_.from)));
  TRANCHE_TRY(find_types(chosen));
  if (shape_.tie_breaks.empty()) {  // nothing but all of it tells two rows of one key apart
    for (std::size_t at = 1; at <= wanted.size(); ++at)
      shape_.tie_breaks += fmt::format(", {}", at);
  }
  return {};
}

// Who asks for text gets that of numbers, too.
std::vector<Taken> TableSource::taken() const {
  std::vector<Taken> taken;
  for (const Field& field : schema_->fields) {
    const auto asked = options_.types.find(field.name);
    const bool is_text = asked && options_.types.fields[*asked].type.id == TypeId::varchar;
    const bool is_literal = contains_name(options_.literals, field.name);
    taken.push_back(is_literal ? Taken::literal : is_text ? Taken::as_text : Taken::as_typed);
  }
  return taken;
}

std::optional<Type> TableSource::known_type(const SqliteStatement& statement, int at) const {
  if (contains_name(options_.literals, statement.column_name(at))) return Type{TypeId::varchar};
  if (const auto asked = options_.types.find(statement.column_name(at)))
    return options_.types.fields[*asked].type;
  return type_of_declaration(statement.declared_type(at));
}

Result<void> TableSource::find_types(const SqliteStatement& statement) {
  Schema schema;
  for (int at = 0; at < statement.column_count(); ++at) {
    Field field;
    field.name = statement.column_name(at);
    if (const auto asked = options_.types.find(field.name))
      field.required = options_.types.fields[*asked].required;
    if (const auto known = known_type(statement, at)) {
      field.type = *known;
      if (is_nested(field.type)) {
        return bad_job(
            fmt::format("Column \"{}\" can't be {}: SQLite has no nested values. Read "
                        "it as json.",
                        field.name, tranche::to_string(field.type)));
      }
    } else {
      guessed_.push_back(field.name);
    }
    schema.fields.push_back(std::move(field));
  }
  schema_ = std::make_shared<const Schema>(std::move(schema));
  return {};
}

// What the first and the last rows hold tells how large a row is, and the types that nobody has
// declared.
Result<void> TableSource::sample() {
  Schema schema = *schema_;
  std::vector<bool> has_text(schema.fields.size());
  std::vector<bool> has_real(schema.fields.size());
  std::vector<bool> has_blob(schema.fields.size());
  std::vector<bool> has_integer(schema.fields.size());
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::uint64_t string_bytes = 0;
  std::vector<std::string> orders = {""};
  if (!shape_.rowid.empty()) orders.push_back(fmt::format(" ORDER BY {} DESC", shape_.rowid));
  for (const std::string& order : orders) {
    TRANCHE_ASSIGN(auto sampled,
                   database_->prepare(fmt::format("SELECT {} FROM {}{} LIMIT {}", shape_.columns,
                                                  shape_.from, order, sampled_rows)));
    while (true) {
      TRANCHE_ASSIGN(const bool more, sampled.step());
      if (!more) break;
      ++rows;
      for (int at = 0; at < sampled.column_count(); ++at) {
        const auto index = static_cast<std::size_t>(at);
        const SqliteKind kind = sampled.kind(at);
        has_text[index] = has_text[index] || kind == SqliteKind::text;
        has_real[index] = has_real[index] || kind == SqliteKind::real;
        has_blob[index] = has_blob[index] || kind == SqliteKind::blob;
        has_integer[index] = has_integer[index] || kind == SqliteKind::integer;
        const bool is_long = kind == SqliteKind::text || kind == SqliteKind::blob;
        const std::uint64_t length = is_long ? sampled.blob(at).size() : 8;
        bytes += kind == SqliteKind::null ? 1 : length;
        if (is_long && length > 12) string_bytes += length;
      }
    }
  }
  for (std::size_t at = 0; at < schema.fields.size(); ++at) {
    if (!contains_name(guessed_, schema.fields[at].name)) continue;
    Type type{TypeId::varchar};
    if (has_integer[at]) type = Type{TypeId::bigint};
    if (has_real[at]) type = Type{TypeId::double_};
    if (has_text[at]) type = Type{TypeId::varchar};
    if (has_blob[at]) type = Type{TypeId::blob};
    schema.fields[at].type = type;
  }
  std::uint64_t fixed_bytes = sizeof(Origin);
  for (const Field& field : schema.fields) fixed_bytes += estimated_bytes(field.type);
  const std::uint64_t divisor = std::max<std::uint64_t>(1, rows);
  record_bytes_ = std::max<std::uint64_t>(1, bytes / divisor);
  record_memory_bytes_ = fixed_bytes + string_bytes / divisor;
  rows_about_ = 0;
  if (!shape_.rowid.empty()) {
    TRANCHE_ASSIGN(
        const std::int64_t first,
        database_->query_integer(fmt::format("SELECT min({}) FROM {}", shape_.rowid, shape_.from)));
    TRANCHE_ASSIGN(
        const std::int64_t last,
        database_->query_integer(fmt::format("SELECT max({}) FROM {}", shape_.rowid, shape_.from)));
    rows_about_ =
        rows == 0 ? 0 : static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first) + 1;
    if (rows_about_ > state_.bytes) rows_about_ = 0;  // there are gaps
  }
  schema_ = std::make_shared<const Schema>(std::move(schema));
  return {};
}

// `key` empty: the row's number.
Result<void> TableSource::use_key(const std::string& key) {
  shape_.is_unique = key.empty() || same_name(key, only_key_);
  shape_.key = key.empty() ? shape_.rowid : sqlite_identifier(key);
  is_key_indexed_ = key.empty();
  if (key.empty()) return {};
  if (!contains_name(names_, key)) {
    return bad_job(fmt::format("The key \"{}\" is no column of {} in {}; it has {}.", key, what(),
                               options_.name, join(names_, ", ")));
  }
  TRANCHE_ASSIGN(auto plan, database_->prepare(
                                fmt::format("EXPLAIN QUERY PLAN SELECT {0} FROM {1} WHERE {0} > 1",
                                            shape_.key, shape_.from)));
  while (true) {
    TRANCHE_ASSIGN(const bool more, plan.step());
    if (!more) break;
    is_key_indexed_ = is_key_indexed_ || plan.text(3).starts_with("SEARCH");
  }
  return {};
}

Result<std::vector<Input>> TableSource::inputs() {
  auto looked = look();
  if (!looked) {
    // Before the start a file that is no database, or no such query, is a mistake in the job.
    if (looked.error().kind == ErrorKind::failed) looked.error().kind = ErrorKind::config;
    if (looked.error().kind == ErrorKind::transient) looked.error().kind = ErrorKind::busy;
    return looked.error();
  }
  Input input;
  input.name = options_.name;
  input.bytes = rows_about_ > 0 ? rows_about_ * record_bytes_ : state_.bytes;
  input.snapshot = snapshot_;
  if (!options_.snapshot.empty() && options_.snapshot != snapshot_) return changed(options_);
  if (options_.increment) {
    input.from = read_until_;
    TRANCHE_ASSIGN(const NamedColumn column, increment_column());
    TRANCHE_ASSIGN(input.until,
                   increment_end(*database_, column, *options_.increment, read_until_));
    if (!input.from.empty()) input.bytes = 0;  // nobody knows how much is new
  }
  return std::vector<Input>{std::move(input)};
}

Result<void> TableSource::use_inputs(std::vector<Input> inputs) {
  inputs_ = std::move(inputs);
  if (!database_) TRANCHE_TRY(look());
  if (options_.increment) {
    TRANCHE_ASSIGN(const NamedColumn column, increment_column());
    TRANCHE_ASSIGN(shape_.filter, increment_condition(*database_, column, inputs_.at(0).from,
                                                      inputs_.at(0).until));
  }
  return {};
}

Result<SchemaPtr> TableSource::schema() { return schema_; }

Result<void> TableSource::use_division(const Division& division) {
  windows_.reset();
  if (division.window) {
    auto found = find_time_windows(*schema_, *division.window);
    if (!found) return with_advice(std::move(found).error(), *schema_, division.window->column);
    windows_ = *std::move(found);
    return use_key(windows_->column_name);
  }
  if (!division.key.empty()) return use_key(division.key);
  if (!shape_.key.empty()) return {};
  return bad_job(options_.query.empty()
                     ? fmt::format("The rows of {} have no number by which they could be divided; "
                                   "name a key, as in batch: {{ key: id, rows: 100000 }}.",
                                   what())
                     : std::string("A query is read by ranges of a key; name one of its columns, "
                                   "as in key: id."));
}

// What was planned in this very state was checked then.
Result<TimeForm> TableSource::form_of_windows(const Slice* after) {
  const NamedColumn column{shape_.from, windows_->column_name, what(),
                           schema_->fields[windows_->column].type};
  TRANCHE_ASSIGN(TimeForm form, TimeForm::find(*database_, column, ""));
  const bool is_checked =
      after != nullptr && after->digest == table_slice_digest(snapshot_, after->range);
  if (!is_checked) TRANCHE_TRY(form.check(*database_, column, ""));
  return form;
}

Result<NamedColumn> TableSource::increment_column() {
  const std::string& name = options_.increment->column;
  TRANCHE_ASSIGN(const auto one, database_->prepare(fmt::format(
                                     "SELECT {} FROM {}", sqlite_identifier(name), shape_.from)));
  if (const auto type = known_type(one, 0)) return NamedColumn{shape_.from, name, what(), *type};
  return bad_job(
      fmt::format("Nobody has declared a type for \"{0}\", the column of incremental: "
                  "say what it holds, as in columns: {{ {0}: timestamp }}.",
                  name));
}

Result<std::unique_ptr<SliceStream>> TableSource::divide(const Slice* after) {
  if (shape_.key.empty()) TRANCHE_TRY(use_division(Division{}));
  if (snapshot_ != inputs_.at(0).snapshot) return changed(options_);
  TRANCHE_ASSIGN(auto begin, range_behind(after));
  KeySlices settings;
  settings.record_bytes = record_bytes_;
  settings.record_memory_bytes = record_memory_bytes_;
  settings.snapshot = inputs_[0].snapshot;
  std::optional<TimeForm> times;
  if (windows_) {
    TRANCHE_ASSIGN(times, form_of_windows(after));
    settings.window_end = window_end_of(*times, windows_->calendar);
  }
  return slice_keys(walk_keys(*database_, shape_, std::move(begin), std::move(times)),
                    std::move(settings), after);
}

Result<std::unique_ptr<Reader>> TableSource::open(const Slice& slice, WorkerScope& worker) const {
  TRANCHE_ASSIGN(SqliteDatabase* const database, connection_of(worker, options_, inputs_.at(0)));
  TRANCHE_ASSIGN(const KeyRange range, parse_key_range(slice.range));
  const bool has_rowid = !shape_.rowid.empty();
  TRANCHE_ASSIGN(auto rows, database->prepare(
                                fmt::format("SELECT {}{} FROM {}{} ORDER BY {}{}", shape_.columns,
                                            has_rowid ? ", " + shape_.rowid : std::string(),
                                            shape_.from, where_sql(shape_, range), shape_.key,
                                            shape_.key == shape_.rowid ? "" : shape_.tie_breaks)));
  TRANCHE_TRY(bind_range(rows, range));
  return std::unique_ptr<Reader>(
      std::make_unique<TableReader>(schema_, std::make_shared<const std::string>(what()), slice,
                                    std::move(rows), taken(), has_rowid));
}

Result<std::optional<std::uint64_t>> TableSource::digest(const Slice& slice) const {
  return std::optional(table_slice_digest(snapshot_, slice.range));
}

Division TableSource::default_division() const {
  Division division;
  division.rows = std::clamp<std::uint64_t>(
      batch_memory_bytes / record_memory_bytes_ / vector_rows * vector_rows, vector_rows,
      batch_rows_max);
  return division;
}

std::vector<std::string> TableSource::notes() const {
  std::vector<std::string> notes;
  notes.push_back(state_.is_wal
                      ? fmt::format("Others may write to {} while it is read; a worker that begins "
                                    "only then finds that out and fails the run.",
                                    options_.name)
                      : fmt::format("As long as the step runs, nobody can commit to {}, which has "
                                    "no write-ahead log.",
                                    options_.name));
  if (!guessed_.empty()) {
    notes.push_back(
        fmt::format("Nobody has declared a type for {}; it was guessed from what {} "
                    "holds. Declare it in `columns:` where the guess is wrong.",
                    join(guessed_, ", "), what()));
  }
  if (!is_key_indexed_) {
    notes.push_back(
        fmt::format("No index leads to {}, so each batch goes over all rows of {}; "
                    "create one.",
                    shape_.key, what()));
  }
  return notes;
}

}  // namespace tranche::sqlite
