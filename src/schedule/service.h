// Runs jobs at their times, for as long as it is let: the state machine of `tranche schedule`.
//
// Each job's windows are run one after the other, the oldest first, and each once; jobs go on
// beside each other. What is done is asked of the ledger before each start, so that nothing is
// forgotten by a restart, run twice when the clock is put back, or run again when a person has run
// it.
//   - A window that fails is tried again after `retry_delay`; those behind it wait, since they may
//     build on it. After `failures_max` failures in a row the job is halted, until its job file is
//     changed or somebody has run the window. The other jobs go on.
//   - A run that was stopped by a person is gone on with after `retry_delay`; where something else
//     holds what a run needs, it is tried again after `busy_delay`. Neither is a failure.
//
// Threads: one. All that is not a decision is behind the port, so that a year can be simulated.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ledger/ledger.h"
#include "schedule/agenda.h"

namespace tranche {

struct ScheduledJob {
  std::string name;
  Agenda agenda;
  std::uint32_t failures_max = 3;  // 0: no limit
  std::int64_t retry_delay = 0;    // microseconds
  std::string digest;              // of its job file
};

// How a run for a window ended.
struct WindowEnd {
  enum class How { done, failed, stopped, busy };
  std::size_t job = 0;
  TimeWindow window;
  std::string name;  // of the window
  How how = How::done;
  std::string run;  // empty: none was begun
  std::string error;
  std::string figures;  // for people: "1,000 rows in 2.3 s"
};

// What a service needs of the world. Jobs are known by their places in the list that it was given.
class ScheduleWorld {
 public:
  virtual ~ScheduleWorld() = default;
  virtual std::int64_t now_microseconds() = 0;
  // Waits until `microseconds`, or until a run has ended, a stop is wanted, or it likes to.
  virtual void wait_until(std::int64_t microseconds) = 0;
  virtual bool is_stop_wanted() = 0;

  virtual Result<CoveredTime> done(std::size_t job) = 0;
  virtual Result<std::optional<ScheduleTrouble>> trouble(std::size_t job) = 0;
  virtual Result<void> record_trouble(std::size_t job, const ScheduleTrouble& trouble) = 0;
  virtual Result<void> forget_trouble(std::size_t job) = 0;
  // The job as its file is now; nullopt: it is as it was.
  virtual std::optional<ScheduledJob> changed(std::size_t job) = 0;

  virtual Result<void> start(std::size_t job, const TimeWindow& window) = 0;
  virtual std::vector<WindowEnd> take_ends() = 0;
  // Has all runs end at their next group boundary.
  virtual void stop_runs() = 0;

  // For people. `trouble` is as it is recorded; is_halted: no more tries.
  virtual void on_failure(std::size_t job, const WindowEnd& end, const ScheduleTrouble& trouble,
                          bool is_halted) = 0;
  virtual void on_done(const WindowEnd& end) = 0;
  virtual void say(std::size_t job, const std::string& sentence) = 0;
};

class ScheduleService {
 public:
  static constexpr std::int64_t busy_delay = 30'000'000;

  ScheduleService(std::vector<ScheduledJob> jobs, std::size_t at_once, ScheduleWorld& world);

  // Until a stop is wanted and no run goes on any more. Errors: those of the ledger.
  Result<void> serve();

 private:
  struct Job {
    explicit Job(ScheduledJob scheduled) : job(std::move(scheduled)) {}
    ScheduledJob job;
    std::optional<TimeWindow> running;
    std::optional<ScheduleTrouble> trouble;
    bool is_halted = false;
    std::int64_t put_off_at = 0;  // when it was put off, and until when
    std::int64_t put_off_until = 0;
    std::int64_t idle_at = 0;  // when nothing was left to do, and until when that is so
    std::int64_t idle_until = 0;
  };

  Result<void> begin();
  Result<void> settle(const WindowEnd& end);
  Result<void> settle_failure(std::size_t number, const WindowEnd& end, const TimeWindow& window);
  Result<void> look_again();
  Result<void> start_what_is_due();
  Result<std::optional<TimeWindow>> next_of(std::size_t number, std::int64_t now);
  void put_off(Job& job, std::int64_t delay);
  std::int64_t next_moment(std::int64_t now) const;
  std::size_t running_count() const;

  std::vector<Job> jobs_;
  std::size_t at_once_;
  ScheduleWorld& world_;
};

}  // namespace tranche
