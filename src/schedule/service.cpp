#include "schedule/service.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace tranche {
namespace {

bool is_halting(const ScheduledJob& job, const ScheduleTrouble& trouble) {
  return job.failures_max > 0 && trouble.failures >= job.failures_max;
}

}  // namespace

ScheduleService::ScheduleService(std::vector<ScheduledJob> jobs, std::size_t at_once,
                                 ScheduleWorld& world)
    : at_once_(at_once), world_(world) {
  jobs_.reserve(jobs.size());
  for (ScheduledJob& job : jobs) jobs_.emplace_back(std::move(job));
}

Result<void> ScheduleService::serve() {
  TRANCHE_TRY(begin());
  bool is_stopping = false;
  while (true) {
    for (const WindowEnd& end : world_.take_ends()) TRANCHE_TRY(settle(end));
    if (world_.is_stop_wanted() && !is_stopping) {
      is_stopping = true;
      world_.stop_runs();
    }
    if (is_stopping && running_count() == 0) return {};
    if (!is_stopping) {
      TRANCHE_TRY(look_again());
      TRANCHE_TRY(start_what_is_due());
    }
    world_.wait_until(is_stopping ? INT64_MAX : next_moment(world_.now_microseconds()));
  }
}

// Takes up what an earlier service has met.
Result<void> ScheduleService::begin() {
  for (std::size_t number = 0; number < jobs_.size(); ++number) {
    Job& job = jobs_[number];
    TRANCHE_ASSIGN(job.trouble, world_.trouble(number));
    if (!job.trouble) continue;
    job.put_off_at = job.trouble->failed_microseconds;
    job.put_off_until = job.put_off_at + job.job.retry_delay;
    job.is_halted = is_halting(job.job, *job.trouble) && job.trouble->job_digest == job.job.digest;
    if (job.is_halted)
      world_.say(number, fmt::format("is halted: window {} has failed {} times in a row",
                                     job.job.agenda.timetable().name_of(job.trouble->window),
                                     job.trouble->failures));
  }
  return {};
}

Result<void> ScheduleService::settle(const WindowEnd& end) {
  Job& job = jobs_[end.job];
  const TimeWindow window = *std::exchange(job.running, std::nullopt);
  switch (end.how) {
    case WindowEnd::How::stopped:
      put_off(job, job.job.retry_delay);
      return {};
    case WindowEnd::How::busy:
      put_off(job, busy_delay);
      return {};
    case WindowEnd::How::failed:
    case WindowEnd::How::done:
      break;
  }
  // The ledger says whether it is done: a stop may have met its process behind the run's end.
  TRANCHE_ASSIGN(const CoveredTime done, world_.done(end.job));
  if (!done.covers(window)) {
    WindowEnd failed = end;
    if (end.how == WindowEnd::How::done)
      failed.error = "The run has ended well, but the ledger knows nothing of it.";
    return settle_failure(end.job, failed, window);
  }
  world_.on_done(end);
  if (job.trouble) TRANCHE_TRY(world_.forget_trouble(end.job));
  job.trouble.reset();
  job.put_off_until = 0;
  return {};
}

Result<void> ScheduleService::settle_failure(std::size_t number, const WindowEnd& end,
                                             const TimeWindow& window) {
  Job& job = jobs_[number];
  ScheduleTrouble trouble = job.trouble.value_or(ScheduleTrouble{});
  trouble.window = window;
  ++trouble.failures;
  trouble.failed_microseconds = world_.now_microseconds();
  trouble.error = end.error;
  trouble.job_digest = job.job.digest;
  TRANCHE_TRY(world_.record_trouble(number, trouble));
  job.is_halted = is_halting(job.job, trouble);
  put_off(job, job.job.retry_delay);
  world_.on_failure(number, end, trouble, job.is_halted);
  job.trouble = std::move(trouble);
  return {};
}

// Job files that were changed, and trouble that somebody else has mended.
Result<void> ScheduleService::look_again() {
  for (std::size_t number = 0; number < jobs_.size(); ++number) {
    Job& job = jobs_[number];
    if (job.running) continue;
    if (auto changed = world_.changed(number)) {
      job.job = *std::move(changed);
      world_.say(number, "was changed; its job file was read again");
      if (job.trouble) {
        TRANCHE_TRY(world_.forget_trouble(number));
        job.trouble.reset();
      }
      job.is_halted = false;
      job.put_off_until = 0;
      job.idle_until = 0;
    }
    if (!job.trouble) continue;
    TRANCHE_ASSIGN(const CoveredTime done, world_.done(number));
    if (!done.covers(job.trouble->window)) continue;
    TRANCHE_TRY(world_.forget_trouble(number));
    job.trouble.reset();
    job.put_off_until = 0;
    if (std::exchange(job.is_halted, false))
      world_.say(number, "goes on: the window that it was halted at is done");
  }
  return {};
}

Result<std::optional<TimeWindow>> ScheduleService::next_of(std::size_t number, std::int64_t now) {
  Job& job = jobs_[number];
  // A clock that was put back behind the failure does not make it wait for longer.
  const bool is_put_off = now >= job.put_off_at && now < job.put_off_until;
  if (job.running || job.is_halted || is_put_off) return std::optional<TimeWindow>();
  if (now >= job.idle_at && now < job.idle_until) return std::optional<TimeWindow>();
  TRANCHE_ASSIGN(const CoveredTime done, world_.done(number));
  const auto window = job.job.agenda.next(done, now);
  if (!window) {
    job.idle_at = now;
    job.idle_until = job.job.agenda.next_due(now);
  }
  return window;
}

// Of several jobs the one whose window has waited for the longest comes first.
Result<void> ScheduleService::start_what_is_due() {
  const std::int64_t now = world_.now_microseconds();
  struct Due {
    std::int64_t at = 0;
    std::size_t job = 0;
    TimeWindow window;
  };
  std::vector<Due> due;
  for (std::size_t number = 0; number < jobs_.size(); ++number) {
    TRANCHE_ASSIGN(const auto window, next_of(number, now));
    if (!window) continue;
    due.push_back({jobs_[number].job.agenda.timetable().due_at(*window), number, *window});
  }
  std::stable_sort(due.begin(), due.end(), [](const Due& a, const Due& b) { return a.at < b.at; });
  for (const Due& one : due) {
    if (running_count() >= at_once_) return {};
    const auto started = world_.start(one.job, one.window);
    if (started) {
      jobs_[one.job].running = one.window;
    } else {
      WindowEnd end;
      end.job = one.job;
      end.window = one.window;
      end.how = WindowEnd::How::failed;
      end.error = started.error().message;
      TRANCHE_TRY(settle_failure(one.job, end, one.window));
    }
  }
  return {};
}

void ScheduleService::put_off(Job& job, std::int64_t delay) {
  job.put_off_at = world_.now_microseconds();
  job.put_off_until = job.put_off_at + delay;
}

// One that is neither put off nor idle waits for the end of another one's run.
std::int64_t ScheduleService::next_moment(std::int64_t now) const {
  std::int64_t moment = INT64_MAX;
  for (const Job& job : jobs_) {
    if (job.running || job.is_halted) continue;
    if (now < job.put_off_until)
      moment = std::min(moment, job.put_off_until);
    else if (now < job.idle_until)
      moment = std::min(moment, job.idle_until);
  }
  return moment;
}

std::size_t ScheduleService::running_count() const {
  return static_cast<std::size_t>(std::count_if(
      jobs_.begin(), jobs_.end(), [](const Job& job) { return job.running.has_value(); }));
}

}  // namespace tranche
