// What the engine does when a worker dies: it finds the record that did it, proves it guilty by
// having it die alone, and does the task again without it.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "engine/step_run.h"

namespace tranche::engine {
namespace {

// A worker that somebody kills again and again: the kernel, perhaps, for want of memory.
constexpr std::uint32_t outside_kills_max = 20;
// Deaths that none of a task's records can be made to repeat.
constexpr std::uint32_t unexplained_deaths_max = 3;

std::string way_out(const Death& death) {
  if (death.kind == ErrorKind::memory)
    return "Give the job, or its workers, more `memory:`, or make the batches smaller.";
  if (death.kind == ErrorKind::timeout)
    return "Give `workers:` a longer `timeout`, or make the batches smaller.";
  return "Mend the logic, and run it again with --accept code.";
}

bool was_tried_before(const TaskState& state) {
  return std::any_of(state.trials.begin(), state.trials.end(),
                     [](const auto& trial) { return trial.second > 1; });
}

}  // namespace

// The records that were in the hands of threads when the engine before this one died.
void StepRun::adopt_suspects() {
  if (work_.isolator == nullptr) return;
  for (auto& group : groups_) {
    for (auto& state : group.tasks()) {
      const RecordRange records = state.task.records();
      std::vector<std::uint64_t> named;
      bool is_suspected = false;
      for (const Suspect& suspect : work_.suspects) {
        if (suspect.death.task.count() == 0) continue;  // a merge has no records to suspect
        const bool is_here = suspect.death.in_hand ? records.contains(suspect.death.in_hand->first)
                                                   : records.contains(suspect.death.task.first);
        if (!is_here) continue;
        is_suspected = true;
        if (suspect.death.in_hand && suspect.death.in_hand->count() == 1) {
          named.push_back(suspect.death.in_hand->first);
        }
      }
      if (!is_suspected) continue;
      // Of several that were in hand one is to blame: who was nameless is tried as a whole.
      const bool named_only = !named.empty();
      open_inquest(group.number(), state, std::move(named), named_only);
    }
  }
}

void StepRun::open_inquest(std::uint64_t group, TaskState& state,
                           std::vector<std::uint64_t> suspects, bool named_only) {
  state.phase = TaskState::Phase::on_trial;
  state.inquest.emplace(state.task.records(), std::move(suspects), named_only);
  trials_waiting_.push_back({group, state.task.records().first});
}

Result<void> StepRun::submit_trials() {
  const auto now = work_.clock->monotonic();
  std::deque<TrialKey> later;
  while (!trials_waiting_.empty()) {
    const TrialKey key = trials_waiting_.front();
    trials_waiting_.pop_front();
    TaskState* const state = find_on_trial(key);
    if (state == nullptr || !state->inquest) continue;
    if (state->not_before > now) {
      later.push_back(key);
      continue;
    }
    if (state->inquest->verdict() != Inquest::Verdict::open) {
      TRANCHE_TRY(close_inquest(key, *state));
      continue;
    }
    Task trial = state->task;
    trial.id = next_task_++;
    trial.trial = state->inquest->next_trial();
    trial.spill = false;
    // Counted before it is tried, so that nothing can be tried for ever in silence.
    if (trial.trial->count() == 1) {
      TRANCHE_ASSIGN(state->trials[trial.trial->first],
                     work_.ledger->record_trial(trial.trial->first));
    }
    state->memory_bytes = task_memory(trial);
    budget_.begin_work(state->memory_bytes);
    trials_.emplace(trial.id, key);
    TRANCHE_TRY(work_.isolator->submit(std::move(trial)));
  }
  trials_waiting_ = std::move(later);
  return {};
}

TaskState* StepRun::find_on_trial(const TrialKey& key) {
  for (auto& group : groups_) {
    if (group.number() != key.group) continue;
    for (auto& state : group.tasks()) {
      if (state.phase == TaskState::Phase::on_trial &&
          state.task.records().first == key.first_record) {
        return &state;
      }
    }
  }
  return nullptr;
}

Result<void> StepRun::take_trial(const Outcome& outcome) {
  const auto found = trials_.find(outcome.task);
  if (found == trials_.end()) return {};
  const TrialKey key = found->second;
  trials_.erase(found);
  TaskState* const state = find_on_trial(key);
  if (state == nullptr) return {};
  budget_.end_work(state->memory_bytes);
  if (outcome.death && !outcome.death->is_suspicious) {
    // Who is killed from outside has proved nothing: it is tried again.
    if (++state->outside_kills > outside_kills_max) {
      fail_group(key.group, killed_too_often(*state, *outcome.death));
      return {};
    }
  } else if (outcome.death) {
    state->failed_trials = state->outside_kills = 0;
    state->inquest->died(*outcome.death);
  } else if (!outcome.result && work_.retry.is_transient(outcome.result.error())) {
    // It says nothing of the records: a service was away, perhaps.
    if (++state->failed_trials >= work_.retry.attempts) {
      fail_group(key.group, outcome.result.error());
      return {};
    }
    state->not_before = work_.clock->monotonic() + wait_after(state->failed_trials, key.group);
  } else {
    state->failed_trials = state->outside_kills = 0;
    state->inquest->lived();  // an error is no death: the task will meet it again
  }
  trials_waiting_.push_back(key);
  return {};
}

Result<void> StepRun::close_inquest(const TrialKey& key, TaskState& state) {
  const Inquest inquest = *std::exchange(state.inquest, std::nullopt);
  switch (inquest.verdict()) {
    case Inquest::Verdict::guilty:
      for (const auto& guilty : inquest.culprits()) TRANCHE_TRY(quarantine(state, guilty));
      break;
    case Inquest::Verdict::together: {
      const RecordRange company = inquest.company();
      fail_group(key.group,
                 make_error(ErrorKind::failed,
                            fmt::format("The worker of batch {} {}, and does so again with records "
                                        "{} to {} together, but with none of them alone, so no "
                                        "record can be quarantined. {}",
                                        state.task.batch, inquest.last_death().how, company.first,
                                        company.end - 1, way_out(inquest.last_death()))));
      return {};
    }
    case Inquest::Verdict::unprovoked:
      fail_group(key.group,
                 make_error(ErrorKind::failed,
                            fmt::format("The worker of batch {} {}, and does so again when its "
                                        "records are read and none of them is processed, so no "
                                        "record can be quarantined. {}",
                                        state.task.batch, inquest.last_death().how,
                                        way_out(inquest.last_death()))));
      return {};
    case Inquest::Verdict::innocent:
    case Inquest::Verdict::open:
      // Who was suspected before, and is innocent alone, is not so in company, perhaps.
      if (inquest.named_only() && was_tried_before(state)) {
        open_inquest(key.group, state, {}, false);
        return {};
      }
      if (++state.unexplained_deaths >= unexplained_deaths_max) {
        fail_group(
            key.group,
            make_error(ErrorKind::failed,
                       fmt::format("The worker of batch {} died {} times, but none of its "
                                   "records does it in isolation. {}",
                                   state.task.batch, state.unexplained_deaths, state.last_error)));
        return {};
      }
      break;
  }
  state.phase = TaskState::Phase::waiting;
  return {};
}

Result<void> StepRun::quarantine(TaskState& state, const Inquest::Guilty& guilty) {
  Culprit culprit;
  culprit.record = guilty.record;
  const bool is_in_stage = guilty.death.in_hand && guilty.death.stage < work_.stages.size();
  culprit.phase = is_in_stage ? work_.stages[guilty.death.stage] : "read";
  culprit.error = fmt::format("Its worker {}; tried alone it did so again.", guilty.death.how);
  culprit.signal = guilty.death.signal;
  culprit.attempts = state.trials[guilty.record] + 1;
  TRANCHE_TRY(work_.ledger->record_culprit(culprit));
  auto& culprits = state.task.culprits;
  const auto behind =
      std::upper_bound(culprits.begin(), culprits.end(), culprit,
                       [](const Culprit& a, const Culprit& b) { return a.record < b.record; });
  culprits.insert(behind, culprit);
  state_.culprits.push_back(culprit);
  ++quarantined_;
  emit(Event::Kind::warning,
       fmt::format("Record {} is quarantined: its worker {}.", culprit.record, guilty.death.how));
  return {};
}

Error StepRun::killed_too_often(const TaskState& state, const Death& death) const {
  return make_error(
      ErrorKind::failed,
      fmt::format("The worker of batch {} {} {} times, from outside: perhaps by the kernel for "
                  "want of memory. Nothing was quarantined. Run it again when the cause is found.",
                  state.task.batch, death.how, state.outside_kills));
}

void StepRun::fail_group(std::uint64_t number, Error error) {
  for (auto& group : groups_) {
    if (group.number() == number && !group.failure) group.failure = std::move(error);
  }
}

// A worker died with the task in work, or ran out of memory in it.
void StepRun::take_death(Group& group, TaskState* state, Outcome& outcome) {
  const Death& death = *outcome.death;
  Error& error = outcome.result.error();
  if (state == nullptr) {  // a merge has no records to suspect
    group.merge_failed();
    const bool too_often = death.is_suspicious ? ++group.merge_deaths > unexplained_deaths_max
                                               : ++group.merge_outside_kills > outside_kills_max;
    if (too_often) group.failure = std::move(error);
    return;
  }
  state->last_error = error.message;
  if (!death.is_suspicious) {
    state->phase = TaskState::Phase::waiting;
    if (++state->outside_kills > outside_kills_max) group.failure = killed_too_often(*state, death);
    return;
  }
  if (work_.isolator == nullptr) {
    state->phase = TaskState::Phase::waiting;
    group.failure = std::move(error);
    return;
  }
  emit(Event::Kind::retry, fmt::format("{} Its records are tried in isolation.", error.message),
       group.number());
  std::vector<std::uint64_t> named;
  if (death.in_hand && death.in_hand->count() == 1) named.push_back(death.in_hand->first);
  open_inquest(group.number(), *state, std::move(named), false);
}

}  // namespace tranche::engine
