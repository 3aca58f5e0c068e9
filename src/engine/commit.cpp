#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/fault.h"
#include "engine/step_run.h"

namespace tranche::engine {
namespace {

std::string place_of(const Reject& reject) {
  if (!reject.has_position) return fmt::format("record {}", reject.record);
  if (reject.line == 0) return fmt::format("{}, row {}", reject.source, reject.offset);
  return fmt::format("{}, line {}, byte {}", reject.source, reject.line, reject.offset);
}

const BatchPlan* batch_of(const Group& group, std::uint64_t record) {
  for (const auto& batch : group.batches()) {
    for (const auto& chunk : batch.chunks) {
      if (record >= chunk.first_record && record < chunk.first_record + chunk.records)
        return &batch;
    }
  }
  return group.batches().empty() ? nullptr : &group.batches().back();
}

void sort_by_record(std::vector<Reject>& rejects) {
  std::stable_sort(rejects.begin(), rejects.end(),
                   [](const Reject& a, const Reject& b) { return a.record < b.record; });
}

}  // namespace

Result<bool> StepRun::commit_ready() {
  if (groups_.empty()) return false;
  Group& group = groups_.front();
  if (group.failure) {
    const auto recorded =
        work_.ledger->record_failure(group.number(), group.attempt, group.failure->message);
    if (!recorded) return recorded.error();
    return *group.failure;
  }
  if (!group.ready(work_.sink->merges())) return false;
  TRANCHE_TRY(commit_group(group));
  return true;
}

// Commits the oldest group, trying again after transient errors, each time in a fresh transaction.
Result<void> StepRun::commit_group(Group& group) {
  while (true) {
    auto committed = commit_attempt(group);
    if (committed) return {};
    committer_->rollback();
    const Error& error = committed.error();
    if (error.kind != ErrorKind::transient || group.attempt >= work_.retry.attempts) {
      const auto recorded =
          work_.ledger->record_failure(group.number(), group.attempt, error.message);
      return recorded ? error : recorded.error();
    }
    const auto wait = wait_after(group.attempt, group.number());
    emit(Event::Kind::retry,
         fmt::format("The commit of group {} is tried again in {:.1f} s: {}", group.number(),
                     std::chrono::duration<double>(wait).count(), error.message),
         group.number());
    ++group.attempt;
    ++end_.retries;
    group.last_failure = error.message;
    pause(wait);
  }
}

// Ends the step at the reject of `record`, with nothing of its batch committed.
Error StepRun::refuse(const Group& group, const RejectRun& refused, std::uint64_t record,
                      const std::string& what, const std::string& advice) {
  const auto* batch = batch_of(group, record);
  const std::uint64_t number = batch != nullptr ? batch->number : 0;
  end_.bad_record_count = 0;
  end_.bad_records.clear();
  RejectReader reader({group.rejects(), refused});
  // Counts what passes by on its way to the ledger.
  const auto feed = [&]() -> Result<const Reject*> {
    TRANCHE_ASSIGN(const Reject* const reject, reader.next());
    if (reject != nullptr && batch_of(group, reject->record) == batch) {
      ++end_.bad_record_count;
      if (end_.bad_records.size() < bad_records_shown) end_.bad_records.push_back(*reject);
    }
    return reject;
  };
  // Kept unpublished, so that `rejects` can show what failed the run.
  TRANCHE_TRY(work_.ledger->stage(group.number(), "failed-" + random_id(), group.counts(), feed));
  return make_error(
      ErrorKind::failed,
      fmt::format("{} Nothing of batch {} was committed; {}{} bad record{} in it. {}", what, number,
                  group.rejects_incomplete(number) ? "at least " : "", end_.bad_record_count,
                  end_.bad_record_count == 1 ? "" : "s", advice));
}

std::string StepRun::advice_on_limit() const {
  return fmt::format("Mend the data, or raise max_rejects (now {}), and run it again.",
                     to_string(work_.reject_limit));
}

bool StepRun::was_good(const Reject& reject) const {
  const bool is_record = reject.has_position && (!reject.raw.empty() || reject.line > 0);
  return work_.rewrites && is_record &&
         !std::binary_search(work_.only->begin(), work_.only->end(), reject.record);
}

// Walks the rejects in record order; the one too many ends the step before anything is written.
// `refused`: by the target, in record order.
Result<void> StepRun::judge(const Group& group, const RejectRun& refused, Verdict& verdict) {
  RejectReader rejects({group.rejects(), refused});
  std::uint64_t last_record = group.end_record();
  while (true) {
    TRANCHE_ASSIGN(const Reject* const reject, rejects.next());
    if (reject == nullptr) break;
    if (was_good(*reject)) {
      return refuse(group, refused, reject->record,
                    fmt::format("{}: {}", place_of(*reject), reject->error),
                    "The earlier run has written this record: it would be lost.");
    }
    if (!verdict.limit.admit(reject->record)) {
      return refuse(group, refused, reject->record,
                    fmt::format("{}: {}", place_of(*reject), reject->error), advice_on_limit());
    }
    if (!verdict.streak.admit(reject->record, reject->phase, reject->error)) {
      return refuse(group, refused, reject->record,
                    fmt::format("The first {} records all failed alike, the last of them {}: {}",
                                work_.same_failures_max, place_of(*reject), reject->error),
                    "It is rather the job that is wrong than all of them: mend it. Where they may "
                    "be wrong, say same_failures_max: 0.");
    }
    last_record = reject->record;
  }
  if (!verdict.limit.reach(group.end_record())) {
    return refuse(group, refused, last_record,
                  fmt::format("{} of the first {} records were rejected.", verdict.limit.rejected(),
                              group.end_record()),
                  advice_on_limit());
  }
  for (const auto& batch : group.batches()) {
    if (group.rejects_incomplete(batch.number))
      return make_error(ErrorKind::bug,
                        fmt::format("The rejects of batch {} were not all looked for, but they "
                                    "are within the limit",
                                    batch.number));
  }
  return {};
}

// Each attempt has its own: what an earlier one staged is not published by a later one's commit.
std::string StepRun::take_reject_id(Group& group) {
  if (group.reject_id.empty()) group.reject_id = fmt::format("{}-{}", group.number(), random_id());
  return std::exchange(group.reject_id, {});
}

// The target may take the rows of the next group while this one is committed. It is not judged yet:
// it is rolled back, should it not be wanted.
void StepRun::begin_ahead() {
  if (!committer_->works_ahead() || groups_.size() < 2) return;
  Group& next = groups_[1];
  if (next.failure || !next.ready(work_.sink->merges()) || !next.reject_id.empty()) return;
  next.reject_id = fmt::format("{}-{}", next.number(), random_id());
  const auto segments = next.segments();
  committer_->begin_ahead(next.number(), segments, next.reject_id);
}

Result<void> StepRun::commit_attempt(Group& group) {
  RejectRun refused;
  Verdict judged = *verdict_;
  TRANCHE_TRY(judge(group, refused, judged));

  CommittedGroup committed;
  committed.counts = group.counts();
  const std::string reject_id = take_reject_id(group);
  begin_ahead();
  const auto segments = group.segments();
  auto tried = group.is_carried_over() ? committer_->carry_over(group.number())
                                       : committer_->apply(group.number(), segments, reject_id);
  if (!tried) {
    // Only here: behind the commit a message of whatever words is no reason to apply it again.
    Error error = std::move(tried).error();
    if (work_.retry.is_transient(error)) error.kind = ErrorKind::transient;
    return error;
  }
  Applied applied = *std::move(tried);
  committed.counts.written = applied.rows;
  committed.counts.write_rejects = applied.rejects.size();
  if (!applied.rejects.empty()) {
    sort_by_record(applied.rejects);
    refused = encode_rejects(std::exchange(applied.rejects, {}));
    judged = *verdict_;
    TRANCHE_TRY(judge(group, refused, judged));
  }
  TRANCHE_TRY(reconcile(committed.counts));
  TRANCHE_TRY(reconcile_selection(group, committed.counts));
  fault_point("applied");
  if (!group.rejects().empty() || !refused.empty() || work_.sink->records_commits()) {
    RejectReader rejects({group.rejects(), refused});
    TRANCHE_TRY(work_.ledger->stage(group.number(), reject_id, committed.counts,
                                    [&] { return rejects.next(); }));
  }
  fault_point("staged");
  auto receipt = committer_->commit();
  if (receipt) {
    committed.receipt = *std::move(receipt);
  } else if (receipt.error().kind == ErrorKind::in_doubt) {
    TRANCHE_ASSIGN(auto found, work_.sink->find_receipt(group.number()));
    if (!found) return make_error(ErrorKind::transient, receipt.error().message);
    committed.receipt = *std::move(found);
  } else {
    return receipt.error();
  }
  committed.receipt.group = group.number();
  committed.receipt.reject_id = reject_id;
  committed.work = {group.attempt, group.last_failure, memory_bytes_, group.work()};
  fault_point("committed");
  TRANCHE_TRY(record_commit(committed));
  fault_point("recorded");
  verdict_ = judged;
  finish_commit(group, std::move(committed));
  return {};
}

// Every record that was to be processed again was found.
Result<void> StepRun::reconcile_selection(const Group& group, const Counts& counts) const {
  std::uint64_t selected = 0;
  for (const auto& state : group.tasks()) {
    if (!state.task.only) return {};
    selected += state.task.only->size();
  }
  if (selected == counts.read + counts.read_rejects) return {};
  return make_error(ErrorKind::failed,
                    fmt::format("Of {} records that were to be processed again, {} were found; "
                                "nothing of this group was committed.",
                                selected, counts.read + counts.read_rejects));
}

// The target has the group: what fails from here on must never make it be applied again. When the
// ledger can't be written, the next start copies the commit from the target, or cuts the file back.
Result<void> StepRun::record_commit(const CommittedGroup& committed) {
  const auto home = work_.sink->records_commits() ? CommitHome::target : CommitHome::ledger;
  for (std::uint32_t attempt = 1;; ++attempt) {
    auto recorded = work_.ledger->record_commit(committed, home);
    if (recorded) return {};
    if (recorded.error().kind != ErrorKind::transient || attempt >= work_.retry.attempts) {
      return make_error(ErrorKind::failed, recorded.error().message, recorded.error().where);
    }
    ++end_.retries;
    pause(wait_after(attempt, committed.receipt.group));
  }
}

void StepRun::finish_commit(Group& group, CommittedGroup committed) {
  const std::uint64_t processed = committed.counts.read + committed.counts.read_rejects;
  records_working_ -= std::min(records_working_, processed);
  end_.counts.add(committed.counts);
  end_.batches_committed += group.batches().size();
  bytes_committed_ += group.file_bytes();
  budget_.release(group.held_bytes());
  const std::uint64_t number = group.number();
  committed.work = {};  // is the ledger's from here on, or it would grow with the run
  state_.committed.push_back(std::move(committed));
  groups_.pop_front();
  emit(Event::Kind::group_committed, {}, number);
}

// The seal is a commit too: its intent is durable first, then done, then recorded.
Result<void> StepRun::seal() {
  if (state_.seal == SealState::sealed) return {};
  emit(Event::Kind::sealing);
  if (state_.seal == SealState::open) {
    committer_.reset();
    std::vector<Receipt> receipts;
    for (const auto& group : state_.committed) receipts.push_back(group.receipt);
    TRANCHE_ASSIGN(state_.seal_intent, work_.sink->plan_seal(receipts));
    TRANCHE_TRY(work_.ledger->record_seal_intent(state_.seal_intent));
    state_.seal = SealState::intended;
  }
  fault_point("seal-intended");
  TRANCHE_TRY(work_.sink->seal(state_.seal_intent));
  fault_point("seal-done");
  TRANCHE_TRY(work_.ledger->record_sealed());
  state_.seal = SealState::sealed;
  return {};
}

}  // namespace tranche::engine
