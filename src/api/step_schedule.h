// Runs the steps of a run in the order of their graph, several at once where nothing orders them.
//
// With one track everything happens in the calling thread. With more, each step that runs has a
// thread, a track and a ledger connection of its own, and events come one at a time, from any of
// them. A step that fails holds back what waits for it; all others run.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/step_graph.h"
#include "api/step_run.h"
#include "api/step_values.h"

namespace tranche {

// Lets the events of several steps through, one by one. Threads: any.
class OneAtATime final : public Observer {
 public:
  explicit OneAtATime(Observer* next) : next_(next) {}  // nullptr: nobody listens
  void on_event(const Event& event) override {
    if (next_ == nullptr) return;
    const std::lock_guard lock(mutex_);
    next_->on_event(event);
  }

 private:
  std::mutex mutex_;
  Observer* const next_;
};

struct ScheduleEnd {
  RunState state = RunState::completed;
  std::optional<Error> error;         // of the first step in the job's order that failed
  std::vector<std::string> warnings;  // those of the others
  std::vector<StepSummary> steps;     // that began, or are left out; in the job's order
  std::string rejects_path;           // empty: there are none
  std::uint64_t memory_bytes_peak = 0;
  bool has_begun = false;  // in this process: a batch, a query, a program, SQL or a report
};

class StepSchedule {
 public:
  // Lifetime: what is handed over by reference outlives it.
  StepSchedule(const RunFrame& frame, const StepGraph& graph, Ledger& ledger, Observer* observer,
               const std::vector<StepTrack>& tracks, std::map<std::size_t, BoundStep> bound);

  // REQUIRES to be called once.
  ScheduleEnd run();

 private:
  // All that a step's thread needs of what the others came to.
  struct Start {
    std::size_t number = 0;
    std::size_t track = 0;
    StepValues values;
    std::optional<BoundStep> bound;
    bool again = false;
  };
  struct Ended {
    std::size_t number = 0;
    std::size_t track = 0;
    StepSummary summary;
    std::string rejects_path;
    bool was_done = false;  // by an earlier start
    bool has_begun = false;
    Result<engine::StepEnd> end = engine::StepEnd();
  };

  // Steps that can't run, or need not, whatever the others still do.
  void settle_waiting();
  void leave_out(std::size_t number, bool is_skipped);
  std::optional<std::size_t> next_ready() const;
  bool runs_again(std::size_t number) const;
  Start start_of(std::size_t number, std::size_t track);
  Ended run_step(Start start, Ledger& ledger);
  void begin_in_thread(std::size_t number);
  std::string output_of(const std::string& step) const;
  Ended wait_for_one();
  void take(Ended ended);
  void tell_of_failure(const std::string& step, const std::string& why);
  ScheduleEnd finish();

  const RunFrame& frame_;
  const StepGraph& graph_;
  Ledger& ledger_;
  OneAtATime observer_;
  const std::vector<StepTrack>& tracks_;

  std::map<std::size_t, BoundStep> bound_;
  std::vector<StepOutcome> outcomes_;
  std::vector<bool> was_done_;
  std::map<std::size_t, StepSummary> summaries_;
  std::map<std::size_t, Error> errors_;
  StepValues values_;
  std::string rejects_path_;
  std::uint64_t memory_bytes_peak_ = 0;
  bool has_begun_ = false;
  bool is_stopping_ = false;

  std::vector<std::size_t> free_tracks_;
  std::map<std::size_t, std::thread> threads_;    // by track
  std::vector<std::unique_ptr<Ledger>> ledgers_;  // of tracks with a thread, for all their steps
  std::mutex mutex_;                              // of what follows
  std::condition_variable changed_;
  std::vector<Ended> ended_;
};

}  // namespace tranche
