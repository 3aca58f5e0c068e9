// One step of one run in the ledger: the port that the engine programs against.
//
// Threads, durability and errors: as Ledger. Lifetime: shares the database with its Ledger.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <tranche/core/ledger.h>

#include "drivers/sqlite.h"

namespace tranche::ledger {

class SqliteStepLedger final : public StepLedger {
 public:
  // `run` and `step` are the numbers of their rows.
  SqliteStepLedger(std::shared_ptr<SqliteDatabase> database, std::int64_t run, std::int64_t step)
      : database_(std::move(database)), run_(run), step_(step) {}

  Result<StepState> load() override;
  Result<void> append_plan(std::span<const BatchPlan> batches, bool complete,
                           std::span<const Checkpoint> checkpoints) override;
  Result<std::vector<Checkpoint>> load_checkpoints(std::uint32_t input,
                                                   std::uint64_t offset) override;
  Result<void> forget_checkpoints() override;
  Result<void> drop_plan_from(std::uint64_t first_batch) override;
  Result<std::uint32_t> record_trial(std::uint64_t record) override;
  Result<void> record_culprit(const Culprit& culprit) override;
  Result<void> forget_culprits() override;
  Result<void> record_failure(std::uint64_t group, std::uint32_t attempt,
                              const std::string& error) override;
  Result<void> stage(std::span<const StagedGroup> groups, CommitHome home) override;
  Result<Counts> staged_counts(const std::string& reject_id) override;
  Result<void> record_commits(std::span<const CommittedGroup> groups, CommitHome home) override;
  Result<void> forget_commit(std::uint64_t group) override;
  Result<void> record_seal_intent(const std::string& intent) override;
  Result<void> record_sealed() override;
  Result<bool> stop_requested() override;

 private:
  Result<void> write_staged(std::span<const StagedGroup> groups);
  Result<void> write_commits(std::span<const CommittedGroup> groups);
  Result<void> insert_batches(std::span<const BatchPlan> batches);
  Result<void> load_batches(StepState& state);
  Result<void> load_commits(StepState& state);
  Result<void> load_culprits(StepState& state);
  Result<void> insert_checkpoints(std::span<const Checkpoint> checkpoints);
  Result<void> insert_commit(const CommittedGroup& group);
  Result<void> insert_rejects(std::int64_t staged, const RejectFeed& rejects);

  std::shared_ptr<SqliteDatabase> database_;
  std::int64_t run_;
  std::int64_t step_;
};

// Without an fsync: of what the next one that has it makes durable along with itself. REQUIRES that
// no transaction is open.
Result<void> write_soon(SqliteDatabase& database, const std::function<Result<void>()>& write);

SealState parse_seal(std::string_view text);

}  // namespace tranche::ledger
