#include "ledger/step_ledger.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "ledger/codec.h"

namespace tranche::ledger {

Result<void> write_soon(SqliteDatabase& database, const std::function<Result<void>()>& write) {
  TRANCHE_TRY(database.execute("PRAGMA synchronous = NORMAL"));
  const auto written = write();
  TRANCHE_TRY(database.execute("PRAGMA synchronous = FULL"));
  return written;
}

SealState parse_seal(std::string_view text) {
  if (text == "sealed") return SealState::sealed;
  return text == "intended" ? SealState::intended : SealState::open;
}

Result<StepState> SqliteStepLedger::load() {
  StepState state;
  TRANCHE_ASSIGN(auto row, database_->query("SELECT plan_complete, seal, seal_intent FROM steps "
                                            "WHERE number = ?",
                                            step_));
  TRANCHE_ASSIGN(const bool found, row.step());
  if (!found)
    return make_error(ErrorKind::bug, "The ledger has lost the step that it was asked for.");
  state.plan_complete = row.integer(0) != 0;
  state.seal = parse_seal(row.text(1));
  state.seal_intent = row.string(2);
  TRANCHE_TRY(load_batches(state));
  TRANCHE_TRY(load_commits(state));
  TRANCHE_TRY(load_culprits(state));
  return state;
}

Result<void> SqliteStepLedger::load_batches(StepState& state) {
  TRANCHE_ASSIGN(auto rows, database_->query("SELECT number, group_number, chunks FROM batches "
                                             "WHERE step = ? ORDER BY number",
                                             step_));
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return {};
    BatchPlan batch;
    batch.number = rows.natural(0);
    batch.group = rows.natural(1);
    TRANCHE_ASSIGN(batch.chunks, decode_slices(rows.text(2)));
    state.batches.push_back(std::move(batch));
  }
}

Result<void> SqliteStepLedger::load_commits(StepState& state) {
  TRANCHE_ASSIGN(auto rows,
                 database_->query("SELECT group_number, rows, bytes, checksum, position, payload, "
                                  "reject_id, counts FROM commits WHERE step = ? "
                                  "ORDER BY group_number",
                                  step_));
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return {};
    CommittedGroup group;
    group.receipt = Receipt{.group = rows.natural(0),
                            .rows = rows.natural(1),
                            .bytes = rows.natural(2),
                            .checksum = rows.natural(3),
                            .position = rows.natural(4),
                            .payload = rows.string(5),
                            .reject_id = rows.string(6)};
    TRANCHE_ASSIGN(group.counts, decode_counts(rows.text(7)));
    state.committed.push_back(std::move(group));
  }
}

Result<void> SqliteStepLedger::append_plan(std::span<const BatchPlan> batches, bool complete,
                                           std::span<const Checkpoint> checkpoints) {
  return write_soon(*database_, [&]() -> Result<void> {
    TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(*database_));
    TRANCHE_TRY(insert_batches(batches));
    TRANCHE_TRY(insert_checkpoints(checkpoints));
    TRANCHE_TRY(
        database_->run("UPDATE steps SET plan_complete = ? WHERE number = ?", complete, step_));
    return transaction.commit();
  });
}

Result<void> SqliteStepLedger::insert_batches(std::span<const BatchPlan> batches) {
  TRANCHE_ASSIGN(auto insert, database_->prepare("INSERT INTO batches (step, number, group_number, "
                                                 "first_record, records, bytes, chunks) "
                                                 "VALUES (?, ?, ?, ?, ?, ?, ?)"));
  for (const BatchPlan& batch : batches) {
    const std::string chunks = encode_slices(batch.chunks);
    insert.bind_integer(1, step_);
    insert.bind_natural(2, batch.number);
    insert.bind_natural(3, batch.group);
    insert.bind_natural(4, batch.chunks.empty() ? 0 : batch.chunks.front().first_record);
    insert.bind_natural(5, batch.records());
    insert.bind_natural(6, batch.bytes());
    insert.bind_text(7, chunks);
    TRANCHE_TRY(insert.run());
  }
  return {};
}

Result<void> SqliteStepLedger::insert_checkpoints(std::span<const Checkpoint> checkpoints) {
  if (checkpoints.empty()) return {};
  TRANCHE_ASSIGN(auto insert,
                 database_->prepare("INSERT OR REPLACE INTO checkpoints (step, input, offset, "
                                    "file_offset, state) VALUES (?, ?, ?, ?, ?)"));
  for (const Checkpoint& checkpoint : checkpoints) {
    insert.bind_integer(1, step_);
    insert.bind_integer(2, checkpoint.input);
    insert.bind_natural(3, checkpoint.offset);
    insert.bind_natural(4, checkpoint.file_offset);
    insert.bind_blob(5, checkpoint.state);
    TRANCHE_TRY(insert.run());
  }
  return {};
}

Result<std::vector<Checkpoint>> SqliteStepLedger::load_checkpoints(std::uint32_t input,
                                                                   std::uint64_t offset) {
  TRANCHE_ASSIGN(auto rows,
                 database_->query("SELECT input, offset, file_offset, state FROM checkpoints WHERE "
                                  "step = ?1 AND (input > ?2 OR (input = ?2 AND offset >= "
                                  "(SELECT coalesce(max(offset), 0) FROM checkpoints WHERE step = "
                                  "?1 AND input = ?2 AND offset <= ?3))) ORDER BY input, offset",
                                  step_, input, offset));
  std::vector<Checkpoint> checkpoints;
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return checkpoints;
    checkpoints.push_back(Checkpoint{.input = static_cast<std::uint32_t>(rows.integer(0)),
                                     .offset = rows.natural(1),
                                     .file_offset = rows.natural(2),
                                     .state = rows.string(3)});
  }
}

Result<void> SqliteStepLedger::forget_checkpoints() {
  return database_->run("DELETE FROM checkpoints WHERE step = ?", step_);
}

Result<void> SqliteStepLedger::load_culprits(StepState& state) {
  TRANCHE_ASSIGN(auto rows, database_->query("SELECT record, phase, error, signal, attempts FROM "
                                             "trials WHERE step = ? AND guilty ORDER BY record",
                                             step_));
  for (;;) {
    TRANCHE_ASSIGN(const bool more, rows.step());
    if (!more) return {};
    Culprit culprit;
    culprit.record = rows.natural(0);
    culprit.phase = rows.string(1);
    culprit.error = rows.string(2);
    culprit.signal = static_cast<int>(rows.integer(3));
    culprit.attempts = static_cast<std::uint32_t>(rows.natural(4));
    state.culprits.push_back(std::move(culprit));
  }
}

Result<std::uint32_t> SqliteStepLedger::record_trial(std::uint64_t record) {
  TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(*database_));
  TRANCHE_TRY(
      database_->run("INSERT INTO trials (step, record, attempts) VALUES (?, ?, 1) ON "
                     "CONFLICT (step, record) DO UPDATE SET attempts = attempts + 1",
                     step_, record));
  std::uint32_t attempts = 0;
  {
    TRANCHE_ASSIGN(auto row,
                   database_->query("SELECT attempts FROM trials WHERE step = ? AND record = ?",
                                    step_, record));
    TRANCHE_TRY(row.step());
    attempts = static_cast<std::uint32_t>(row.natural(0));
  }
  TRANCHE_TRY(transaction.commit());
  return attempts;
}

Result<void> SqliteStepLedger::record_culprit(const Culprit& culprit) {
  return database_->run(
      "UPDATE trials SET guilty = 1, phase = ?, error = ?, signal = ?, attempts = ? "
      "WHERE step = ? AND record = ?",
      culprit.phase, culprit.error, culprit.signal, culprit.attempts, step_, culprit.record);
}

Result<void> SqliteStepLedger::forget_culprits() {
  return database_->run("DELETE FROM trials WHERE step = ?", step_);
}

Result<void> SqliteStepLedger::drop_plan_from(std::uint64_t first_batch) {
  TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(*database_));
  TRANCHE_ASSIGN(auto committed,
                 database_->query("SELECT count(*) FROM batches JOIN commits USING (step, "
                                  "group_number) WHERE step = ? AND number >= ?",
                                  step_, first_batch));
  TRANCHE_TRY(committed.step());
  if (committed.integer(0) != 0) {
    return make_error(
        ErrorKind::bug,
        fmt::format("Batch {} or one behind it is committed: its plan is fixed.", first_batch));
  }
  committed.reset();
  TRANCHE_TRY(
      database_->run("DELETE FROM batches WHERE step = ? AND number >= ?", step_, first_batch));
  TRANCHE_TRY(database_->run("UPDATE steps SET plan_complete = 0 WHERE number = ?", step_));
  return transaction.commit();
}

Result<void> SqliteStepLedger::record_failure(std::uint64_t group, std::uint32_t attempt,
                                              const std::string& error) {
  return database_->run(
      "INSERT INTO failures (step, group_number, attempt, error, at) VALUES (?, ?, ?, ?, ?)", step_,
      group, attempt, error, system_clock().now_microseconds());
}

Result<void> SqliteStepLedger::stage(std::span<const StagedGroup> groups, CommitHome home) {
  if (home == CommitHome::target) return write_staged(groups);
  return write_soon(*database_, [&] { return write_staged(groups); });
}

Result<void> SqliteStepLedger::write_staged(std::span<const StagedGroup> groups) {
  TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(*database_));
  for (const StagedGroup& staged : groups) {
    TRANCHE_TRY(
        database_->run("INSERT INTO staged (step, group_number, reject_id, counts, rejects, "
                       "at) VALUES (?, ?, ?, ?, 0, ?)",
                       step_, staged.group, staged.reject_id, encode_counts(staged.counts),
                       system_clock().now_microseconds()));
    TRANCHE_TRY(insert_rejects(database_->last_insert_id(), staged.rejects));
  }
  return transaction.commit();
}

Result<void> SqliteStepLedger::insert_rejects(std::int64_t staged, const RejectFeed& rejects) {
  TRANCHE_ASSIGN(const Reject* next, rejects());
  if (next == nullptr) return {};
  TRANCHE_ASSIGN(auto insert,
                 database_->prepare("INSERT INTO rejects (staged, position, record, has_position, "
                                    "source, line, offset, phase, error, raw, attempts, signal) "
                                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  std::int64_t position = 0;
  while (next != nullptr) {
    const Reject& reject = *next;
    insert.bind_integer(1, staged);
    insert.bind_integer(2, position++);
    insert.bind_natural(3, reject.record);
    insert.bind_integer(4, reject.has_position ? 1 : 0);
    insert.bind_text(5, reject.source);
    insert.bind_natural(6, reject.line);
    insert.bind_natural(7, reject.offset);
    insert.bind_text(8, reject.phase);
    insert.bind_text(9, reject.error);
    insert.bind_blob(10, reject.raw);
    insert.bind_integer(11, reject.attempts);
    insert.bind_integer(12, reject.signal);
    TRANCHE_TRY(insert.run());
    TRANCHE_ASSIGN(next, rejects());
  }
  return database_->run("UPDATE staged SET rejects = ? WHERE number = ?", position, staged);
}

Result<Counts> SqliteStepLedger::staged_counts(const std::string& reject_id) {
  TRANCHE_ASSIGN(auto row, database_->query("SELECT counts FROM staged WHERE step = ? AND "
                                            "reject_id = ?",
                                            step_, reject_id));
  TRANCHE_ASSIGN(const bool found, row.step());
  if (found) return decode_counts(row.text(0));
  return make_error(
      ErrorKind::failed,
      fmt::format("The target has a commit (\"{}\") that this ledger knows nothing of: another "
                  "ledger was in use, or this one is an old copy.",
                  reject_id));
}

Result<void> SqliteStepLedger::record_commits(std::span<const CommittedGroup> groups,
                                              CommitHome home) {
  if (home == CommitHome::ledger) return write_commits(groups);
  return write_soon(*database_, [&] { return write_commits(groups); });
}

Result<void> SqliteStepLedger::write_commits(std::span<const CommittedGroup> groups) {
  TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(*database_));
  for (const CommittedGroup& group : groups) TRANCHE_TRY(insert_commit(group));
  return transaction.commit();
}

Result<void> SqliteStepLedger::insert_commit(const CommittedGroup& group) {
  const Receipt& receipt = group.receipt;
  TRANCHE_TRY(database_->run(
      "INSERT OR REPLACE INTO commits (step, group_number, rows, bytes, "
      "checksum, position, payload, reject_id, counts, at, work) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      step_, receipt.group, receipt.rows, receipt.bytes, receipt.checksum, receipt.position,
      receipt.payload, receipt.reject_id, encode_counts(group.counts),
      system_clock().now_microseconds(), encode_work(group.work)));
  // What other attempts at this group had staged can never be published any more.
  return database_->run("DELETE FROM staged WHERE step = ? AND group_number = ? AND reject_id <> ?",
                        step_, receipt.group, receipt.reject_id);
}

Result<void> SqliteStepLedger::forget_commit(std::uint64_t group) {
  return database_->run("DELETE FROM commits WHERE step = ? AND group_number = ?", step_, group);
}

Result<void> SqliteStepLedger::record_seal_intent(const std::string& intent) {
  return database_->run("UPDATE steps SET seal = 'intended', seal_intent = ? WHERE number = ?",
                        intent, step_);
}

Result<void> SqliteStepLedger::record_sealed() {
  return write_soon(*database_, [&]() -> Result<void> {
    TRANCHE_ASSIGN(auto transaction, SqliteTransaction::begin(*database_));
    TRANCHE_TRY(database_->run("UPDATE steps SET seal = 'sealed' WHERE number = ?", step_));
    TRANCHE_TRY(forget_checkpoints());  // nobody goes on from them any more
    return transaction.commit();
  });
}

Result<bool> SqliteStepLedger::stop_requested() {
  TRANCHE_ASSIGN(auto row,
                 database_->query("SELECT stop_requested FROM runs WHERE number = ?", run_));
  TRANCHE_ASSIGN(const bool found, row.step());
  return found && row.integer(0) != 0;
}

}  // namespace tranche::ledger
