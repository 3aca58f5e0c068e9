// The port of sinks: where records go, and how a group of them is committed exactly once.
//
// Life of a sink in one run: open; recover at every start; encoders in workers; one committer that
// takes groups in order (apply, then commit or roll back); seal. docs/commit-protocol.md is the
// specification.
// Threads: Encoders belong to workers, everything else to the committing thread.
// Errors: transient: roll back and try the group again in a fresh attempt; in_doubt: find_receipt
// tells; failed: the run stops, resumable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tranche/core/page.h>
#include <tranche/core/plan.h>
#include <tranche/core/reject.h>
#include <tranche/core/segment.h>
#include <tranche/core/worker.h>

namespace tranche {

// Proof that a group is committed: what the ledger keeps of it.
struct Receipt {
  std::uint64_t group = 0;
  std::uint64_t rows = 0;      // acknowledged by the target
  std::uint64_t bytes = 0;     // encoded
  std::uint64_t checksum = 0;  // of the encoded bytes, or of the rows for tables
  std::uint64_t position = 0;  // one output file: its length after this group
  std::string payload;         // JSON, the sink's own: names of parts, ...
  std::string reject_id;       // the staged rejects that this commit publishes
  bool operator==(const Receipt&) const = default;
};

// What apply did, not yet durable.
struct Applied {
  std::uint64_t rows = 0;
  std::vector<Reject> rejects;  // rows that the target refused
};

// How far the increments of a step have come: all below `until` (a value of their column, as text)
// is in the target.
struct Watermark {
  std::string increment;  // "job/step/parameters"; empty: there is none
  std::string until;
  bool is_empty() const { return increment.empty() || until.empty(); }
};

// The run as a sink sees it.
struct SinkRun {
  std::string run_id;
  std::string step;
  std::string run_folder;  // exists; for what must survive a crash and is no output
  std::string job = {};
  Watermark watermark = {};  // that its seal makes true
};

// What an earlier run has sealed, where it is rewritten.
struct EarlierOutput {
  std::vector<Receipt> committed;  // in order, all groups
  // Whether a group that is processed again may lose or change what the earlier run wrote of it.
  bool may_change = false;
};

class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual Result<void> add(const Page& page) = 0;
  // Since it was made (finish does not begin anew), counted where the row is written.
  virtual std::uint64_t rows_encoded() const = 0;
  // The encoded chunk; the encoder is empty again afterwards.
  virtual Result<std::vector<Segment>> finish() = 0;
  // Merges the segments of a whole group, in order, into what the committer takes (part files).
  virtual Result<std::vector<Segment>> merge(std::uint64_t group,
                                             std::span<const Segment> segments);
};

class Committer {
 public:
  virtual ~Committer() = default;
  // Whether it can apply a group while the one before it waits for its commit.
  virtual bool works_ahead() const { return false; }
  // Begins with what apply will be called with next but one, beside the group that is applied now;
  // apply then waits for it. REQUIRES works_ahead; no error: apply gives it.
  virtual void begin_ahead(std::uint64_t /*group*/, std::span<const Segment> /*segments*/,
                           const std::string& /*reject_id*/) {}
  // Applies a group's segments inside a transaction of the target that is not yet committed.
  // `reject_id` goes into the target's own commit record where it has one.
  virtual Result<Applied> apply(std::uint64_t group, std::span<const Segment> segments,
                                const std::string& reject_id) = 0;
  // Puts the commit of what was applied off to that of the group that is applied next, in the same
  // transaction. Its receipt, true as soon as a later commit returned; nullopt: it has to be
  // committed before another one is applied.
  virtual std::optional<Receipt> defer_commit() { return std::nullopt; }
  // Whether others can't use the target while a commit is put off.
  virtual bool locks_until_commit() const { return false; }
  // In the place of apply: the group as the earlier run wrote it, of which nothing is encoded anew.
  // The receipt has its rows, Applied none. REQUIRES a sink whose output is rewritten.
  virtual Result<Applied> carry_over(std::uint64_t group);
  // Makes what was applied durable, with what was deferred; after it returned, all that is
  // committed for ever. The receipt of the group that was applied last.
  virtual Result<Receipt> commit() = 0;
  virtual void rollback() = 0;  // with what was deferred
};

class Sink {
 public:
  virtual ~Sink() = default;
  // Names the target for claims: two runs never write one target at once ("file:/abs/path").
  virtual std::vector<std::string> targets() const = 0;
  virtual bool appends() const = 0;  // mode append: running again would double the rows
  // The target keeps its own record of commits (tables); else the ledger's is the only one (files).
  virtual bool records_commits() const { return false; }
  virtual bool merges() const { return false; }  // groups are merged by a worker before the commit
  virtual bool uses_database() const { return false; }
  // What an encoder keeps in memory besides what it encodes.
  virtual std::uint64_t encoder_bytes() const { return 0; }
  // What the committing thread keeps in memory besides the groups: an embedded database.
  virtual std::uint64_t committer_bytes() const { return 0; }
  // Encoders have to know what the target is like: workers examine it too.
  virtual bool encoders_need_target() const { return true; }
  // From here on it writes behind what an earlier run has sealed, where it would else take its
  // place: one output file. Before examine.
  virtual void extend_sealed() {}
  // From here on it writes anew what an earlier run has sealed, group by group: where nothing is
  // processed again, as it is there. Before examine. Errors: usage, where the target has no order.
  virtual Result<void> rewrite_sealed(EarlierOutput earlier);
  // Group size that suits the sink when the job says nothing; 0: each batch is a group.
  virtual std::uint64_t default_group_bytes() const { return 0; }
  // Checks mode, target and shape before anything is written; `check` calls it too. Read-only.
  virtual Result<void> examine(const SchemaPtr& schema) = 0;
  // Binds the sink to the run; creates what it needs (tables, temporary file with header).
  // Idempotent: a resume calls it again. `committed` are the ledger's receipts, in order.
  // Returns the receipts of what the target really has, in order: the target is the authority. A
  // target that lost commits that the ledger can't have redone (a temporary file cut or gone) is an
  // error.
  virtual Result<std::vector<Receipt>> recover(const SinkRun& run, const SchemaPtr& schema,
                                               std::span<const Receipt> committed) = 0;
  // Binds the sink to the run for nothing but its encoders: in a worker process, after examine
  // where they need the target, and instead of recover.
  virtual void bind_encoders(const SinkRun& run, const SchemaPtr& schema) = 0;
  virtual Result<std::unique_ptr<Encoder>> encoder(WorkerScope& worker) const = 0;
  virtual Result<std::unique_ptr<Committer>> committer() = 0;
  // After an in_doubt error: the receipt, when the group is committed.
  virtual Result<std::optional<Receipt>> find_receipt(std::uint64_t group) = 0;
  // What the seal will do, as JSON, made durable by the engine before seal is called.
  virtual Result<std::string> plan_seal(std::span<const Receipt> committed) = 0;
  // Does it; may be called again after a crash at any point, and rolls forward.
  virtual Result<void> seal(const std::string& intent) = 0;
  // Whether there is anything of what runs before this one have left: the table, the folder. A file
  // that each run replaces counts as there. Read-only; before examine too.
  virtual Result<bool> has_target() { return true; }
  // `until` of the watermark that the latest seal of this increment has set, wherever its run was
  // known. nullopt: the target knows of none. Read-only; before examine too.
  virtual Result<std::optional<std::string>> sealed_until(const std::string& /*increment*/) {
    return std::optional<std::string>();
  }
  // Undoes what is not sealed. `keep_committed`: rows that are committed in a table stay.
  // Errors: config, when rows of a table in append are committed and keep_committed is false.
  virtual Result<void> discard(const SinkRun& run, std::span<const Receipt> committed,
                               bool keep_committed) = 0;
  // Compares the sealed output with `intent` and the receipts: every difference as a sentence.
  virtual Result<std::vector<std::string>> verify(const SinkRun& run, const std::string& intent,
                                                  std::span<const Receipt> committed) = 0;
};

}  // namespace tranche
