#include "engine/step_engine.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/step_run.h"

namespace tranche::engine {
namespace {

using namespace std::chrono_literals;

constexpr auto progress_interval = 250ms;
constexpr auto stop_look_interval = 200ms;

}  // namespace

StepRun::StepRun(const StepWork& work, StepState state)
    : work_(work), state_(std::move(state)), budget_(work.memory_bytes_max) {
  started_ = work_.clock->monotonic();
  last_progress_ = started_;
  next_memory_sample_ = started_ + progress_interval;  // the first one is not waited for
  last_stop_look_ = started_ - stop_look_interval;
  std::uint64_t groups_committed = state_.committed.size();
  for (const auto& group : state_.committed) end_.counts.add(group.counts);
  std::uint64_t records = 0;
  std::uint64_t records_end = 0;  // more than there are where only some are processed
  for (const auto& batch : state_.batches) {
    if (batch.group >= groups_committed) continue;
    ++end_.batches_committed;
    bytes_committed_ += batch.file_bytes();
    records += batch.records();
    if (!batch.chunks.empty())
      records_end = batch.chunks.back().first_record + batch.chunks.back().records;
  }
  end_.batches_resumed = end_.batches_committed;
  bytes_resumed_ = bytes_committed_;
  records_resumed_ = records;
  batches_planned_ = state_.batches.size();
  quarantined_ = state_.culprits.size();
  verdict_.emplace(
      Verdict{RejectJudge(work_.reject_limit, end_.counts.rejected(), records_end),
              FailureStreak(work_.same_failures_max, records, end_.counts.rejected())});
}

StepEnd StepRun::run() {
  emit_progress(true);  // tells what earlier processes have committed
  Result<StepEnd::State> ended = loop();
  if (committer_) committer_->rollback();
  if (end_.memory_bytes_peak == 0) next_memory_sample_ = {};
  emit_progress(true);
  if (ended) {
    end_.state = *ended;
  } else {
    end_.state = StepEnd::State::failed;
    end_.error = std::move(ended).error();
  }
  return std::move(end_);
}

Result<StepEnd::State> StepRun::loop() {
  adopt_plan();
  if (state_.seal == SealState::open) {
    TRANCHE_ASSIGN(committer_, work_.sink->committer());
  }
  bool committed = false;  // a group, just now: another one may be ready
  while (state_.seal == SealState::open) {
    TRANCHE_TRY(plan_ahead());
    if (groups_.empty() && state_.plan_complete) break;
    if (stop_wanted() && !finishes_lead()) return StepEnd::State::stopped;
    end_.has_begun = end_.has_begun || !groups_.empty();
    TRANCHE_TRY(dispatch());
    // One group at a time, though many may be ready behind one that was slow: neither a stop nor
    // the workers, who need more tasks by then, wait for all of them.
    TRANCHE_ASSIGN(const bool outcome, take_outcomes(!committed));
    TRANCHE_ASSIGN(committed, commit_ready());
    if (stopping_ && !finishes_lead()) return StepEnd::State::stopped;
    if (committed || !outcome) emit_progress(false);
  }
  end_.has_begun = true;
  // A seal that has begun is rolled forward, whatever limit is given by now.
  if (state_.seal == SealState::open && !verdict_->limit.finish(end_.counts.planned)) {
    return make_error(
        ErrorKind::failed,
        fmt::format(
            "{} of {} records were rejected, more than max_rejects {} allows, so the output "
            "was not sealed. What is committed is kept: raise max_rejects and run it again, "
            "or mend the data and start again with --fresh.",
            end_.counts.rejected(), end_.counts.planned, to_string(work_.reject_limit)));
  }
  TRANCHE_TRY(seal());
  return StepEnd::State::completed;
}

bool StepRun::stop_wanted() {
  if (stopping_) return true;
  if (work_.stop != nullptr && work_.stop->load(std::memory_order_relaxed)) return stopping_ = true;
  const auto now = work_.clock->monotonic();
  if (now - last_stop_look_ < stop_look_interval) return false;
  last_stop_look_ = now;
  // A ledger that can't be read just now does not stop the run; the next look or commit will tell.
  const auto requested = work_.ledger->stop_requested();
  return stopping_ = requested && *requested;
}

// A stop ends at a group boundary: the group that was the oldest when it was asked for is finished
// when it has begun; younger work is dropped, since a resume does it again.
bool StepRun::finishes_lead() {
  if (groups_.empty()) return false;
  const Group& lead = groups_.front();
  if (!last_group_) {
    const auto begun = [](const TaskState& state) {
      return state.phase != TaskState::Phase::waiting;
    };
    const bool has_begun = lead.tasks().empty() ||  // it is carried over
                           std::any_of(lead.tasks().begin(), lead.tasks().end(), begun);
    if (!has_begun) return false;
    last_group_ = lead.number();
  }
  return lead.number() <= *last_group_;
}

StepRun::Nanoseconds StepRun::wait_after(std::uint32_t attempt, std::uint64_t group) const {
  return work_.retry.wait_after(attempt, std::hash<std::string>{}(work_.run.run_id) + group);
}

void StepRun::pause(Nanoseconds duration) {
  const auto until = work_.clock->monotonic() + duration;
  while (!stop_wanted() && work_.clock->monotonic() < until) {
    const Nanoseconds left = until - work_.clock->monotonic();
    work_.clock->sleep(std::min<Nanoseconds>(left, stop_look_interval));
  }
}

void StepRun::emit(Event::Kind kind, std::string message, std::uint64_t group) {
  if (work_.observer == nullptr) return;
  Event event;
  event.kind = kind;
  event.run = work_.run.run_id;
  event.step = work_.run.step;
  event.message = std::move(message);
  event.group = group;
  auto& progress = event.progress;
  progress.records_committed = end_.counts.planned;
  progress.records = end_.counts.planned + records_working_;
  progress.bytes = bytes_committed_;
  progress.bytes_total = work_.input_bytes_total;
  progress.batches_committed = end_.batches_committed;
  progress.batches_planned = batches_planned_;
  progress.plan_complete = state_.plan_complete;
  progress.rejects = end_.counts.rejected();
  progress.quarantined = quarantined_;
  progress.retries = end_.retries;
  progress.workers = work_.executor->at_once();
  progress.seconds = std::chrono::duration<double>(work_.clock->monotonic() - started_).count();
  progress.bytes_resumed = bytes_resumed_;
  progress.records_resumed = records_resumed_;
  progress.memory_bytes = memory_bytes_;
  work_.observer->on_event(event);
}

void StepRun::emit_progress(bool always) {
  const auto now = work_.clock->monotonic();
  if (!always && now - last_progress_ < progress_interval) return;
  last_progress_ = now;
  if (work_.sample_memory && now >= next_memory_sample_) {
    memory_bytes_ = work_.sample_memory();
    for (const auto& group : groups_) memory_bytes_ += group.shared_bytes();
    end_.memory_bytes_peak = std::max(end_.memory_bytes_peak, memory_bytes_);
    // The kernel counts every page for it: 10 ms where half a gigabyte is in use.
    const auto after = work_.clock->monotonic();
    next_memory_sample_ = after + 50 * (after - now);
  }
  emit(Event::Kind::progress);
}

StepEnd run_step(const StepWork& work, StepState state) {
  return StepRun(work, std::move(state)).run();
}

}  // namespace tranche::engine
