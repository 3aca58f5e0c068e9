#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "engine/step_run.h"

namespace tranche::engine {
namespace {

using namespace std::chrono_literals;

// Tasks that wait at a worker beyond the one in work: enough that no worker idles during a commit.
constexpr std::uint64_t tasks_submitted_per_worker = 16;
constexpr std::size_t batches_a_plan_write_max = 256;
constexpr auto wait_for_batch_longest = 50ms;  // before results and stops are looked at
constexpr auto look_for_batch = 2ms;           // where results are waited for, and a batch too

}  // namespace

void StepRun::push_batch(BatchPlan batch) {
  if (groups_.empty() || groups_.back().number() != batch.group) {
    if (!groups_.empty()) groups_.back().close();
    groups_.emplace_back(batch.group);
  }
  if (!work_.rewrites)
    return groups_.back().add(std::move(batch), work_.whole_batches, work_.only, state_.culprits);
  // A whole batch, since nobody knows where in its output the records have their place.
  if (holds_wanted(batch))
    groups_.back().add(std::move(batch), work_.whole_batches, nullptr, state_.culprits);
  else
    groups_.back().carry_over(std::move(batch));
}

bool StepRun::holds_wanted(const BatchPlan& batch) const {
  const std::uint64_t first = batch.chunks.front().first_record;
  const auto wanted = std::lower_bound(work_.only->begin(), work_.only->end(), first);
  return wanted != work_.only->end() && *wanted < first + batch.records();
}

void StepRun::adopt_plan() {
  for (auto& batch : state_.batches) {
    if (batch.group < state_.committed.size()) continue;
    last_batch_bytes_ = batch.bytes();
    push_batch(batch);
  }
  if (state_.plan_complete && !groups_.empty()) groups_.back().close();
  adopt_suspects();
}

std::size_t StepRun::tasks_waiting() const {
  std::size_t waiting = 0;
  for (const auto& group : groups_) {
    for (const auto& state : group.tasks()) {
      if (state.phase == TaskState::Phase::waiting) ++waiting;
    }
  }
  return waiting;
}

std::uint64_t StepRun::bytes_unread() const {
  std::uint64_t bytes = 0;
  for (const auto& group : groups_) {
    for (const auto& state : group.tasks()) {
      if (state.phase == TaskState::Phase::done) continue;
      for (const auto& chunk : state.task.chunks) bytes += chunk.bytes;
    }
  }
  return bytes;
}

// Plans a bounded way ahead of the workers, so that planning overlaps with work and a batch is
// durable in the ledger before it is dispatched.
//
// What is found in the input counts behind the batches before it, however many of them were planned
// in one go.
Result<void> StepRun::plan_ahead() {
  if (plan_trouble_) return *plan_trouble_;
  const std::size_t wanted = 4 * work_.executor->workers() + 4;
  const bool lead_open = groups_.empty() || !groups_.front().closed();
  if (state_.plan_complete || (stopping_ && !lead_open)) return {};
  if (tasks_waiting() >= wanted && !lead_open) return {};
  std::uint64_t unread = bytes_unread();
  const auto reads_enough = [&] {
    return unread > 0 && unread + last_batch_bytes_ > work_.unread_bytes_max;
  };
  if (reads_enough()) return {};  // the workers come first
  // Where batches are waited for, the workers' results are not.
  const auto is_ready = [&](std::chrono::milliseconds longest) {
    return !work_.batch_is_ready || work_.batch_is_ready(longest);
  };
  if (!is_ready(submitted_ > 0 ? 0ms : wait_for_batch_longest)) return {};
  std::vector<BatchPlan> planned;
  std::size_t tasks = tasks_waiting();
  bool complete = false;
  const auto deadline = work_.clock->monotonic() + 50ms;  // then the workers get what there is
  while (tasks < 4 * wanted && planned.size() < batches_a_plan_write_max && is_ready(0ms)) {
    auto next = work_.next_batch();
    if (!next && planned.empty()) return std::move(next).error();
    if (!next) {
      plan_trouble_ = std::move(next).error();
      break;
    }
    std::optional<BatchPlan>& batch = *next;
    if (!batch) {
      complete = true;
      break;
    }
    tasks += work_.whole_batches ? 1 : batch->chunks.size();
    last_batch_bytes_ = batch->bytes();
    unread += last_batch_bytes_;
    planned.push_back(*std::move(batch));
    if (work_.clock->monotonic() > deadline || reads_enough()) break;
  }
  if (planned.empty() && !complete) {
    // Every worker has enough, but the oldest group is still open: its end must be known.
    TRANCHE_ASSIGN(auto batch, work_.next_batch());
    if (batch) {
      last_batch_bytes_ = batch->bytes();
      planned.push_back(*std::move(batch));
    } else {
      complete = true;
    }
  }
  const auto checkpoints =
      work_.take_checkpoints ? work_.take_checkpoints() : std::vector<Checkpoint>();
  TRANCHE_TRY(work_.ledger->append_plan(planned, complete, checkpoints));
  batches_planned_ += planned.size();
  for (auto& batch : planned) push_batch(std::move(batch));
  state_.plan_complete = complete;
  if (complete && !groups_.empty()) groups_.back().close();
  return {};
}

std::uint64_t StepRun::task_memory(const Task& task) const {
  if (task.kind == Task::Kind::merge) return work_.task_memory_bytes;
  std::uint64_t bytes = 0;
  for (const auto& chunk : task.chunks) bytes += chunk.memory_bytes;
  return work_.task_memory_bytes +
         static_cast<std::uint64_t>(static_cast<double>(bytes) * work_.memory_per_record_byte);
}

Result<bool> StepRun::submit(Group& group, TaskState& state, bool reserved) {
  const std::uint64_t bytes = task_memory(state.task);
  if (!budget_.admits(bytes, reserved)) return false;
  state.memory_bytes = bytes;
  state.task.id = next_task_++;
  state.task.attempt = group.attempt;
  state.task.spill = budget_.should_spill(bytes);
  state.phase = TaskState::Phase::submitted;
  budget_.begin_work(bytes);
  ++submitted_;
  TRANCHE_TRY(work_.executor->submit(state.task));
  return true;
}

Result<void> StepRun::submit_merge(Group& group) {
  Task task = group.make_merge();
  task.id = next_task_++;
  const std::uint64_t bytes = task_memory(task);
  budget_.begin_work(bytes);
  ++submitted_;
  TRANCHE_TRY(work_.executor->submit(std::move(task)));
  return {};
}

Result<void> StepRun::dispatch() {
  lacks_memory_ = false;
  TRANCHE_TRY(submit_trials());
  // Threads share one process: until it is known who killed the last one, nobody else may.
  const bool on_trial = !trials_.empty() || !trials_waiting_.empty();
  if (on_trial && work_.isolator != work_.executor) return {};
  const auto now = work_.clock->monotonic();
  const std::uint64_t submitted_max = tasks_submitted_per_worker * work_.executor->workers();
  bool lead = true;
  for (auto& group : groups_) {
    if (group.failure) break;       // nothing behind it can be committed
    if (stopping_ && !lead) break;  // only the oldest group is finished
    const bool paused = group.not_before > now;
    if (!paused && group.wants_merge(work_.sink->merges())) {
      // Younger work must not take what the merge waits for.
      lacks_memory_ = !budget_.admits(work_.task_memory_bytes, lead && submitted_ == 0);
      if (lacks_memory_) return {};
      TRANCHE_TRY(submit_merge(group));
    }
    if (!paused) {
      for (auto& state : group.tasks()) {
        if (state.phase != TaskState::Phase::waiting || state.not_before > now) continue;
        if (submitted_ >= submitted_max) return {};
        TRANCHE_ASSIGN(const bool admitted, submit(group, state, lead && submitted_ == 0));
        lacks_memory_ = !admitted;
        if (lacks_memory_) return {};
      }
    }
    lead = false;
  }
  return {};
}

Result<bool> StepRun::take_outcomes(bool wait) {
  // Nothing in work: only a backoff or a stop is waited for.
  if (submitted_ == 0 && trials_.empty()) {
    if (wait && !groups_.empty() && !groups_.front().ready(work_.sink->merges()) &&
        !groups_.front().failure) {
      work_.clock->sleep(20ms);
    }
    return false;
  }
  const bool waits_for_trial = !trials_.empty() && work_.isolator != work_.executor;
  std::chrono::milliseconds longest = 100ms;
  if (!applied_.empty()) {  // their commit comes in time
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deferral_left());
    longest = std::clamp<std::chrono::milliseconds>(left, 0ms, longest);
  }
  // Who is idle gets the next batch as soon as it is planned, which nobody tells us.
  const bool is_batch_awaited = work_.batch_is_ready && !state_.plan_complete && !stopping_ &&
                                submitted_ < work_.executor->workers() && tasks_waiting() == 0;
  if (is_batch_awaited) longest = std::min<std::chrono::milliseconds>(longest, look_for_batch);
  bool came = false;
  if (waits_for_trial) {
    const auto timeout = !wait ? 0ms : submitted_ > 0 ? 20ms : 100ms;
    TRANCHE_ASSIGN(came, take_next(*work_.isolator, timeout));
  }
  if (submitted_ > 0 || !waits_for_trial) {
    const auto timeout = !wait ? 0ms : waits_for_trial ? 20ms : longest;
    TRANCHE_ASSIGN(const bool more, take_next(*work_.executor, timeout));
    came = came || more;
  }
  return came;
}

Result<bool> StepRun::take_next(Executor& executor, std::chrono::milliseconds timeout) {
  TRANCHE_ASSIGN(auto outcome, executor.next(timeout));
  if (!outcome) return false;
  // What else has come by now is taken too, so that one look at the groups serves them all.
  while (outcome) {
    if (trials_.contains(outcome->task)) {
      TRANCHE_TRY(take_trial(*outcome));
    } else {
      take(*std::move(outcome));
    }
    if (submitted_ == 0 && trials_.empty()) break;
    TRANCHE_ASSIGN(outcome, executor.next(0ms));
  }
  return true;
}

void StepRun::take(Outcome outcome) {
  --submitted_;
  for (auto& group : groups_) {
    if (auto* state = group.find(outcome.task)) {
      budget_.end_work(state->memory_bytes);
      if (outcome.death && !outcome.result) return take_death(group, state, outcome);
      if (!outcome.result) return take_failure(group, state, std::move(outcome.result).error());
      state->phase = TaskState::Phase::done;
      const std::uint64_t held_before = group.held_bytes();
      state->result = *std::move(outcome.result);
      state->worker = outcome.worker;
      state->time = outcome.time;
      budget_.hold(group.held_bytes() - held_before);
      records_working_ += state->result.counts.read + state->result.counts.read_rejects;
      return;
    }
    if (group.number() == outcome.group && outcome.is_merge) {
      budget_.end_work(work_.task_memory_bytes);
      if (outcome.death && !outcome.result) return take_death(group, nullptr, outcome);
      if (!outcome.result) return take_failure(group, nullptr, std::move(outcome.result).error());
      const std::uint64_t held_before = group.held_bytes();
      group.merged(*std::move(outcome.result));
      budget_.release(held_before - group.held_bytes());
      return;
    }
  }
}

// A transient error is tried again after a pause, in a fresh attempt; any other one ends the step
// when all groups before this one are committed.
void StepRun::take_failure(Group& group, TaskState* state, Error error) {
  // Chunks of one attempt often fail together, as when a service is away: that is one failure.
  if (work_.retry.is_transient(error) && state != nullptr && state->task.attempt < group.attempt) {
    state->phase = TaskState::Phase::waiting;
    return;
  }
  if (work_.retry.is_transient(error) && group.attempt < work_.retry.attempts) {
    const auto wait = wait_after(group.attempt, group.number());
    ++group.attempt;
    ++end_.retries;
    group.last_failure = error.message;
    group.not_before = work_.clock->monotonic() + wait;
    if (state != nullptr)
      state->phase = TaskState::Phase::waiting;
    else
      group.merge_failed();
    emit(Event::Kind::retry,
         fmt::format("Group {} is tried again in {:.1f} s (attempt {} of {}): {}", group.number(),
                     std::chrono::duration<double>(wait).count(), group.attempt,
                     work_.retry.attempts, error.message),
         group.number());
    return;
  }
  if (state != nullptr)
    state->phase = TaskState::Phase::waiting;
  else
    group.merge_failed();
  group.failure = std::move(error);
}

}  // namespace tranche::engine
