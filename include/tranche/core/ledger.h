// The port of the ledger, as the engine sees one step of one run: it remembers, never decides.
//
// Every method that writes returns after the write is durable, but where one says `soon`: that is
// durable with the next write that is, and until then a power cut (nothing else) may lose it.
// Threads: the committing thread only.
// Errors: transient (another process writes), failed (disk full, damaged).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/counts.h>
#include <tranche/core/plan.h>
#include <tranche/core/reject.h>
#include <tranche/core/sink.h>

namespace tranche {

// What one worker did of one batch.
struct BatchWork {
  std::uint64_t batch = 0;
  std::uint32_t worker = 0;
  std::int64_t began_microseconds = 0;  // since the epoch
  std::int64_t ended_microseconds = 0;
  std::int64_t busy_microseconds = 0;  // in between, when it did chunks of other batches too
};

// How a group came about, for people: nothing is decided by it.
struct GroupWork {
  std::uint32_t attempts = 1;
  std::string last_failure;        // of its attempts; empty: there was none
  std::uint64_t memory_bytes = 0;  // of the process tree, as sampled last before its commit
  std::vector<BatchWork> batches;  // empty: nobody knows, as of a commit that only the target had
};

struct CommittedGroup {
  Receipt receipt;
  Counts counts;
  GroupWork work;
};

// Gives rejects one by one, each valid until the next call; nullptr behind the last one.
using RejectFeed = std::function<Result<const Reject*>()>;

// What a commit is about to publish: the counts of a group, and its rejects (perhaps none).
struct StagedGroup {
  std::uint64_t group = 0;
  std::string reject_id;
  Counts counts;
  RejectFeed rejects;
};

enum class SealState { open, intended, sealed };

struct StepState {
  std::vector<BatchPlan> batches;         // in order; those of uncommitted groups may be replanned
  bool plan_complete = false;             // the source has no more than `batches`
  std::vector<CommittedGroup> committed;  // in order of groups
  std::vector<Culprit> culprits;          // in order of records
  SealState seal = SealState::open;
  std::string seal_intent;
};

// Where a group is committed. `target`: a row of the target says so, and a resume copies it from
// there; that the ledger has it may be lost by a power cut. `ledger`: its record is the commit, and
// durable.
enum class CommitHome { ledger, target };

class StepLedger {
 public:
  virtual ~StepLedger() = default;
  virtual Result<StepState> load() = 0;
  // Soon: nothing of them is committed before a later write is durable. `checkpoints`: noted while
  // these were planned; one that is there already is replaced.
  virtual Result<void> append_plan(std::span<const BatchPlan> batches, bool complete,
                                   std::span<const Checkpoint> checkpoints) = 0;
  // Those from which `offset` of an input is reached first, and all behind them.
  virtual Result<std::vector<Checkpoint>> load_checkpoints(std::uint32_t input,
                                                           std::uint64_t offset) = 0;
  // The inputs are others by now.
  virtual Result<void> forget_checkpoints() = 0;
  // Forgets the batches from number `first` on (none of them committed): they are planned anew.
  virtual Result<void> drop_plan_from(std::uint64_t first_batch) = 0;
  // Counts that a record is about to be tried alone, because it may have killed its worker; how
  // often it was by now.
  virtual Result<std::uint32_t> record_trial(std::uint64_t record) = 0;
  // It did so alone.
  virtual Result<void> record_culprit(const Culprit& culprit) = 0;
  // Who was tried, and found guilty, is forgotten: the program, or the input, is another by now.
  virtual Result<void> forget_culprits() = 0;
  // Keeps why an attempt at a group failed (for people and for `tranche status`).
  virtual Result<void> record_failure(std::uint64_t group, std::uint32_t attempt,
                                      const std::string& error) = 0;
  // Keeps each group under its reject_id, unpublished until a commit carries the id. All of it or
  // nothing; of the rejects a bounded part is in memory. Durable at once where the target is the
  // home of the commit; else soon, since its record comes behind. Errors: those of the feeds, too.
  virtual Result<void> stage(std::span<const StagedGroup> groups, CommitHome home) = 0;
  // The counts that were staged under `reject_id`: for a commit that the target has and the ledger
  // does not. Errors: failed, when nothing was staged under it.
  virtual Result<Counts> staged_counts(const std::string& reject_id) = 0;
  // All of them or none.
  virtual Result<void> record_commits(std::span<const CommittedGroup> groups, CommitHome home) = 0;
  // A commit that the target does not have: forgotten, so that it is redone.
  virtual Result<void> forget_commit(std::uint64_t group) = 0;
  virtual Result<void> record_seal_intent(const std::string& intent) = 0;
  // May be lost by a power cut: a seal that is done is found again by its intent.
  virtual Result<void> record_sealed() = 0;
  // A person asked for a stop by `tranche stop`.
  virtual Result<bool> stop_requested() = 0;
};

}  // namespace tranche
