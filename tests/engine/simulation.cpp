#include "simulation.h"

#include <algorithm>
#include <utility>

#include "simulated_workers.h"

namespace tranche::simulation {
namespace {

class StillClock final : public Clock {
 public:
  std::int64_t now_microseconds() const override { return now_.count() / 1000; }
  std::chrono::nanoseconds monotonic() const override {
    now_ += std::chrono::microseconds(10);
    return now_;
  }
  void sleep(std::chrono::nanoseconds duration) override { now_ += duration; }

 private:
  mutable std::chrono::nanoseconds now_{0};
};

class SimulatedLedger final : public StepLedger {
 public:
  SimulatedLedger(World& world, Fault& fault) : world_(world), fault_(fault) {}
  Result<StepState> load() override {
    StepState state = world_.ledger;
    std::sort(state.culprits.begin(), state.culprits.end(),
              [](const Culprit& a, const Culprit& b) { return a.record < b.record; });
    return state;
  }
  Result<void> append_plan(std::span<const BatchPlan> batches, bool complete,
                           std::span<const Checkpoint>) override {
    return soon([&] {
      world_.ledger.batches.insert(world_.ledger.batches.end(), batches.begin(), batches.end());
      world_.ledger.plan_complete = complete;
    });
  }
  Result<void> drop_plan_from(std::uint64_t first) override {
    return now([&] { world_.ledger.batches.resize(first); });
  }
  Result<std::vector<Checkpoint>> load_checkpoints(std::uint32_t, std::uint64_t) override {
    return std::vector<Checkpoint>();
  }
  Result<void> forget_checkpoints() override { return {}; }
  Result<std::uint32_t> record_trial(std::uint64_t record) override {
    TRANCHE_TRY(now([&] { ++world_.trials[record]; }));
    return world_.trials[record];
  }
  Result<void> record_culprit(const Culprit& culprit) override {
    if (world_.trials[culprit.record] == 0)
      return make_error(ErrorKind::bug, "A record was found guilty that was never tried alone.");
    return now([&] { world_.ledger.culprits.push_back(culprit); });
  }
  Result<void> forget_culprits() override {
    return now([&] { world_.ledger.culprits.clear(); });
  }
  Result<void> record_failure(std::uint64_t, std::uint32_t, const std::string&) override {
    return now([] {});
  }
  Result<void> stage(std::span<const StagedGroup> groups, CommitHome home) override {
    std::vector<std::vector<Reject>> fed(groups.size());
    for (std::size_t i = 0; i < groups.size(); ++i) {
      while (true) {
        TRANCHE_ASSIGN(const Reject* const reject, groups[i].rejects());
        if (reject == nullptr) break;
        fed[i].push_back(*reject);
      }
    }
    const auto keep = [&] {
      for (std::size_t i = 0; i < groups.size(); ++i)
        world_.staged[groups[i].reject_id] = {groups[i].counts, std::move(fed[i])};
    };
    return home == CommitHome::target ? now(keep) : soon(keep);
  }
  Result<Counts> staged_counts(const std::string& id) override {
    auto found = world_.staged.find(id);
    if (found == world_.staged.end()) return make_error(ErrorKind::failed, "Nothing was staged.");
    return found->second.first;
  }
  Result<void> record_commits(std::span<const CommittedGroup> groups, CommitHome home) override {
    const auto record = [&] {
      auto& known = world_.ledger.committed;
      for (const auto& group : groups) {  // again, when the engine was told that it had failed
        std::erase_if(known, [&](const CommittedGroup& other) {
          return other.receipt.group == group.receipt.group;
        });
        known.push_back(group);
      }
    };
    return home == CommitHome::ledger ? now(record) : soon(record);
  }
  Result<void> forget_commit(std::uint64_t group) override {
    return now([&] {
      std::erase_if(world_.ledger.committed,
                    [&](const CommittedGroup& g) { return g.receipt.group == group; });
    });
  }
  Result<void> record_seal_intent(const std::string& intent) override {
    return now([&] {
      world_.ledger.seal = SealState::intended;
      world_.ledger.seal_intent = intent;
    });
  }
  Result<void> record_sealed() override {
    return soon([&] { world_.ledger.seal = SealState::sealed; });
  }
  Result<bool> stop_requested() override { return world_.stop_requested; }

 private:
  // A write that is durable when it returns, and all before it with it.
  template <class Effect> Result<void> now(const Effect& effect) {
    return fault_.step([&] {
      effect();
      world_.durable = world_;
    });
  }
  template <class Effect> Result<void> soon(const Effect& effect) { return fault_.step(effect); }

  World& world_;
  Fault& fault_;
};

std::vector<std::uint64_t> rows_of(const Segment& segment) {
  const auto* numbers = reinterpret_cast<const std::uint64_t*>(segment.data->data());
  return {numbers, numbers + segment.data->size() / sizeof(std::uint64_t)};
}

class SimulatedCommitter final : public Committer {
 public:
  SimulatedCommitter(World& world, Fault& fault, const Job& job)
      : world_(world), fault_(fault), job_(job) {}
  Result<Applied> apply(std::uint64_t group, std::span<const Segment> segments,
                        const std::string& reject_id) override {
    if (!std::exchange(is_deferred_, false)) rollback();
    rows_.clear();
    Applied applied;
    TRANCHE_TRY(fault_.step([&] {
      for (const auto& segment : segments) {
        for (const auto row : rows_of(segment)) {
          if (job_.refused_every == 0 || row % job_.refused_every != 0) {
            rows_.push_back(row);
            continue;
          }
          Reject reject("refused");
          reject.record = row;
          applied.rejects.push_back(reject);
        }
      }
    }));
    receipt_ = Receipt{};
    receipt_.group = group;
    receipt_.rows = rows_.size();
    receipt_.reject_id = reject_id;
    applied.rows = rows_.size();
    // The engine was told that the commit had failed, and it had not. A table knows that, and keeps
    // what the first attempt has published; a file is written behind what was committed before.
    if (world_.target.size() <= group) return applied;
    if (!job_.target_records_commits) {
      world_.target.resize(group);
      return applied;
    }
    if (!deferred_.empty()) return make_error(ErrorKind::failed, "It is there, and not alone.");
    receipt_ = world_.target[group].first;
    is_there_ = true;
    return applied;
  }
  std::optional<Receipt> defer_commit() override {
    if (!job_.defers_commits || is_there_) return std::nullopt;
    deferred_.emplace_back(receipt_, rows_);
    is_deferred_ = true;
    return receipt_;
  }
  Result<Receipt> commit() override {
    if (std::exchange(is_there_, false)) return receipt_;
    // What was applied last may have been deferred too, when no other group came.
    if (!std::exchange(is_deferred_, false)) deferred_.emplace_back(receipt_, rows_);
    const auto groups = std::exchange(deferred_, {});
    world_.commits += 1;
    TRANCHE_TRY(fault_.step(
        [&] { world_.target.insert(world_.target.end(), groups.begin(), groups.end()); }));
    if (world_.target.size() >= world_.stop_at_groups) world_.stop = true;
    return receipt_;
  }
  void rollback() override {
    rows_.clear();
    deferred_.clear();
    is_deferred_ = false;
    is_there_ = false;
  }

 private:
  World& world_;
  Fault& fault_;
  const Job& job_;
  std::vector<std::uint64_t> rows_;
  Receipt receipt_;
  std::vector<std::pair<Receipt, std::vector<std::uint64_t>>> deferred_;
  bool is_deferred_ = false;
  bool is_there_ = false;
};

class SimulatedSink final : public Sink {
 public:
  SimulatedSink(World& world, Fault& fault, const Job& job)
      : world_(world), fault_(fault), job_(job) {}
  std::vector<std::string> targets() const override { return {"simulated"}; }
  bool appends() const override { return true; }
  bool records_commits() const override { return job_.target_records_commits; }
  bool merges() const override { return job_.merges; }
  Result<void> examine(const SchemaPtr&) override { return {}; }
  // A table tells what it has; a file is cut back to what the ledger knows.
  Result<std::vector<Receipt>> recover(const SinkRun&, const SchemaPtr&,
                                       std::span<const Receipt> committed) override {
    if (!job_.target_records_commits) world_.target.resize(committed.size());
    std::vector<Receipt> present;
    for (const auto& [receipt, rows] : world_.target) present.push_back(receipt);
    return present;
  }
  void bind_encoders(const SinkRun&, const SchemaPtr&) override {}
  Result<std::unique_ptr<Encoder>> encoder(WorkerScope&) const override {
    return make_error(ErrorKind::bug, "Not simulated.");
  }
  Result<std::unique_ptr<Committer>> committer() override {
    return std::unique_ptr<Committer>(std::make_unique<SimulatedCommitter>(world_, fault_, job_));
  }
  Result<std::optional<Receipt>> find_receipt(std::uint64_t group) override {
    for (const auto& [receipt, rows] : world_.target) {
      if (receipt.group == group) return std::optional(receipt);
    }
    return std::optional<Receipt>();
  }
  Result<std::string> plan_seal(std::span<const Receipt> committed) override {
    return std::to_string(committed.size());
  }
  Result<void> seal(const std::string&) override {
    return fault_.step([&] {
      world_.sealed.clear();
      for (const auto& [receipt, rows] : world_.target) {
        world_.sealed.insert(world_.sealed.end(), rows.begin(), rows.end());
      }
      ++world_.seals;
    });
  }
  Result<void> discard(const SinkRun&, std::span<const Receipt>, bool) override { return {}; }
  Result<std::vector<std::string>> verify(const SinkRun&, const std::string&,
                                          std::span<const Receipt>) override {
    return std::vector<std::string>();
  }

 private:
  World& world_;
  Fault& fault_;
  const Job& job_;
};

// The batch behind those that the ledger knows of, cut otherwise after each power cut: what was not
// durable need not be planned alike again.
std::optional<BatchPlan> plan_next(const World& world, const Job& job, std::uint64_t number,
                                   std::uint64_t begin) {
  if (begin >= job.records) return std::nullopt;
  BatchPlan batch;
  batch.number = number;
  batch.group = number / job.batches_a_group;
  const std::uint64_t records =
      world.power_cuts % 2 == 0 ? job.batch_records : job.batch_records * 2 / 3 + 1;
  const auto end = std::min(job.records, begin + records);
  for (auto at = begin; at < end; at += job.chunk_records) {
    Slice slice;
    slice.begin = at;
    slice.end = std::min(end, at + job.chunk_records);
    slice.records = slice.end - slice.begin;
    slice.first_record = at;
    slice.bytes = slice.records;
    slice.memory_bytes = slice.records * 8;
    batch.chunks.push_back(slice);
  }
  return batch;
}

}  // namespace

std::vector<std::uint64_t> expected_rows(const Job& job) {
  std::vector<std::uint64_t> rows;
  for (std::uint64_t record = 0; record < job.records; ++record) {
    if (job.bad_every != 0 && record % job.bad_every == 0) continue;
    if (job.killers.always.contains(record)) continue;
    if (job.refused_every == 0 || record % job.refused_every != 0) rows.push_back(record);
  }
  return rows;
}

std::vector<std::uint64_t> published_rejects(const World& world) {
  std::vector<std::uint64_t> records;
  for (const auto& reject : published(world)) records.push_back(reject.record);
  return records;
}

std::vector<Reject> published(const World& world) {
  std::vector<Reject> rejects;
  for (const auto& group : world.ledger.committed) {
    auto staged = world.staged.find(group.receipt.reject_id);
    if (staged == world.staged.end()) continue;
    rejects.insert(rejects.end(), staged->second.second.begin(), staged->second.second.end());
  }
  return rejects;
}

engine::StepEnd run_engine(World& world, const Job& job, Fault& fault) {
  SimulatedLedger ledger(world, fault);
  SimulatedSink sink(world, fault, job);
  const bool threads = job.killers.share_process;
  SimulatedWorkers executor(
      world, job, fault,
      threads ? SimulatedWorkers::Kind::threads : SimulatedWorkers::Kind::processes);
  SimulatedWorkers isolator(world, job, fault, SimulatedWorkers::Kind::processes);
  StillClock clock;
  std::uint64_t next = world.ledger.batches.size();
  std::uint64_t begin = next == 0 ? 0 : world.ledger.batches.back().chunks.back().end;
  engine::StepWork work;
  work.run = SinkRun{"run", "step", "folder"};
  std::uint64_t bytes_planned = 0;
  work.next_batch = [&]() -> Result<std::optional<BatchPlan>> {
    auto planned = plan_next(world, job, next, begin);
    if (!planned) return planned;
    ++next;
    begin = planned->chunks.back().end;
    bytes_planned += planned->bytes();
    if (bytes_planned > executor.bytes_read()) {  // what was planned earlier is not counted
      world.unread_peak = std::max(world.unread_peak, bytes_planned - executor.bytes_read());
    }
    return planned;
  };
  work.sink = &sink;
  work.ledger = &ledger;
  work.executor = &executor;
  if (job.is_isolated) work.isolator = threads ? &isolator : &executor;
  work.suspects = std::exchange(world.suspects, {});
  work.stages = {"logic"};
  work.observer = &world.listener;
  work.clock = &clock;
  work.reject_limit = job.limit;
  work.same_failures_max = job.same_failures_max;
  work.whole_batches = job.whole_batches;
  work.unread_bytes_max = job.unread_bytes_max;
  work.memory_bytes_max = job.memory_bytes_max;
  work.stop = &world.stop;
  engine::StepEnd end;
  if (auto state = engine::recover_commits(work)) {
    end = engine::run_step(work, *std::move(state));
  } else {
    end.error = std::move(state).error();
  }
  if (fault.dead && fault.cuts_power) {
    static_cast<Memory&>(world) = world.durable;
    ++world.power_cuts;
  }
  return end;
}

}  // namespace tranche::simulation
