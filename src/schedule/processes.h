// The world of a schedule as it is: the system's clock, the ledgers of the jobs' state folders, and
// a process of its own for each run, so that a crash in one costs nothing.
//
// A run is `tranche run FILE --window W` in effect. It dies with this process, and is gone on with
// by the next one. What it says is passed on when it fails.
//
// Threads: the one that made it, which must be the process's only one: its signals are taken while
// it lives. SIGINT and SIGTERM ask for a stop; a second one ends the runs at once.
// Errors: config, when a job can't be scheduled; busy, when another process schedules one.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tranche/api/job.h>

#include "base/file.h"
#include "schedule/service.h"

namespace tranche {

struct ScheduleFile {
  fs::path file;   // of the job
  fs::path state;  // its state folder
};

// How the outside is reached: room by room, only the command knows both sides.
struct ScheduleEdges {
  std::string program;  // that runs a job: `program run FILE --window W --state S --json`
  std::function<Result<JobSpec>(const fs::path& file)> load;
  std::function<void(const std::string& line)> tell;  // a line for people
  // Behind each end of a run, and now and then.
  std::function<void()> on_change = [] {};
  std::vector<std::string> arguments = {};  // of each run, besides
};

class ScheduleProcesses final : public ScheduleWorld {
 public:
  // exclusive: nobody else schedules these jobs while it lives.
  enum class Jobs { exclusive, shared };
  static Result<std::unique_ptr<ScheduleProcesses>> create(std::span<const ScheduleFile> files,
                                                           ScheduleEdges edges,
                                                           Jobs jobs = Jobs::exclusive);
  ~ScheduleProcesses() override;

  // The jobs as their files are now.
  const std::vector<ScheduledJob>& jobs() const { return scheduled_; }

  std::int64_t now_microseconds() override;
  void wait_until(std::int64_t microseconds) override;
  bool is_stop_wanted() override { return stops_ > 0; }
  Result<CoveredTime> done(std::size_t job) override;
  Result<std::optional<ScheduleTrouble>> trouble(std::size_t job) override;
  Result<void> record_trouble(std::size_t job, const ScheduleTrouble& trouble) override;
  Result<void> forget_trouble(std::size_t job) override;
  std::optional<ScheduledJob> changed(std::size_t job) override;
  Result<void> start(std::size_t job, const TimeWindow& window) override;
  std::vector<WindowEnd> take_ends() override;
  void stop_runs() override;
  void on_failure(std::size_t job, const WindowEnd& end, const ScheduleTrouble& trouble,
                  bool is_halted) override;
  void on_done(const WindowEnd& end) override;
  void say(std::size_t job, const std::string& sentence) override;

 private:
  struct Job;
  struct Process;
  explicit ScheduleProcesses(ScheduleEdges edges);
  Result<ScheduledJob> load(Job& job);
  void tell_lines(Process& process) const;
  void listen_to(Process& process);
  void end_messengers();

  ScheduleEdges edges_;
  std::vector<Job> jobs_;
  std::vector<ScheduledJob> scheduled_;
  std::vector<std::unique_ptr<Process>> runs_;
  std::vector<std::unique_ptr<Process>> messengers_;  // programs that tell of failures
  class Signals;
  std::unique_ptr<Signals> signals_;
  int stops_ = 0;
};

}  // namespace tranche
