#include "connectors/duckdb_source.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/digest.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/text.h"
#include "connectors/time_windows.h"

namespace tranche {
namespace {

constexpr std::size_t page_rows = 8 * vector_rows;
constexpr std::uint64_t batch_memory_bytes = 32ULL << 20;
constexpr std::uint64_t batch_rows_max = 122'880;  // DuckDB's own row group
constexpr std::uint64_t planner_memory_bytes = 64ULL << 20;
constexpr std::size_t sampled_rows = 4 * vector_rows;

Error bad_job(std::string message) { return make_error(ErrorKind::config, std::move(message)); }

// Two keys are one: by their bytes, since the types that a key may have know no two spellings.
bool same_value(const Column& a, std::size_t a_row, const Column& b, std::size_t b_row) {
  if (is_string(a.type()))
    return a.values<StringRef>()[a_row].view() == b.values<StringRef>()[b_row].view();
  return std::memcmp(a.bytes() + a_row * a.stride(), b.bytes() + b_row * b.stride(), a.stride()) ==
         0;
}

// Walks over the keys as DuckDB gives them in their order, a vector at a time.
class DuckKeys final : public KeyCursor {
 public:
  // `keys`: one column, in order, without nulls, from where the walk begins.
  DuckKeys(SchemaPtr schema, std::unique_ptr<DuckConnection> connection,
           std::unique_ptr<DuckResult> keys, std::uint64_t nulls)
      : schema_(std::move(schema)),
        connection_(std::move(connection)),
        keys_(std::move(keys)),
        nulls_(nulls) {}

  Result<std::optional<KeyMark>> advance(const KeyStep& step) override {
    KeyMark mark;
    std::optional<std::int64_t> below;
    if (step.below) below = time_of_text(*step.below, schema_->fields[0].type);
    while (true) {
      TRANCHE_ASSIGN(const bool more, fill());
      if (!more) break;
      const Column& column = page_->column(0);
      const std::size_t begin = at_;
      if (mark.records < step.records) {
        const std::size_t end =
            at_ + std::min<std::uint64_t>(step.records - mark.records, page_->rows() - at_);
        while (at_ < end && (!below || time_of(column, at_) < *below)) ++at_;
        if (at_ > begin) keep_last(column, at_ - 1);
      } else {
        while (at_ < page_->rows() && same_value(last_->column(0), 0, column, at_)) ++at_;
      }
      if (at_ == begin) break;
      mark.records += at_ - begin;
    }
    if (mark.records > 0) {
      append_value_text(mark.last.text, last_->column(0), 0);
      return std::optional(std::move(mark));
    }
    if (nulls_ == 0) return std::optional<KeyMark>();
    return std::optional(KeyMark{Key{true, ""}, std::exchange(nulls_, 0)});
  }

  Result<std::optional<Key>> next_key() override {
    TRANCHE_ASSIGN(const bool more, fill());
    Key key;
    if (more) append_value_text(key.text, page_->column(0), at_);
    if (!more && nulls_ == 0) return std::optional<Key>();
    key.is_null = !more;
    return std::optional(std::move(key));
  }

 private:
  // Whether there is a key that was not passed.
  Result<bool> fill() {
    while (!ended_ && (!page_ || at_ == page_->rows())) {
      TRANCHE_ASSIGN(const std::size_t rows, keys_->fetch());
      ended_ = rows == 0;
      page_ = std::make_unique<Page>(schema_);
      at_ = 0;
      if (!ended_) TRANCHE_TRY(keys_->append_to(*page_));
    }
    return !ended_;
  }

  void keep_last(const Column& column, std::size_t row) {
    last_ = std::make_unique<Page>(schema_, 1);
    copy_value(last_->column(0), 0, column, row, last_->arena);
  }

  SchemaPtr schema_;
  std::unique_ptr<DuckConnection> connection_;
  std::unique_ptr<DuckResult> keys_;
  std::uint64_t nulls_;
  std::unique_ptr<Page> page_;
  std::unique_ptr<Page> last_;  // the key that was passed last
  std::size_t at_ = 0;
  bool ended_ = false;
};

class NoKeys final : public KeyCursor {
 public:
  Result<std::optional<KeyMark>> advance(const KeyStep&) override {
    return std::optional<KeyMark>();
  }
  Result<std::optional<Key>> next_key() override { return std::optional<Key>(); }
};

class DuckReader final : public Reader {
 public:
  DuckReader(SchemaPtr schema, std::shared_ptr<const std::string> name, const Slice& slice,
             std::unique_ptr<DuckConnection> connection, std::unique_ptr<DuckResult> result)
      : schema_(std::move(schema)),
        name_(std::move(name)),
        slice_(slice),
        connection_(std::move(connection)),
        result_(std::move(result)) {}

  Result<std::unique_ptr<Page>> next(std::vector<Reject>&) override {
    if (ended_) return std::unique_ptr<Page>();
    const std::uint64_t left = slice_.records - std::min(slice_.records, done_);
    auto page = std::make_unique<Page>(
        schema_, std::min<std::uint64_t>(page_rows, (left / vector_rows + 1) * vector_rows));
    while (page->rows() + vector_rows <= page->capacity()) {
      auto rows = result_->fetch();
      if (!rows) return broken(std::move(rows).error());
      ended_ = *rows == 0;
      if (ended_) break;
      auto appended = result_->append_to(*page);
      if (!appended) return broken(std::move(appended).error());
    }
    page->base.source = name_;
    page->base.record = slice_.first_record + done_;
    page->origins.resize(page->rows());
    for (std::size_t row = 0; row < page->rows(); ++row) {
      page->origins[row].offset = slice_.begin + done_ + row;
      page->origins[row].record = static_cast<std::uint32_t>(row);
    }
    done_ += page->rows();
    if (ended_ && done_ != slice_.records) {
      return make_error(ErrorKind::failed,
                        fmt::format("{} gave {} records of a range in which {} were counted; the "
                                    "database is damaged, or its query gives other rows each time.",
                                    *name_, done_, slice_.records));
    }
    if (page->rows() > 0 && fault_drops_record("parse")) {
      page->set_rows(page->rows() - 1);
      page->origins.pop_back();
    }
    if (page->rows() == 0) page.reset();
    return page;
  }

  std::uint64_t bytes_read() const override {
    return slice_.records == 0 ? 0 : slice_.bytes / slice_.records * done_;
  }

 private:
  // What DuckDB has stored once can be read, or the file is broken; that is no broken record.
  static Error broken(Error error) {
    if (error.kind == ErrorKind::bad_record) error.kind = ErrorKind::failed;
    return error;
  }

  SchemaPtr schema_;
  std::shared_ptr<const std::string> name_;
  Slice slice_;
  std::unique_ptr<DuckConnection> connection_;
  std::unique_ptr<DuckResult> result_;
  std::uint64_t done_ = 0;
  bool ended_ = false;
};

// Types of which equal values have equal bytes, and whose text DuckDB reads back as the same value.
bool can_be_key(Type type) {
  switch (type.id) {
    case TypeId::real:
    case TypeId::double_:
    case TypeId::blob:
    case TypeId::json:
    case TypeId::list:
    case TypeId::struct_:
      return false;
    default:
      return true;
  }
}

std::string cast_literal(const std::string& value, Type type) {
  return fmt::format("CAST({} AS {})", sql_literal(value), sql_type(type));
}

}  // namespace

// Equal as long as the file, and the log beside it, are what they were.
Result<std::string> duckdb_state(const std::filesystem::path& path) {
  TRANCHE_ASSIGN(const FileStatus file, file_status(path));
  const std::string state =
      fmt::format("{} bytes, modified {}", file.bytes, file.modified_nanoseconds);
  std::filesystem::path log = path;
  log += ".wal";
  if (!file_exists(log)) return state;
  TRANCHE_ASSIGN(const FileStatus status, file_status(log));
  if (status.bytes == 0) return state;
  return fmt::format("{}, log of {} bytes, modified {}", state, status.bytes,
                     status.modified_nanoseconds);
}

Result<std::unique_ptr<DuckConnection>> connect_to_file(DuckDatabase& database,
                                                        const std::filesystem::path& path) {
  TRANCHE_ASSIGN(auto connection, database.connect());
  TRANCHE_ASSIGN(const std::string name, attach_to_read(*connection, path.string()));
  const auto used = connection->execute("USE " + name);
  if (!used) return used.error();
  return connection;
}

std::string DuckSource::what() const {
  return options_.table.empty() ? "the query" : options_.table;
}

std::string DuckSource::from() const {
  return options_.query.empty() ? sql_identifier(options_.table)
                                : fmt::format("(\n{}\n)", options_.query);
}

// A column as it is read.
std::string DuckSource::selected(const std::string& column) const {
  const std::string name = sql_identifier(column);
  const auto asked = options_.types.find(column);
  if (!asked) return name;
  return fmt::format("CAST({0} AS {1}) AS {0}", name, sql_type(options_.types.fields[*asked].type));
}

std::string DuckSource::list() const {
  std::string list;
  for (const Field& field : schema_->fields)
    list += (list.empty() ? "" : ", ") + selected(field.name);
  return list;
}

std::vector<std::string> DuckSource::keeps_from_writing() const {
  return {fmt::format("duckdb:{}:", options_.path.string())};
}

std::uint64_t DuckSource::planner_bytes() const { return planner_memory_bytes; }

Result<void> DuckSource::look() {
  connection_.reset();
  TRANCHE_TRY(file_status(options_.path));
  // Only the sort of a large key spills.
  const auto spill = std::filesystem::temp_directory_path() / ("tranche-" + random_id());
  TRANCHE_ASSIGN(database_, DuckDatabase::open(planner_memory_bytes, spill.string()));
  TRANCHE_ASSIGN(connection_, connect_to_file(*database_, options_.path));
  TRANCHE_TRY(find_columns());
  TRANCHE_TRY(sample());
  return options_.key.empty() && !has_rowid_ ? Result<void>() : use_key(options_.key);
}

Result<void> DuckSource::find_columns() {
  if (options_.query.empty()) {
    TRANCHE_ASSIGN(const auto tables,
                   connection_->query_texts(fmt::format(
                       "SELECT table_type FROM information_schema.tables WHERE table_catalog = "
                       "current_database() AND table_schema = 'main' AND lower(table_name) = "
                       "lower({})",
                       sql_literal(options_.table))));
    if (tables.empty()) {
      return bad_job(
          fmt::format("DuckDB database {} has no table \"{}\".", options_.name, options_.table));
    }
    has_rowid_ = tables[0][0] == "BASE TABLE";
  }
  TRANCHE_ASSIGN(const auto all,
                 connection_->query(fmt::format("SELECT * FROM {} LIMIT 0", from())));
  std::string list;
  for (const std::string& name : options_.columns)
    list += (list.empty() ? "" : ", ") + selected(name);
  auto chosen = connection_->query(
      fmt::format("SELECT {} FROM {} LIMIT 0", list.empty() ? "*" : list, from()));
  if (!chosen) return bad_job(chosen.error().message);
  TRANCHE_ASSIGN(schema_, (*chosen)->schema());
  auto known = all->schema();
  all_ = known ? *known : schema_;  // columns of types that we don't have need not be read
  return {};
}

// The first rows tell how large one is.
Result<void> DuckSource::sample() {
  TRANCHE_ASSIGN(const auto rows, connection_->query(fmt::format("SELECT {} FROM {} LIMIT {}",
                                                                 list(), from(), sampled_rows)));
  Page page(schema_);
  while (true) {
    TRANCHE_ASSIGN(const std::size_t fetched, rows->fetch());
    if (fetched == 0) break;
    TRANCHE_TRY(rows->append_to(page));
  }
  std::uint64_t fixed_bytes = sizeof(Origin);
  for (const Field& field : schema_->fields) fixed_bytes += estimated_bytes(field.type);
  const std::size_t divisor = std::max<std::size_t>(1, page.rows());
  record_bytes_ = std::max<std::uint64_t>(fixed_bytes, page.bytes_reserved() / divisor);
  if (page.rows() < vector_rows)
    record_bytes_ = fixed_bytes + page.arena.bytes_reserved() / divisor;
  rows_ = page.rows();
  if (!has_rowid_ || rows_ < sampled_rows) return {};
  TRANCHE_ASSIGN(const auto count,
                 connection_->query_texts(fmt::format("SELECT count(*) FROM {}", from())));
  rows_ = std::stoull(count[0][0]);
  return {};
}

// Of a column that need not be among those that are read.
Result<Type> DuckSource::type_of(const std::string& column, std::string_view role) const {
  if (const auto at = all_->find(column)) return all_->fields[*at].type;
  return bad_job(fmt::format("The {} \"{}\" is no column of {} in {}; it has {}.", role, column,
                             what(), options_.name, join(all_->names(), ", ")));
}

Result<void> DuckSource::use_key(const std::string& key) {
  key_ = key.empty() ? "rowid" : sql_identifier(key);
  key_type_ = Type{TypeId::bigint};
  if (key.empty()) return {};
  TRANCHE_ASSIGN(key_type_, type_of(key, "key"));
  if (can_be_key(key_type_)) return {};
  return bad_job(
      fmt::format("Column \"{}\" is {}, which can't be a key; divide by a column of whole "
                  "numbers, decimals, dates, times or text.",
                  key, to_string(key_type_)));
}

Result<std::string> DuckSource::increment_end(const IncrementUse& use) const {
  TRANCHE_ASSIGN(const Type type, type_of(use.column, "column of incremental"));
  const auto kind = increment_kind(type);
  TRANCHE_ASSIGN(const std::int64_t lag,
                 increment_lag(use, IncrementColumn{what(), to_string(type), kind}));
  if (kind == IncrementColumn::Kind::time)
    return end_of_times(type, LocalTime::machine, lag, read_until_);
  TRANCHE_ASSIGN(const auto greatest,
                 connection_->query_texts(
                     fmt::format("SELECT max({}) FROM {}", sql_identifier(use.column), from())));
  return end_of_numbers(greatest[0][0], lag, read_until_);
}

Result<std::string> DuckSource::increment_filter(const IncrementUse& use,
                                                 const Input& input) const {
  if (input.until.empty()) return std::string("false");
  TRANCHE_ASSIGN(const Type type, type_of(use.column, "column of incremental"));
  const bool is_time = increment_kind(type) == IncrementColumn::Kind::time;
  const auto literal = [&](const std::string& value) {
    return is_time ? cast_literal(value, type) : value;
  };
  const std::string column = sql_identifier(use.column);
  std::string sql = fmt::format("{} < {}", column, literal(input.until));
  if (!input.from.empty()) sql += fmt::format(" AND {} >= {}", column, literal(input.from));
  return sql;
}

Result<std::vector<Input>> DuckSource::inputs() {
  TRANCHE_ASSIGN(const FileStatus file, file_status(options_.path));
  if (file.is_folder) return bad_job(fmt::format("{} is a folder.", options_.name));
  TRANCHE_ASSIGN(std::string state, duckdb_state(options_.path));
  auto looked = look();
  if (!looked) {
    if (looked.error().kind == ErrorKind::failed) looked.error().kind = ErrorKind::config;
    return looked.error();
  }
  Input input;
  input.name = options_.name;
  input.bytes = file.bytes;
  input.snapshot = std::move(state);
  if (options_.increment) {
    input.from = read_until_;
    TRANCHE_ASSIGN(input.until, increment_end(*options_.increment));
    if (!input.from.empty()) input.bytes = 0;  // nobody knows how much is new
  }
  return std::vector<Input>{std::move(input)};
}

Result<void> DuckSource::use_inputs(std::vector<Input> inputs) {
  inputs_ = std::move(inputs);
  if (!connection_) TRANCHE_TRY(look());
  if (options_.increment) {
    TRANCHE_ASSIGN(filter_, increment_filter(*options_.increment, inputs_.at(0)));
  }
  return {};
}

Result<SchemaPtr> DuckSource::schema() { return schema_; }

Result<void> DuckSource::use_division(const Division& division) {
  window_end_ = nullptr;
  if (division.window) {
    TRANCHE_ASSIGN(const TimeWindows windows, find_time_windows(*schema_, *division.window));
    window_end_ = window_end_of(windows, schema_->fields[windows.column].type);
    return use_key(windows.column_name);
  }
  if (!division.key.empty()) return use_key(division.key);
  if (!key_.empty()) return {};
  return bad_job(
      fmt::format("{} is read by ranges of a key; name one of the columns, as in key: id.",
                  options_.query.empty() ? "A view" : "A query"));
}

Result<void> DuckSource::check_unchanged() const {
  TRANCHE_ASSIGN(const std::string state, duckdb_state(options_.path));
  if (state == inputs_.at(0).snapshot) return {};
  return make_error(ErrorKind::failed,
                    fmt::format("DuckDB database {} was changed since the run was planned. Nothing "
                                "was read from two states. Start again with --fresh.",
                                options_.name));
}

std::string DuckSource::where(const KeyRange& range) const {
  std::string sql;
  const auto add = [&sql](const std::string& condition) {
    sql += (sql.empty() ? " WHERE " : " AND ") + condition;
  };
  const auto add_bound = [&](const std::optional<KeyBound>& bound, std::string_view sign) {
    if (!bound) return;
    add(fmt::format("{} {}{} {}", key_, sign, bound->is_inclusive ? "=" : "",
                    cast_literal(bound->key, key_type_)));
  };
  add_bound(range.lower, ">");
  add_bound(range.upper, "<");
  if (sql.empty()) add(key_ + (range.is_nulls ? " IS NULL" : " IS NOT NULL"));
  if (!filter_.empty()) add(filter_);
  return sql;
}

// Rows of one key come in the order of the table, those of a query in that of their values.
std::string DuckSource::order() const {
  if (key_ == "rowid") return "";  // the order in which they lie
  std::string order = " ORDER BY " + key_;
  if (has_rowid_) return order + ", rowid";
  for (std::size_t at = 1; at <= schema_->fields.size(); ++at) order += fmt::format(", {}", at);
  return order;
}

Result<std::unique_ptr<SliceStream>> DuckSource::divide(const Slice* after) {
  if (key_.empty()) TRANCHE_TRY(use_division(Division{}));
  TRANCHE_TRY(check_unchanged());
  const bool is_of_another_state =
      after != nullptr && after->digest != table_slice_digest(inputs_[0].snapshot, after->range);
  if (is_of_another_state && key_ == "rowid") {
    return bad_job(
        fmt::format("{} was divided by the place of its rows, which counts in one state "
                    "only, and that is gone. Start again with --fresh, and name a column "
                    "next time: batch: {{ key: id }}.",
                    what()));
  }
  KeySlices settings;
  settings.record_memory_bytes = record_bytes_;
  settings.record_bytes = rows_ < sampled_rows || !has_rowid_
                              ? record_bytes_
                              : std::max<std::uint64_t>(1, inputs_[0].bytes / rows_);
  settings.snapshot = inputs_[0].snapshot;
  settings.window_end = window_end_;
  TRANCHE_ASSIGN(const auto begin, range_behind(after));
  if (!begin) return slice_keys(std::make_unique<NoKeys>(), std::move(settings), after);
  std::uint64_t nulls = 0;
  if (key_ != "rowid") {
    TRANCHE_ASSIGN(const auto count,
                   connection_->query_texts(fmt::format("SELECT count(*) FROM {}{}", from(),
                                                        where(KeyRange{{}, {}, true}))));
    nulls = std::stoull(count[0][0]);
  }
  TRANCHE_ASSIGN(auto connection, connect_to_file(*database_, options_.path));
  TRANCHE_ASSIGN(auto keys,
                 connection->query(fmt::format(
                     "SELECT CAST({0} AS {1}) FROM {2}{3}{4}", key_, sql_type(key_type_), from(),
                     where(*begin), key_ == "rowid" ? "" : fmt::format(" ORDER BY {}", key_))));
  TRANCHE_ASSIGN(auto schema, keys->schema());
  return slice_keys(
      std::make_unique<DuckKeys>(std::move(schema), std::move(connection), std::move(keys), nulls),
      std::move(settings), after);
}

Result<std::unique_ptr<Reader>> DuckSource::open(const Slice& slice, WorkerScope& worker) const {
  TRANCHE_ASSIGN(const auto database, DuckDatabase::of(worker));
  TRANCHE_ASSIGN(auto connection, connect_to_file(*database, options_.path));
  TRANCHE_TRY(check_unchanged());
  TRANCHE_ASSIGN(const KeyRange range, parse_key_range(slice.range));
  TRANCHE_ASSIGN(auto result, connection->query(fmt::format("SELECT {} FROM {}{}{}", list(), from(),
                                                            where(range), order())));
  return std::unique_ptr<Reader>(
      std::make_unique<DuckReader>(schema_, std::make_shared<const std::string>(what()), slice,
                                   std::move(connection), std::move(result)));
}

Result<std::optional<std::uint64_t>> DuckSource::digest(const Slice& slice) const {
  if (!check_unchanged()) return std::optional<std::uint64_t>();
  return std::optional(table_slice_digest(inputs_.at(0).snapshot, slice.range));
}

Division DuckSource::default_division() const {
  Division division;
  division.rows = std::clamp<std::uint64_t>(
      batch_memory_bytes / record_bytes_ / vector_rows * vector_rows, vector_rows, batch_rows_max);
  return division;
}

std::vector<std::string> DuckSource::notes() const {
  return {
      fmt::format("As long as the step runs, no other process can write to {}.", options_.name)};
}

}  // namespace tranche
