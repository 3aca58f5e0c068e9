// What the sinks of all databases do alike with their record of commits, whatever the driver: which
// groups a target has at the start, what the seal and a discard may do, and what verify finds.
//
// `Record` is a system's CommitRecord: exists, create, receipts, find, is_sealed, insert_seal and
// erase, and for watermarks sql_name, literal, has_column, execute and first_text, with these names
// in all of them.
// Threads: as core/sink.h says. Lifetime: functions of a record of the caller's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/json.h"
#include "connectors/row_digest.h"
#include "connectors/table_sink.h"

namespace tranche {

// The target as messages name it, and its mode.
struct TablePlace {
  std::string table;          // "Table sales of /data/shop.db"
  std::string commits_table;  // "tranche_commits"
  std::string database;       // "/data/shop.db"
  TableMode mode = TableMode::append;
};

// A segment of a table's rows, with their digest, which begins anew.
Segment make_row_segment(std::string bytes, std::uint64_t rows, RowDigest& digest);
// A receipt of what is about to be applied: all its rows, and their digest.
Receipt receipt_of(std::uint64_t group, std::span<const Segment> segments,
                   const std::string& reject_id);

// Of an intent: triggers of the table, or its types, may make other rows of those that come in.
inline constexpr const char* rows_may_change = "rows_may_change";
// What the seal will do; further members are the system's own.
Json seal_intent(const SinkRun& run, const std::string& table, TableMode mode,
                 std::span<const Receipt> committed);
struct SealPlan {
  SinkRun run;
  std::uint64_t rows = 0;
};
SealPlan seal_plan(const Json& intent);

// Watermarks stand in two more columns of the record, in the row of the seal that set them: one of
// each increment. A record gets the columns with its first increment.
template <class Record> Result<void> add_watermark_columns(Record& record) {
  for (const char* column : {"increment", "watermark"}) {
    TRANCHE_ASSIGN(const bool is_there, record.has_column(column));
    if (is_there) continue;
    TRANCHE_TRY(record.execute(
        fmt::format("ALTER TABLE {} ADD COLUMN {} TEXT", record.sql_name(), column)));
  }
  return {};
}

// The run's seal, and its watermark in the place of the one before.
template <class Record> Result<void> seal_commits(Record& record, const SealPlan& plan) {
  TRANCHE_TRY(record.insert_seal(plan.run, plan.rows));
  const Watermark& watermark = plan.run.watermark;
  if (watermark.is_empty()) return {};
  const std::string increment = Record::literal(watermark.increment);
  TRANCHE_TRY(
      record.execute(fmt::format("UPDATE {} SET increment = NULL, watermark = NULL WHERE increment "
                                 "= {}",
                                 record.sql_name(), increment)));
  return record.execute(
      fmt::format("UPDATE {} SET increment = {}, watermark = {} WHERE run = {} AND step = {} AND "
                  "batch = {}",
                  record.sql_name(), increment, Record::literal(watermark.until),
                  Record::literal(plan.run.run_id), Record::literal(plan.run.step), seal_batch));
}

template <class Record>
Result<std::optional<std::string>> watermark_of(Record& record, const std::string& increment) {
  TRANCHE_ASSIGN(const bool has_watermarks, record.has_column("watermark"));
  if (!has_watermarks) return std::optional<std::string>();
  return record.first_text(fmt::format("SELECT watermark FROM {} WHERE increment = {}",
                                       record.sql_name(), Record::literal(increment)));
}

// The commit that the target has of a group that was to be committed. Errors: failed, when it is
// another one.
template <class Record>
Result<Receipt> committed_already(Record& record, const SinkRun& run, const Receipt& receipt,
                                  const TablePlace& place) {
  TRANCHE_ASSIGN(const auto found, record.find(run, receipt.group));
  // Of the rows that the table refused neither the number nor the digest is in the record.
  const bool is_whole = found && found->rows == receipt.rows;
  if (found && found->bytes == receipt.bytes &&
      (is_whole ? found->checksum == receipt.checksum : found->rows < receipt.rows))
    return *found;
  return committed_otherwise(place.table, place.commits_table, receipt.group);
}

// Creates what is missing and reads what is committed. `has_table`: the one that takes the rows is
// there. REQUIRES an open transaction, so that nobody comes between.
template <class Record, class CreateTable, class CreateStaging>
Result<std::vector<Receipt>> prepare_commits(Record& record, const SinkRun& run,
                                             const TablePlace& place,
                                             std::span<const Receipt> committed, bool has_table,
                                             const CreateTable& create_table,
                                             const CreateStaging& create_staging) {
  TRANCHE_ASSIGN(const bool has_record, record.exists());
  if (!has_record && has_table && !committed.empty())
    return lost_commits(place.table, place.commits_table, committed.size());
  TRANCHE_TRY(record.create());
  if (!run.watermark.is_empty()) TRANCHE_TRY(add_watermark_columns(record));
  TRANCHE_ASSIGN(auto receipts, record.receipts(run));
  TRANCHE_ASSIGN(const bool is_sealed, record.is_sealed(run));
  if (has_table || is_sealed) return receipts;
  if (place.mode == TableMode::replace) {
    // Nobody has seen the rows of a staging table: without it they are loaded again.
    TRANCHE_TRY(record.erase(run));
    TRANCHE_TRY(create_staging());
    return std::vector<Receipt>();
  }
  if (!receipts.empty()) return table_is_gone(place.table, receipts.size());
  TRANCHE_TRY(create_table());
  return receipts;
}

// Compares what the target has with the plan of the seal, before the staging table takes the place
// of the real one. `count_staged`: its rows.
template <class Record, class CountStaged>
Result<void> check_before_seal(Record& record, const SealPlan& plan, const TablePlace& place,
                               const CountStaged& count_staged) {
  TRANCHE_ASSIGN(const auto receipts, record.receipts(plan.run));
  std::uint64_t present = total_rows(receipts);
  if (place.mode == TableMode::replace && present == plan.rows) {
    TRANCHE_ASSIGN(present, count_staged());
  }
  if (present == plan.rows) return {};
  return changed_during_run(place.table, plan.rows, present);
}

// Undoes what a run has not sealed: `drop_staging`, and its commits. False: there is nothing to be
// undone. Errors: config, when rows can't be taken back.
template <class Record, class DropStaging>
Result<bool> discard_commits(Record& record, const SinkRun& run, const TablePlace& place,
                             std::span<const Receipt> committed, bool keep_committed,
                             const DropStaging& drop_staging) {
  TRANCHE_ASSIGN(const bool has_record, record.exists());
  std::vector<Receipt> receipts(committed.begin(), committed.end());
  if (has_record) {
    TRANCHE_ASSIGN(const bool is_sealed, record.is_sealed(run));
    if (is_sealed) return false;
    TRANCHE_ASSIGN(receipts, record.receipts(run));
  }
  if (place.mode != TableMode::replace) {
    if (receipts.empty() || keep_committed) return false;
    return cant_be_taken_back(place.table, run, receipts);
  }
  TRANCHE_TRY(drop_staging());
  if (has_record) TRANCHE_TRY(record.erase(run));
  return true;
}

// Every difference between the target and what the ledger has, as a sentence. `count_rows`: of the
// table.
template <class Record, class CountRows>
Result<std::vector<std::string>> verify_commits(Record& record, const SinkRun& run,
                                                const TablePlace& place, const std::string& intent,
                                                std::span<const Receipt> committed, bool has_table,
                                                const CountRows& count_rows) {
  std::vector<std::string> differences;
  if (!has_table) differences.push_back(fmt::format("{} is gone.", place.table));
  TRANCHE_ASSIGN(const bool has_record, record.exists());
  if (!has_record) {
    differences.push_back(
        fmt::format("{} has lost its record of commits ({}).", place.table, place.commits_table));
    return differences;
  }
  TRANCHE_TRY(compare_commits(
      committed, [&](std::uint64_t group) { return record.find(run, group); },
      fmt::format("{} of {}", place.commits_table, place.database), differences));
  TRANCHE_ASSIGN(const bool is_sealed, record.is_sealed(run));
  if (!intent.empty() && !is_sealed)
    differences.push_back(fmt::format("{} does not have the seal of this run.", place.table));
  if (!has_table || !is_sealed || place.mode == TableMode::upsert) return differences;
  TRANCHE_ASSIGN(const std::uint64_t rows, count_rows());
  compare_rows(place.mode, place.table, rows, total_rows(committed), differences);
  return differences;
}

}  // namespace tranche
