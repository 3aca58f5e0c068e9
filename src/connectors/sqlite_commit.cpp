#include "connectors/sqlite_commit.h"

#include <utility>

#include <fmt/format.h>

#include "base/fault.h"
#include "connectors/sqlite_shape.h"
#include "formats/page_codec.h"

namespace tranche::sqlite {

std::string insert_sql(const Schema& schema, const Target& target, const std::string& into) {
  // OR ABORT overrides ON CONFLICT clauses of the table's own constraints: none of them may drop a
  // row silently, overwrite another one, or end the transaction.
  std::string columns;
  std::string values;
  std::string updates;
  for (const Field& field : schema.fields) {
    const std::string column = sqlite_identifier(field.name);
    columns += (columns.empty() ? "" : ", ") + column;
    values += values.empty() ? "?" : ", ?";
    if (contains_name(target.key, field.name)) continue;
    updates += fmt::format("{}{} = excluded.{}", updates.empty() ? "" : ", ", column, column);
  }
  std::string sql = fmt::format("INSERT OR ABORT INTO {} ({}) VALUES ({})", sqlite_identifier(into),
                                columns, values);
  if (target.mode != Mode::upsert) return sql;
  std::string key;
  for (const std::string& column : target.key) {
    key += (key.empty() ? "" : ", ") + sqlite_identifier(column);
  }
  sql += fmt::format(" ON CONFLICT ({}) DO ", key);
  return sql + (updates.empty() ? "NOTHING" : "UPDATE SET " + updates);
}

Result<std::unique_ptr<Committer>> TableCommitter::make(SqliteDatabase& database,
                                                        const Target& target, const SinkRun& run,
                                                        const SchemaPtr& schema,
                                                        const std::string& into) {
  TRANCHE_ASSIGN(const auto shape, read_shape(database, into));
  std::vector<std::string> never_null = target.key;
  if (shape && shape->rowid_alias() != nullptr) never_null.push_back(shape->rowid_alias()->name);
  auto made = std::unique_ptr<TableCommitter>(
      new TableCommitter(database, target, run, schema, into, never_null));
  TRANCHE_ASSIGN(made->insert_, database.prepare(insert_sql(*schema, target, into)));
  TRANCHE_ASSIGN(auto triggers, database.query("SELECT count(*) FROM sqlite_schema WHERE type = "
                                               "'trigger' AND tbl_name = ? COLLATE NOCASE",
                                               into));
  TRANCHE_TRY(triggers.step());
  made->needs_savepoints_ = triggers.integer(0) > 0;
  made->may_change_nothing_ =
      target.mode == Mode::upsert && target.key.size() == schema->fields.size();
  if (made->needs_savepoints_) {
    TRANCHE_ASSIGN(made->savepoint_, database.prepare("SAVEPOINT tranche_row"));
    TRANCHE_ASSIGN(made->release_, database.prepare("RELEASE tranche_row"));
    TRANCHE_ASSIGN(made->undo_, database.prepare("ROLLBACK TO tranche_row"));
  }
  return std::unique_ptr<Committer>(std::move(made));
}

Result<Applied> TableCommitter::apply(std::uint64_t group, std::span<const Segment> segments,
                                      const std::string& reject_id) {
  const bool is_behind_others = std::exchange(is_deferred_, false);
  if (!is_behind_others) {
    rollback();
    TRANCHE_TRY(database_.begin());
  }
  const Receipt receipt = receipt_of(group, segments, reject_id);
  receipt_ = receipt;
  // The commit's row comes first: whoever else commits this group now waits, or is found out.
  const auto recorded = record_.insert(run_, receipt);
  if (!recorded) {
    // That it is there already is for an attempt by itself: its rollback takes the others along.
    if (recorded.error().kind != ErrorKind::bad_record || is_behind_others) return recorded.error();
    TRANCHE_ASSIGN(receipt_, committed_already(record_, run_, receipt, target_.table_place()));
    committed_already_ = true;
    database_.rollback();
    return Applied{receipt_.rows, {}};
  }
  Applied applied;
  refused_digest_.take();
  for (const Segment& segment : segments) {
    TRANCHE_ASSIGN(auto bytes, segment.load());
    PageFrames frames(schema_, std::move(bytes));
    for (;;) {
      TRANCHE_ASSIGN(const auto page, frames.next());
      if (!page) break;
      TRANCHE_TRY(insert_page(*page, applied));
    }
    database_.begin_writeback();
  }
  receipt_.rows = applied.rows;
  receipt_.checksum -= refused_digest_.value();
  if (applied.rows != receipt.rows) TRANCHE_TRY(record_.set_acknowledged(run_, receipt_));
  return applied;
}

Result<void> TableCommitter::insert_page(const Page& page, Applied& applied) {
  const bool drops_first = page.rows() > 0 && fault_drops_record("sink");
  for (std::size_t row = drops_first ? 1 : 0; row < page.rows(); ++row) {
    TRANCHE_TRY(insert_row(page, row, applied));
  }
  return {};
}

Result<void> TableCommitter::insert_row(const Page& page, std::size_t row, Applied& applied) {
  if (!binder_.bind(insert_, page, row)) [[unlikely]] {
    refused_digest_.add_row(page, row);
    applied.rejects.push_back(reject_row(page, row, "write", binder_.refusal(page, row)));
    return {};
  }
  if (needs_savepoints_) TRANCHE_TRY(savepoint_.run());
  Result<bool> stepped = insert_.step();
  insert_.reset();
  const bool is_ignored = stepped && database_.changes() == 0 && !may_change_nothing_;
  if (needs_savepoints_) TRANCHE_TRY(guarded(stepped));
  if (stepped && !is_ignored) [[likely]] {
    ++applied.rows;
    return {};
  }
  std::string why = "A trigger of the table ignored the row.";
  if (!stepped) {
    if (stepped.error().kind != ErrorKind::bad_record) return stepped.error();
    why = explain(stepped.error().message);
    if (!database_.in_transaction()) {
      return make_error(ErrorKind::failed,
                        fmt::format("{} ended the whole transaction over one row: {} Its trigger "
                                    "must use RAISE(ABORT), not RAISE(ROLLBACK).",
                                    target_.place(), why));
    }
  }
  refused_digest_.add_row(page, row);
  applied.rejects.push_back(reject_row(page, row, "write", std::move(why)));
  return {};
}

// Ends the row's savepoint: what a failed row left behind is taken out again.
Result<void> TableCommitter::guarded(Result<bool>& stepped) {
  if (!database_.in_transaction()) return {};
  if (!stepped) TRANCHE_TRY(undo_.run());
  return release_.run();
}

// SQLite's message speaks of the staging table, which nobody knows.
std::string TableCommitter::explain(std::string message) const {
  if (into_ != target_.table) {
    for (auto at = message.find(into_); at != std::string::npos; at = message.find(into_, at)) {
      message.replace(at, into_.size(), target_.table);
      at += target_.table.size();
    }
  }
  return fmt::format("SQLite refused the row: {}.", message);
}

std::optional<Receipt> TableCommitter::defer_commit() {
  if (committed_already_ || database_.has_broken_keys()) return std::nullopt;
  is_deferred_ = true;
  return receipt_;
}

Result<Receipt> TableCommitter::commit() {
  is_deferred_ = false;
  if (std::exchange(committed_already_, false)) return receipt_;
  auto committed = database_.commit();
  if (committed) return receipt_;
  if (committed.error().kind != ErrorKind::bad_record) return committed.error();
  return make_error(
      ErrorKind::failed,
      fmt::format("{} refused batch {} as a whole: {}. A deferred constraint names no "
                  "row; mend the data, or make the constraint immediate.",
                  target_.place(), receipt_.group, committed.error().message));
}

void TableCommitter::rollback() {
  committed_already_ = false;
  is_deferred_ = false;
  database_.rollback();
}

}  // namespace tranche::sqlite
