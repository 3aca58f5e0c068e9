#include "connectors/duckdb_commit.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include <tranche/core/value.h>

#include "base/fault.h"
#include "base/file.h"
#include "formats/page_codec.h"

namespace tranche::duck {
namespace {

std::string list_of(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + sql_identifier(name);
  return list;
}

// Rows and the last one of each key; the row's number is ascending in the order of the records.
std::string numbered_sql(const Target& target, const std::string& feed) {
  return fmt::format(
      "(SELECT *, row_number() OVER (PARTITION BY {} ORDER BY {} DESC) AS "
      "_tranche_nth FROM {}())",
      list_of(target.key), row_number_name, feed);
}

std::string make_insert_sql(const Schema& schema, const Target& target, const std::string& into,
                            const std::string& feed) {
  const std::string columns = list_of(schema.names());
  const std::string head =
      fmt::format("INSERT INTO {} ({}) SELECT {} FROM ", sql_identifier(into), columns, columns);
  if (target.mode != Mode::upsert) return head + feed + "()";
  std::string updates;
  for (const Field& field : schema.fields) {
    if (contains_name(target.key, field.name)) continue;
    const std::string column = sql_identifier(field.name);
    updates += fmt::format("{}{} = excluded.{}", updates.empty() ? "" : ", ", column, column);
  }
  return fmt::format("{}{} WHERE _tranche_nth = 1 ORDER BY {} ON CONFLICT ({}) DO {}", head,
                     numbered_sql(target, feed), row_number_name, list_of(target.key),
                     updates.empty() ? "NOTHING" : "UPDATE SET " + updates);
}

}  // namespace

// One scan of the rows.
class GroupCursor {
 public:
  explicit GroupCursor(std::shared_ptr<const GroupRows> rows)
      : rows_(std::move(rows)), refused_(rows_->refused_.lower_bound(rows_->begin_)) {}

  Result<PageRun> next() {
    while (true) {
      if (!page_ || at_ == page_->rows()) {
        first_ += page_ ? page_->rows() : 0;
        at_ = 0;
        if (first_ >= rows_->end_) return PageRun{};
        TRANCHE_ASSIGN(page_, next_page());
        if (!page_) return PageRun{};
        continue;
      }
      const std::uint64_t end = std::min(rows_->end_, first_ + page_->rows());
      const std::uint64_t begin = std::max(rows_->begin_, first_ + at_);
      if (begin >= end) {
        at_ = page_->rows();
        continue;
      }
      while (refused_ != rows_->refused_.end() && refused_->first < begin) ++refused_;
      const bool stops = refused_ != rows_->refused_.end() && refused_->first < end;
      const std::uint64_t until = stops ? refused_->first : end;
      at_ = stops ? until + 1 - first_ : until - first_;
      if (until > begin) return PageRun{page_, begin - first_, until - first_};
    }
  }

 private:
  Result<std::shared_ptr<const Page>> next_page() {
    if (!rows_->pages_.empty()) {
      return number_ == rows_->pages_.size() ? nullptr : rows_->pages_[number_++];
    }
    while (true) {
      if (frames_) {
        TRANCHE_ASSIGN(auto page, frames_->next());
        if (page) return std::shared_ptr<const Page>(std::move(page));
        frames_.reset();
      }
      if (number_ == rows_->segments_.size()) return std::shared_ptr<const Page>();
      TRANCHE_ASSIGN(auto bytes, rows_->segments_[number_++].load());
      frames_.emplace(rows_->schema_, std::move(bytes));
    }
  }

  std::shared_ptr<const GroupRows> rows_;
  std::map<std::uint64_t, std::string>::const_iterator refused_;
  std::size_t number_ = 0;  // of the next segment, or page
  std::optional<PageFrames> frames_;
  std::shared_ptr<const Page> page_;
  std::uint64_t first_ = 0;  // ordinal of the page's first row
  std::uint64_t at_ = 0;     // in the page
};

Result<PageCursor> GroupRows::open() const {
  auto cursor = std::make_shared<GroupCursor>(shared_from_this());
  return PageCursor([cursor] { return cursor->next(); });
}

Result<void> GroupRows::keep_pages() {
  if (!pages_.empty()) return {};
  for (const Segment& segment : segments_) {
    TRANCHE_ASSIGN(auto bytes, segment.load());
    PageFrames frames(schema_, std::move(bytes));
    while (true) {
      TRANCHE_ASSIGN(auto page, frames.next());
      if (!page) break;
      pages_.push_back(std::move(page));
    }
  }
  return {};
}

Result<void> GroupRows::each_page(
    const std::function<Result<void>(const Page&, std::uint64_t first)>& look) const {
  const auto all = std::make_shared<GroupRows>(schema_, segments_);
  all->pages_ = pages_;
  TRANCHE_ASSIGN(const PageCursor next, all->open());
  std::uint64_t first = 0;
  while (true) {
    TRANCHE_ASSIGN(const PageRun run, next());
    if (run.page == nullptr) return {};
    TRANCHE_TRY(look(*run.page, first));
    first += run.page->rows();
  }
}

std::uint64_t GroupRows::rows() const {
  std::uint64_t rows = 0;
  for (const Segment& segment : segments_) rows += segment.rows;
  return rows;
}

Result<std::unique_ptr<Committer>> TableCommitter::make(DuckDatabase& database,
                                                        const Target& target, const SinkRun& run,
                                                        const SchemaPtr& schema,
                                                        const std::string& into) {
  auto made = std::unique_ptr<TableCommitter>(new TableCommitter(target, run, schema, into));
  TRANCHE_ASSIGN(made->connection_, database.connect());
  TRANCHE_ASSIGN(const auto shape, read_shape(*made->connection_, into));
  if (!shape) return make_error(ErrorKind::failed, fmt::format("{} is gone.", target.place()));
  for (std::size_t at = 0; at < schema->fields.size(); ++at) {
    const std::string& name = schema->fields[at].name;
    const TableColumn* column = shape->find(name);
    const bool is_key = contains_name(target.key, name);
    if (is_key || (column != nullptr && column->not_null)) made->never_null_.push_back(at);
  }
  for (const auto& names : shape->unique) {
    if (target.mode == Mode::upsert && same_names(names, target.key)) continue;
    std::vector<std::size_t> columns;
    for (const std::string& name : names)
      if (const auto at = schema->find(name)) columns.push_back(*at);
    if (columns.size() == names.size()) made->unique_.push_back(std::move(columns));
  }
  made->rows_ = std::make_shared<std::shared_ptr<GroupRows>>();
  PageFeed feed;
  feed.schema = schema;
  feed.gives_row = target.mode == Mode::upsert;
  feed.open = [rows = made->rows_] { return (*rows)->open(); };
  TRANCHE_ASSIGN(const std::string name, made->connection_->add_feed(std::move(feed)));
  made->insert_sql_ = make_insert_sql(*schema, target, into, name);
  if (target.mode == Mode::upsert) {
    made->superseded_sql_ = fmt::format(
        "SELECT count(*) FILTER (_tranche_nth > 1), count(*) FILTER (_tranche_nth = 1) "
        "FROM {}",
        numbered_sql(target, name));
    made->may_change_nothing_ = target.key.size() == schema->fields.size();
  }
  return std::unique_ptr<Committer>(std::move(made));
}

Result<Applied> TableCommitter::apply(std::uint64_t group, std::span<const Segment> segments,
                                      const std::string& reject_id) {
  rollback();
  Receipt receipt = receipt_of(group, segments, reject_id);
  TRANCHE_ASSIGN(committed_already_, is_committed_already(receipt));
  if (committed_already_) return Applied{receipt_.rows, {}};

  *rows_ = std::make_shared<GroupRows>(schema_, segments);
  if (receipt.rows > 0 && fault_drops_record("sink")) (*rows_)->set_range(1, UINT64_MAX);
  TRANCHE_TRY(refuse_nulls());
  Applied applied;
  while (true) {
    const auto inserted = insert_rows();
    if (inserted) {
      applied.rows = *inserted;
      break;
    }
    rollback();
    if (inserted.error().kind != ErrorKind::bad_record) return advised(inserted.error());
    TRANCHE_TRY(find_refused());
  }
  RowDigest refused;
  TRANCHE_ASSIGN(applied.rejects, rejects(refused));
  receipt.rows = applied.rows;
  receipt.checksum -= refused.value();
  TRANCHE_TRY(CommitRecord(*connection_, target_).insert(run_, receipt));
  receipt_ = receipt;
  return applied;
}

Result<bool> TableCommitter::is_committed_already(const Receipt& receipt) {
  CommitRecord record(*connection_, target_);
  TRANCHE_ASSIGN(const auto found, record.find(run_, receipt.group));
  if (!found) return false;
  TRANCHE_ASSIGN(receipt_, committed_already(record, run_, receipt, target_.table_place()));
  return true;
}

// Nulls need not be looked for by trials: they are seen.
Result<void> TableCommitter::refuse_nulls() {
  if (never_null_.empty()) return {};
  auto& refused = (*rows_)->refused();
  return (*rows_)->each_page([&](const Page& page, std::uint64_t first) -> Result<void> {
    for (const std::size_t at : never_null_) {
      const Column& column = page.column(at);
      if (!column.has_nulls()) continue;
      for (std::size_t row = 0; row < page.rows(); ++row) {
        if (column.is_valid(row)) continue;
        refused.try_emplace(first + row,
                            fmt::format("Column \"{}\" is null, which {} does not take.",
                                        schema_->fields[at].name, target_.table));
      }
    }
    return {};
  });
}

// Begins a transaction and inserts; how many rows the table acknowledged.
Result<std::uint64_t> TableCommitter::insert_rows() {
  TRANCHE_TRY(run(*connection_, "BEGIN"));
  in_transaction_ = true;
  TRANCHE_ASSIGN(const std::uint64_t changed, connection_->execute(insert_sql_));
  if (target_.mode != Mode::upsert) return changed;
  TRANCHE_ASSIGN(const auto counted, connection_->query_texts(superseded_sql_));
  const std::uint64_t superseded = std::stoull(counted[0][0]);
  const std::uint64_t keys = std::stoull(counted[0][1]);
  return superseded + (may_change_nothing_ ? keys : changed);
}

// Whether the rows [begin, end) go in by themselves; nothing of them stays.
Result<bool> TableCommitter::goes_in(std::uint64_t begin, std::uint64_t end, std::string& why) {
  (*rows_)->set_range(begin, end);
  const auto inserted = insert_rows();
  rollback();
  (*rows_)->set_range(0, UINT64_MAX);
  if (inserted) return true;
  if (inserted.error().kind != ErrorKind::bad_record) return advised(inserted.error());
  why = explain(inserted.error().message);
  return false;
}

// Finds at least one row more that is refused: first those that are wrong by themselves, then those
// that an earlier one of the group stands against, then, whatever the reason, the first one behind
// which nothing goes in.
Result<void> TableCommitter::find_refused() {
  TRANCHE_TRY((*rows_)->keep_pages());
  const std::size_t before = (*rows_)->refused().size();
  TRANCHE_TRY(refuse_alone());
  if ((*rows_)->refused().size() == before) TRANCHE_TRY(refuse_doubled());
  if ((*rows_)->refused().size() == before) TRANCHE_TRY(refuse_first());
  return {};
}

Result<void> TableCommitter::refuse_alone() {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges = {{0, (*rows_)->rows()}};
  std::string why;
  while (!ranges.empty()) {
    const auto [begin, end] = ranges.back();
    ranges.pop_back();
    if (begin == end) continue;
    TRANCHE_ASSIGN(const bool is_good, goes_in(begin, end, why));
    if (is_good) continue;
    if (end - begin == 1) {
      (*rows_)->refused().emplace(begin, why);
      continue;
    }
    const std::uint64_t middle = begin + (end - begin) / 2;
    ranges.emplace_back(middle, end);
    ranges.emplace_back(begin, middle);
  }
  return {};
}

Result<void> TableCommitter::refuse_doubled() {
  std::vector<std::set<std::string>> seen(unique_.size());
  auto& refused = (*rows_)->refused();
  return (*rows_)->each_page([&](const Page& page, std::uint64_t first) -> Result<void> {
    std::vector<std::string> keys(unique_.size());
    for (std::size_t row = 0; row < page.rows(); ++row) {
      if (refused.contains(first + row)) continue;
      const std::vector<std::size_t>* doubled = nullptr;
      for (std::size_t i = 0; i < unique_.size(); ++i) {
        keys[i].clear();
        bool has_null = false;
        for (const std::size_t at : unique_[i]) {
          has_null = has_null || !page.column(at).is_valid(row);
          append_json_value(keys[i], page.column(at), row);
          keys[i] += ',';
        }
        if (has_null) keys[i].clear();
        if (doubled == nullptr && !has_null && seen[i].contains(keys[i])) doubled = &unique_[i];
      }
      if (doubled != nullptr) {
        std::string names;
        for (const std::size_t at : *doubled)
          names += (names.empty() ? "" : ", ") + schema_->fields[at].name;
        refused.emplace(first + row, fmt::format("DuckDB would refuse the row: an earlier record "
                                                 "of its batch has the same {}, which is unique.",
                                                 names));
        continue;
      }
      for (std::size_t i = 0; i < unique_.size(); ++i)
        if (!keys[i].empty()) seen[i].insert(keys[i]);
    }
    return {};
  });
}

Result<void> TableCommitter::refuse_first() {
  std::uint64_t good = 0;  // so many rows go in together
  std::uint64_t bad = (*rows_)->rows();
  std::string why;
  while (bad - good > 1) {
    const std::uint64_t middle = good + (bad - good) / 2;
    TRANCHE_ASSIGN(const bool is_good, goes_in(0, middle, why));
    (is_good ? good : bad) = middle;
  }
  TRANCHE_ASSIGN(const bool is_good, goes_in(0, bad, why));
  if (is_good || (*rows_)->refused().contains(good)) {
    return make_error(ErrorKind::failed, fmt::format("{} refuses a batch, and then takes it: {}",
                                                     target_.place(), why));
  }
  (*rows_)->refused().emplace(good, why);
  return {};
}

Result<std::vector<Reject>> TableCommitter::rejects(RowDigest& digest) const {
  std::vector<Reject> rejects;
  const auto& refused = (*rows_)->refused();
  if (refused.empty()) return rejects;
  auto next = refused.begin();
  TRANCHE_TRY((*rows_)->each_page([&](const Page& page, std::uint64_t first) -> Result<void> {
    for (; next != refused.end() && next->first < first + page.rows(); ++next) {
      digest.add_row(page, next->first - first);
      rejects.push_back(reject_row(page, next->first - first, "write", next->second));
    }
    return {};
  }));
  return rejects;
}

// DuckDB's message speaks of the staging table, which nobody knows.
std::string TableCommitter::explain(std::string message) const {
  if (into_ != target_.table) {
    for (auto at = message.find(into_); at != std::string::npos; at = message.find(into_, at)) {
      message.replace(at, into_.size(), target_.table);
      at += target_.table.size();
    }
  }
  if (message.ends_with('.')) message.pop_back();
  return fmt::format("DuckDB refused the row: {}.", message);
}

Error TableCommitter::advised(Error error) const {
  if (error.kind == ErrorKind::failed) {
    return duckdb_file_error(std::move(error), target_.database.string());
  }
  if (error.kind != ErrorKind::memory) return error;
  return make_error(ErrorKind::failed,
                    fmt::format("DuckDB can't write {} within {} MiB: {}. Give it more, as in "
                                "memory: {}MiB under `write:`, or make the batches smaller.",
                                target_.place(), target_.memory_bytes >> 20, error.message,
                                (target_.memory_bytes >> 20) * 2));
}

Result<Receipt> TableCommitter::commit() {
  if (std::exchange(committed_already_, false)) return receipt_;
  const auto committed = run(*connection_, "COMMIT");
  in_transaction_ = false;
  rows_->reset();  // the group's bytes are needed no more
  if (!committed) {
    Error error = advised(committed.error());
    if (error.kind == ErrorKind::bad_record) error.kind = ErrorKind::failed;
    return error;
  }
  // DuckDB syncs the log itself, but not the name of one that it has just created. That the group
  // can be read now says nothing of the disk: not in doubt, but failed, and the next start looks.
  TRANCHE_TRY(sync_folder(target_.database.parent_path()));
  return receipt_;
}

void TableCommitter::rollback() {
  committed_already_ = false;
  if (std::exchange(in_transaction_, false)) (void)connection_->execute("ROLLBACK");
}

}  // namespace tranche::duck
