// One run of a step in this process: the state that the loop, the dispatch and the commits share.
// Threads: the engine's one thread.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/reject_segment.h"
#include "engine/budget.h"
#include "engine/group.h"
#include "engine/step_engine.h"

namespace tranche::engine {

class StepRun {
 public:
  StepRun(const StepWork& work, StepState state);
  StepEnd run();

 private:
  using Nanoseconds = std::chrono::nanoseconds;

  // dispatch.cpp
  void adopt_plan();          // groups of the plan that are not committed
  Result<void> plan_ahead();  // more batches, durable before they are dispatched
  void push_batch(BatchPlan batch);
  bool holds_wanted(const BatchPlan& batch) const;  // a record that is processed again
  Result<void> dispatch();
  Result<bool> submit(Group& group, TaskState& state, bool reserved);
  Result<void> submit_merge(Group& group);
  void take(Outcome outcome);
  void take_failure(Group& group, TaskState* state, Error error);
  // True when one came. `wait`: for one, else only what is there is taken.
  Result<bool> take_outcomes(bool wait);
  Result<bool> take_next(Executor& executor, std::chrono::milliseconds timeout);
  std::uint64_t task_memory(const Task& task) const;
  std::size_t tasks_waiting() const;
  std::uint64_t bytes_unread() const;  // of tasks that are not done

  // isolation.cpp
  struct TrialKey {
    std::uint64_t group = 0;
    std::uint64_t first_record = 0;  // of the task
  };
  void adopt_suspects();
  void open_inquest(std::uint64_t group, TaskState& state, std::vector<std::uint64_t> suspects,
                    bool named_only);
  Result<void> submit_trials();
  TaskState* find_on_trial(const TrialKey& key);
  Result<void> take_trial(const Outcome& outcome);
  Result<void> close_inquest(const TrialKey& key, TaskState& state);
  Result<void> quarantine(TaskState& state, const Inquest::Guilty& guilty);
  void take_death(Group& group, TaskState* state, Outcome& outcome);
  void fail_group(std::uint64_t number, Error error);
  Error killed_too_often(const TaskState& state, const Death& death) const;

  // commit.cpp
  Result<bool> commit_ready();  // true when a group was applied or committed
  Result<void> commit_group(Group& group);
  Result<bool> go_on_from_applied();
  bool awaits_company() const;
  void break_up(std::uint64_t last);
  std::uint64_t applied_bytes() const;  // held by groups that wait for their commit
  Nanoseconds deferral_left() const;    // until the commit of what is applied is due
  bool may_defer() const;
  static std::string take_reject_id(Group& group);
  void begin_ahead();
  Result<bool> apply_group(Group& group);
  Result<void> commit_applied();
  CommitHome home() const;  // of the groups
  Result<void> stage_applied();
  Result<void> reconcile_selection(const Group& group, const Counts& counts) const;
  Result<void> record_commits(std::span<const CommittedGroup> committed);
  void finish_commit(Group& group, CommittedGroup committed);
  // What the rejects of earlier groups have led to; a copy of it for each attempt.
  struct Verdict {
    RejectJudge limit;
    FailureStreak streak;
  };
  // A group whose rows are in the open transaction of the target.
  struct AppliedGroup {
    CommittedGroup committed;  // without what only its commit tells
    std::string reject_id;
    RejectRun refused;
    Verdict judged;
  };
  bool was_good(const Reject& reject) const;  // in the earlier run, whose output is rewritten
  Result<void> judge(const Group& group, const RejectRun& refused, Verdict& verdict);
  Error refuse(const Group& group, const RejectRun& refused, std::uint64_t record,
               const std::string& what, const std::string& advice);
  std::string advice_on_limit() const;
  Result<void> seal();

  // step_engine.cpp
  Result<StepEnd::State> loop();
  bool stop_wanted();
  bool finishes_lead();
  void emit(Event::Kind kind, std::string message = {}, std::uint64_t group = 0);
  void emit_progress(bool always);
  Nanoseconds wait_after(std::uint32_t attempt, std::uint64_t group) const;
  void pause(Nanoseconds duration);  // ends early when a stop is asked for

  const StepWork& work_;
  StepState state_;
  Budget budget_;
  std::deque<Group> groups_;           // planned and not committed, in order
  std::vector<AppliedGroup> applied_;  // the first of them
  Nanoseconds applying_since_{0};
  Nanoseconds commit_took_{0};                // the latest one
  std::optional<std::uint64_t> alone_until_;  // groups up to it share no commit
  std::uint64_t next_task_ = 1;
  std::uint64_t submitted_ = 0;
  bool lacks_memory_ = false;  // a task waits for what others hold, since the last dispatch
  std::map<std::uint64_t, TrialKey> trials_;  // in work, by the id of their task
  std::deque<TrialKey> trials_waiting_;       // for their next trial, or the end of their inquest
  std::uint64_t quarantined_ = 0;
  std::uint64_t batches_planned_ = 0;
  std::uint64_t last_batch_bytes_ = 0;  // of the one that was planned last
  std::optional<Error> plan_trouble_;   // behind what is planned
  bool stopping_ = false;
  std::optional<std::uint64_t> last_group_;  // when stopping: the last one to finish
  std::chrono::nanoseconds next_memory_sample_{0};
  std::uint64_t memory_bytes_ = 0;  // as sampled last
  std::unique_ptr<Committer> committer_;
  std::optional<Verdict> verdict_;
  StepEnd end_;
  std::uint64_t bytes_committed_ = 0;
  std::uint64_t bytes_resumed_ = 0;
  std::uint64_t records_resumed_ = 0;
  std::uint64_t records_working_ = 0;  // done by workers, not committed
  Nanoseconds started_{0};
  Nanoseconds last_progress_{0};
  Nanoseconds last_stop_look_{0};
};

}  // namespace tranche::engine
