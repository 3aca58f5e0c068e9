#include <algorithm>
#include <deque>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/fault.h"
#include "engine/step_run.h"

namespace tranche::engine {
namespace {

using namespace std::chrono_literals;

// So many groups that are ready share a commit at most, until they have been applied for so many
// times as long as the latest commit took: what waits for disks stays small beside what works.
constexpr std::size_t groups_a_commit_max = 8;
constexpr int deferral_by_cost = 32;
constexpr auto deferral_max = 1s;
// What is applied and waits for a group that is still in work holds no more than that.
constexpr std::uint64_t awaiting_bytes_max = std::uint64_t{16} << 20;

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
  if (!applied_.empty()) return go_on_from_applied();
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

// The first groups are applied and wait for a commit: another one joins them, or it comes now.
Result<bool> StepRun::go_on_from_applied() {
  const bool has_next = groups_.size() > applied_.size();
  if (has_next && may_defer() && !groups_[applied_.size()].failure &&
      groups_[applied_.size()].ready(work_.sink->merges())) {
    Group& next = groups_[applied_.size()];
    const std::uint64_t number = next.number();
    const auto deferred = apply_group(next);
    if (!deferred) break_up(number);
    if (!deferred || *deferred) return true;
  } else if (awaits_company()) {
    return false;
  }
  const std::uint64_t last = applied_.back().committed.receipt.group;
  const auto committed = commit_applied();
  if (committed) return true;
  if (committed.error().kind == ErrorKind::transient) {
    break_up(last);
    return true;
  }
  const Group& group = groups_.front();
  const auto recorded =
      work_.ledger->record_failure(group.number(), group.attempt, committed.error().message);
  return recorded ? committed.error() : recorded.error();
}

// Something failed in company: each group up to `last` is tried by itself, which tells whose fault
// it is.
void StepRun::break_up(std::uint64_t last) {
  committer_->rollback();
  applied_.clear();
  alone_until_ = last;
}

std::uint64_t StepRun::applied_bytes() const {
  std::uint64_t held = 0;
  for (std::size_t i = 0; i < applied_.size(); ++i) held += groups_[i].held_bytes();
  return held;
}

StepRun::Nanoseconds StepRun::deferral_left() const {
  const auto longest = std::min<Nanoseconds>(deferral_by_cost * commit_took_, deferral_max);
  return applying_since_ + longest - work_.clock->monotonic();
}

bool StepRun::may_defer() const {
  if (stopping_ || applied_.size() >= groups_a_commit_max) return false;
  return budget_.may_hold_back(applied_bytes()) && deferral_left() > 0ns;
}

// Whether what is applied waits for the next group, which is in work: a disk that is asked to sync
// less often has more time for what it is given. Nobody and little memory may wait with it, and no
// worker for that memory.
bool StepRun::awaits_company() const {
  if (submitted_ == 0 || groups_.size() <= applied_.size() || !may_defer()) return false;
  if (lacks_memory_ && submitted_ < 2 * work_.executor->workers()) return false;
  if (committer_->locks_until_commit() || applied_bytes() > awaiting_bytes_max) return false;
  const Group& next = groups_[applied_.size()];
  return !next.failure && next.attempt == 1;
}

// Commits the oldest group, trying again after transient errors, each time in a fresh transaction;
// or defers its commit.
Result<void> StepRun::commit_group(Group& group) {
  while (true) {
    applying_since_ = work_.clock->monotonic();
    Result<void> committed;
    const auto deferred = apply_group(group);
    if (!deferred)
      committed = deferred.error();
    else if (!*deferred)
      committed = commit_applied();
    if (committed) return {};
    committer_->rollback();
    applied_.clear();
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
  // In company it is only taken out; it is refused aloud when it is judged by itself.
  if (!applied_.empty()) return make_error(ErrorKind::failed, what);
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
  const StagedGroup staged{group.number(), "failed-" + random_id(), group.counts(), feed};
  TRANCHE_TRY(work_.ledger->stage({&staged, 1}, home()));
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
  const std::size_t ahead = applied_.size() + 1;
  if (!committer_->works_ahead() || groups_.size() <= ahead) return;
  Group& next = groups_[ahead];
  if (next.failure || !next.ready(work_.sink->merges()) || !next.reject_id.empty()) return;
  next.reject_id = fmt::format("{}-{}", next.number(), random_id());
  const auto segments = next.segments();
  committer_->begin_ahead(next.number(), segments, next.reject_id);
}

// Gives the rows of a group to the target, behind those of `applied_`. True: its commit is
// deferred; false: it has to come now.
Result<bool> StepRun::apply_group(Group& group) {
  const Verdict& before = applied_.empty() ? *verdict_ : applied_.back().judged;
  AppliedGroup done{{}, take_reject_id(group), {}, before};
  TRANCHE_TRY(judge(group, done.refused, done.judged));

  CommittedGroup& committed = done.committed;
  committed.counts = group.counts();
  begin_ahead();
  const auto segments = group.segments();
  auto tried = group.is_carried_over()
                   ? committer_->carry_over(group.number())
                   : committer_->apply(group.number(), segments, done.reject_id);
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
    done.refused = encode_rejects(std::exchange(applied.rejects, {}));
    done.judged = before;
    TRANCHE_TRY(judge(group, done.refused, done.judged));
  }
  TRANCHE_TRY(reconcile(committed.counts));
  TRANCHE_TRY(reconcile_selection(group, committed.counts));
  committed.work = {group.attempt, group.last_failure, memory_bytes_, group.work()};
  fault_point("applied");
  const bool is_alone = alone_until_ && group.number() <= *alone_until_;
  committed.receipt.group = group.number();
  applied_.push_back(std::move(done));
  std::optional<Receipt> receipt;
  if (!is_alone && may_defer()) receipt = committer_->defer_commit();
  if (!receipt) return false;
  applied_.back().committed.receipt = *std::move(receipt);
  applied_.back().committed.receipt.group = group.number();
  return true;
}

// What is applied becomes durable, by one commit of the target and two writes of the ledger.
Result<void> StepRun::commit_applied() {
  const auto began = work_.clock->monotonic();
  const auto pass_point = [&](const char* point) {
    for (std::size_t group = 0; group < applied_.size(); ++group) fault_point(point);
  };
  TRANCHE_TRY(stage_applied());
  pass_point("staged");
  AppliedGroup& last = applied_.back();
  const std::uint64_t number = last.committed.receipt.group;
  auto receipt = committer_->commit();
  if (receipt) {
    last.committed.receipt = *std::move(receipt);
  } else if (receipt.error().kind == ErrorKind::in_doubt) {
    TRANCHE_ASSIGN(auto found, work_.sink->find_receipt(number));
    if (!found) return make_error(ErrorKind::transient, receipt.error().message);
    last.committed.receipt = *std::move(found);
  } else {
    return receipt.error();
  }
  last.committed.receipt.group = number;
  pass_point("committed");
  std::vector<CommittedGroup> committed;
  for (AppliedGroup& applied : applied_) {
    applied.committed.receipt.reject_id = applied.reject_id;
    committed.push_back(std::move(applied.committed));
  }
  TRANCHE_TRY(record_commits(committed));
  pass_point("recorded");
  verdict_ = applied_.back().judged;
  applied_.clear();
  commit_took_ = work_.clock->monotonic() - began;
  for (CommittedGroup& group : committed) finish_commit(groups_.front(), std::move(group));
  return {};
}

CommitHome StepRun::home() const {
  return work_.sink->records_commits() ? CommitHome::target : CommitHome::ledger;
}

Result<void> StepRun::stage_applied() {
  std::deque<RejectReader> readers;
  std::vector<StagedGroup> staged;
  for (std::size_t i = 0; i < applied_.size(); ++i) {
    const AppliedGroup& applied = applied_[i];
    auto rejects = groups_[i].rejects();
    if (rejects.empty() && applied.refused.empty() && !work_.sink->records_commits()) continue;
    auto& reader = readers.emplace_back(std::vector{std::move(rejects), applied.refused});
    staged.push_back({groups_[i].number(), applied.reject_id, applied.committed.counts,
                      [&reader] { return reader.next(); }});
  }
  return staged.empty() ? Result<void>() : work_.ledger->stage(staged, home());
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

// The target has the groups: what fails from here on must never make them be applied again. When
// the ledger can't be written, the next start copies the commits from the target, or cuts the file
// back.
Result<void> StepRun::record_commits(std::span<const CommittedGroup> committed) {
  for (std::uint32_t attempt = 1;; ++attempt) {
    auto recorded = work_.ledger->record_commits(committed, home());
    if (recorded) return {};
    if (recorded.error().kind != ErrorKind::transient || attempt >= work_.retry.attempts) {
      return make_error(ErrorKind::failed, recorded.error().message, recorded.error().where);
    }
    ++end_.retries;
    pause(wait_after(attempt, committed.front().receipt.group));
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
