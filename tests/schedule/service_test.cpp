// The service under a simulated clock: years of schedules pass in a moment, with the state machine
// that `tranche schedule` runs. Jobs, the ledger and time are simulated.
#include "schedule/service.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <tranche/core/value.h>

namespace tranche {
namespace {

constexpr std::int64_t minute = 60'000'000;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;

std::int64_t at(std::string_view text) {
  std::int64_t microseconds = 0;
  EXPECT_EQ(parse_timestamptz(text, microseconds), ParseStatus::ok) << text;
  return microseconds;
}

ScheduleSpec every(const char* period, const char* zone = "", const char* time = nullptr) {
  ScheduleSpec spec;
  spec.every = period;
  spec.timezone = zone;
  spec.from = "2026-01-01";
  if (time != nullptr)
    spec.at = std::chrono::minutes(std::stoi(std::string(time, 2)) * 60 + std::stoi(time + 3));
  return spec;
}
ScheduleSpec cron(const char* expression, const char* zone) {
  ScheduleSpec spec = every("", zone);
  spec.cron = expression;
  return spec;
}

// A job as the ledger and the machine know it.
struct SimulatedJob {
  explicit SimulatedJob(ScheduledJob job) : scheduled(std::move(job)) {}
  ScheduledJob scheduled;
  std::vector<TimeWindow> completed;  // in the order in which they were
  std::vector<TimeWindow> done;       // completed, or by hand; those in a row are one
  std::optional<ScheduleTrouble> trouble;
  std::optional<TimeWindow> running;
  std::int64_t ends_at = 0;
  WindowEnd end;
  std::vector<std::string> told;
  std::optional<ScheduledJob> changed;
  std::size_t failures = 0;
};

class SimulatedWorld final : public ScheduleWorld {
 public:
  explicit SimulatedWorld(std::int64_t now) : now_(now) {}

  void add(const ScheduleSpec& spec) {
    SimulatedJob job({"job" + std::to_string(jobs.size()),
                      Agenda(*Timetable::make(spec), spec.catch_up), spec.failures_max,
                      spec.retry_delay.count() * 1000, "d1"});
    jobs.push_back(std::move(job));
  }
  // A new service on the same ledger, until `until`.
  void serve(std::int64_t until, std::size_t at_once = 4) {
    until_ = until;
    std::vector<ScheduledJob> scheduled;
    for (const SimulatedJob& job : jobs) scheduled.push_back(job.scheduled);
    const auto served = ScheduleService(std::move(scheduled), at_once, *this).serve();
    EXPECT_TRUE(served);
  }
  // The service and its runs are killed: nothing that was not completed is known.
  void kill_runs() {
    for (SimulatedJob& job : jobs) job.running.reset();
  }
  void set_clock(std::int64_t now) { now_ = now; }

  std::int64_t now_microseconds() override { return now_; }
  void wait_until(std::int64_t moment) override {
    for (const SimulatedJob& job : jobs)
      if (job.running) moment = std::min(moment, job.ends_at);
    ASSERT_GT(moment, now_) << "the service turns round without waiting";
    now_ = std::min(moment, std::max(until_, now_ + 1));
    if (on_time) on_time(now_);
  }
  bool is_stop_wanted() override { return now_ >= until_; }
  Result<CoveredTime> done(std::size_t job) override { return CoveredTime(jobs[job].done); }
  Result<std::optional<ScheduleTrouble>> trouble(std::size_t job) override {
    return jobs[job].trouble;
  }
  Result<void> record_trouble(std::size_t job, const ScheduleTrouble& trouble) override {
    jobs[job].trouble = trouble;
    return {};
  }
  Result<void> forget_trouble(std::size_t job) override {
    jobs[job].trouble.reset();
    return {};
  }
  std::optional<ScheduledJob> changed(std::size_t job) override {
    return std::exchange(jobs[job].changed, std::nullopt);
  }
  Result<void> start(std::size_t number, const TimeWindow& window) override {
    SimulatedJob& job = jobs[number];
    EXPECT_FALSE(job.running) << "two runs at once";
    EXPECT_LE(job.scheduled.agenda.timetable().due_at(window), now_) << "before its time";
    job.running = window;
    job.end = WindowEnd{};
    job.end.job = number;
    job.ends_at = now_ + 1;
    plan_run(number, job);
    running_max = std::max(running_max, running());
    return {};
  }
  std::vector<WindowEnd> take_ends() override {
    std::vector<WindowEnd> ends;
    for (SimulatedJob& job : jobs) {
      if (!job.running || job.ends_at > now_) continue;
      if (job.end.how == WindowEnd::How::done) {
        job.completed.push_back(*job.running);
        if (!job.done.empty() && job.done.back().end == job.running->begin)
          job.done.back().end = job.running->end;
        else
          job.done.push_back(*job.running);
      }
      job.running.reset();
      ends.push_back(job.end);
    }
    return ends;
  }
  void stop_runs() override {
    for (SimulatedJob& job : jobs) {
      if (!job.running) continue;
      job.end.how = WindowEnd::How::stopped;
      job.ends_at = now_ + 1;
    }
  }
  void on_failure(std::size_t job, const WindowEnd& end, const ScheduleTrouble& trouble,
                  bool is_halted) override {
    ++jobs[job].failures;
    jobs[job].told.push_back((is_halted ? "halted: " : "failed: ") + end.error + " " +
                             std::to_string(trouble.failures));
  }
  void on_done(const WindowEnd&) override {}
  void say(std::size_t job, const std::string& sentence) override {
    jobs[job].told.push_back(sentence);
  }

  // Says how long a run takes and how it ends.
  std::function<void(std::size_t, SimulatedJob&)> plan_run = [](std::size_t, SimulatedJob&) {};
  std::function<void(std::int64_t)> on_time;
  std::vector<SimulatedJob> jobs;
  std::size_t running_max = 0;

 private:
  std::size_t running() const {
    return static_cast<std::size_t>(std::count_if(
        jobs.begin(), jobs.end(), [](const SimulatedJob& job) { return job.running.has_value(); }));
  }
  std::int64_t now_;
  std::int64_t until_ = 0;
};

void fail(SimulatedJob& job, const char* error) {
  job.end.how = WindowEnd::How::failed;
  job.end.error = error;
}

// Each window exactly once, in order, none missing.
void expect_whole(const SimulatedJob& job, std::int64_t until) {
  const Timetable& table = job.scheduled.agenda.timetable();
  const auto latest = table.latest_due(until);
  ASSERT_TRUE(latest);
  TimeWindow expected = table.first();
  for (const TimeWindow& window : job.completed) {
    ASSERT_EQ(window, expected) << job.scheduled.name << " " << table.name_of(window) << " after "
                                << table.name_of(table.before(expected));
    expected = table.behind(expected);
  }
  EXPECT_EQ(table.name_of(table.before(expected)), table.name_of(*latest)) << job.scheduled.name;
}

std::vector<std::string> completed(const SimulatedJob& job) {
  std::vector<std::string> names;
  for (const TimeWindow& window : job.completed)
    names.push_back(job.scheduled.agenda.timetable().name_of(window));
  return names;
}

TEST(ScheduleYear, EachWindowIsRunOnceAndInOrderWhateverHappens) {
  constexpr std::uint32_t seeds = 3;
  for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 draw(seed);
    const auto chance = [&](int in) { return draw() % static_cast<unsigned>(in) == 0; };
    const auto up_to = [&](std::int64_t most) {
      return static_cast<std::int64_t>(draw() % static_cast<std::uint64_t>(most)) + 1;
    };
    SimulatedWorld world(at("2026-01-01T00:00:00Z"));
    for (const char* zone :
         {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"}) {
      world.add(every("1 day", zone, "02:30"));
      world.add(every("1 hour", zone));
      world.add(every("1 month", zone, "01:45"));
      world.add(cron("30 2 * * 1-5", zone));
      world.add(cron("*/30 * * * *", zone));
    }
    for (SimulatedJob& job : world.jobs) job.scheduled.failures_max = 0;
    world.plan_run = [&](std::size_t, SimulatedJob& job) {
      job.ends_at = world.now_microseconds() + up_to(chance(50) ? 5 * hour : 4 * minute);
      if (chance(30)) fail(job, "no disk");
      if (chance(100)) job.end.how = WindowEnd::How::busy;
      if (chance(200)) job.end.how = WindowEnd::How::stopped;
    };
    // The machine goes down and comes up again: in good order, or not.
    const std::int64_t end_of_year = at("2027-01-01T12:00:00Z");
    while (world.now_microseconds() < end_of_year) {
      world.serve(std::min(end_of_year, world.now_microseconds() + up_to(30 * day)), 20);
      if (chance(2)) world.kill_runs();
      if (chance(2)) world.set_clock(world.now_microseconds() + up_to(3 * day));
      if (chance(4)) world.set_clock(world.now_microseconds() - up_to(6 * hour));
    }
    // A calm day, to catch up with what is left.
    world.plan_run = [](std::size_t, SimulatedJob&) {};
    const std::int64_t end = world.now_microseconds() / hour * hour + day + 17 * minute;
    world.serve(end, 20);
    std::size_t failures = 0;
    for (const SimulatedJob& job : world.jobs) {
      expect_whole(job, end - minute);
      failures += job.failures;
    }
    EXPECT_GT(failures, 1000U) << "the year was too quiet to show anything";
  }
}

TEST(ScheduleService, RunsHoursOfADayThatHas23And25) {
  SimulatedWorld world(at("2026-03-28T23:00:00Z"));
  ScheduleSpec spec = every("1 hour", "Europe/Berlin");
  spec.from = "2026-03-29";
  world.add(spec);
  world.serve(at("2026-03-29T22:30:00Z"));
  EXPECT_EQ(world.jobs[0].completed.size(), 23U);
  SimulatedWorld autumn(at("2026-10-24T22:00:00Z"));
  spec.from = "2026-10-25";
  autumn.add(spec);
  autumn.serve(at("2026-10-25T23:30:00Z"));
  EXPECT_EQ(autumn.jobs[0].completed.size(), 25U);
}

TEST(ScheduleService, HoldsBackWhatIsBehindAFailedWindowAndTriesItAgain) {
  SimulatedWorld world(at("2026-01-02T00:00:00Z"));
  ScheduleSpec spec = every("1 day", "", "02:00");
  spec.failures_max = 0;
  spec.retry_delay = std::chrono::hours(20);
  world.add(spec);
  std::size_t tries = 0;
  std::vector<std::int64_t> tried_at;
  world.plan_run = [&](std::size_t, SimulatedJob& job) {
    tried_at.push_back(world.now_microseconds());
    if (++tries <= 3) fail(job, "no disk");
  };
  world.serve(at("2026-01-05T00:00:00Z"));
  EXPECT_EQ(completed(world.jobs[0]),
            (std::vector<std::string>{"2026-01-01", "2026-01-02", "2026-01-03"}));
  ASSERT_GE(tried_at.size(), 4U);
  EXPECT_EQ(tried_at[0], at("2026-01-02T02:00:00Z"));
  EXPECT_EQ(tried_at[1], at("2026-01-02T22:00:00Z") + 1);
  EXPECT_EQ(tried_at[3], at("2026-01-04T14:00:00Z") + 3);
  EXPECT_FALSE(world.jobs[0].trouble);
}

TEST(ScheduleService, HaltsAJobThatKeepsFailingAndGoesOnWithTheOthers) {
  SimulatedWorld world(at("2026-01-02T00:00:00Z"));
  world.add(every("1 day"));
  world.add(every("1 day"));
  world.plan_run = [&](std::size_t number, SimulatedJob& job) {
    if (number == 0) fail(job, "no disk");
  };
  world.serve(at("2026-01-05T00:30:00Z"));
  SimulatedJob& halted = world.jobs[0];
  EXPECT_EQ(halted.told, (std::vector<std::string>{"failed: no disk 1", "failed: no disk 2",
                                                   "halted: no disk 3"}));
  EXPECT_EQ(world.jobs[1].completed.size(), 4U);

  halted.told.clear();  // a restart is no mend
  world.serve(at("2026-01-06T00:30:00Z"));
  EXPECT_EQ(halted.told,
            (std::vector<std::string>{"is halted: window 2026-01-01 has failed 3 times in a row"}));
  EXPECT_EQ(halted.completed.size(), 0U);

  world.plan_run = [](std::size_t, SimulatedJob&) {};
  world.on_time = [&](std::int64_t now) {  // somebody runs the window by hand
    if (now > at("2026-01-06T12:00:00Z") && halted.done.empty())
      halted.done.push_back(halted.trouble->window);
  };
  world.serve(at("2026-01-08T00:30:00Z"));
  EXPECT_EQ(completed(halted),
            (std::vector<std::string>{"2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05",
                                      "2026-01-06", "2026-01-07"}));
}

TEST(ScheduleService, TriesAHaltedJobAgainWhenItsFileIsChanged) {
  SimulatedWorld world(at("2026-01-02T00:00:00Z"));
  world.add(every("1 day"));
  world.plan_run = [](std::size_t, SimulatedJob& job) { fail(job, "wrong SQL"); };
  world.serve(at("2026-01-02T12:00:00Z"));
  EXPECT_EQ(world.jobs[0].failures, 3U);
  world.plan_run = [](std::size_t, SimulatedJob&) {};
  world.jobs[0].changed = world.jobs[0].scheduled;
  world.serve(at("2026-01-03T12:00:00Z"));
  EXPECT_EQ(world.jobs[0].completed.size(), 2U);
}

TEST(ScheduleService, CatchesUpAsItIsTold) {
  const auto after_ten_days = [](std::optional<std::uint64_t> catch_up) {
    SimulatedWorld world(at("2026-01-11T12:00:00Z"));
    ScheduleSpec spec = every("1 day");
    spec.catch_up = catch_up;
    world.add(spec);
    world.serve(at("2026-01-12T12:00:00Z"));
    return completed(world.jobs[0]);
  };
  EXPECT_EQ(after_ten_days(std::nullopt).size(), 11U);
  EXPECT_EQ(after_ten_days(1), (std::vector<std::string>{"2026-01-10", "2026-01-11"}));
  EXPECT_EQ(after_ten_days(3),
            (std::vector<std::string>{"2026-01-08", "2026-01-09", "2026-01-10", "2026-01-11"}));
}

TEST(ScheduleService, RunsNothingTwiceWhenTheClockIsPutBack) {
  SimulatedWorld world(at("2026-01-02T00:00:00Z"));
  world.add(every("1 hour"));
  world.serve(at("2026-01-10T00:30:00Z"));
  const auto before = world.jobs[0].completed;
  world.set_clock(at("2026-01-05T00:00:00Z"));
  world.serve(at("2026-01-10T00:45:00Z"));
  EXPECT_EQ(world.jobs[0].completed, before);
  world.serve(at("2026-01-10T01:15:00Z"));
  EXPECT_EQ(world.jobs[0].completed.size(), before.size() + 1);
}

TEST(ScheduleService, RunsNoMoreAtOnceThanItMay) {
  SimulatedWorld world(at("2026-01-08T00:00:00Z"));
  for (int i = 0; i < 5; ++i) world.add(every("1 day"));
  world.plan_run = [&](std::size_t, SimulatedJob& job) {
    job.ends_at = world.now_microseconds() + hour;
  };
  world.serve(at("2026-01-10T00:00:00Z"), 2);
  EXPECT_EQ(world.running_max, 2U);
  for (const SimulatedJob& job : world.jobs) EXPECT_EQ(job.completed.size(), 8U);
}

TEST(ScheduleService, EndsItsRunsWhenItIsStoppedAndGoesOnWithThemLater) {
  SimulatedWorld world(at("2026-01-02T00:00:00Z"));
  world.add(every("1 day"));
  world.plan_run = [&](std::size_t, SimulatedJob& job) {
    job.ends_at = world.now_microseconds() + 3 * day;
  };
  world.serve(at("2026-01-02T06:00:00Z"));
  EXPECT_TRUE(world.jobs[0].completed.empty());
  EXPECT_FALSE(world.jobs[0].running) << "it waits for its runs";
  world.plan_run = [](std::size_t, SimulatedJob&) {};
  world.serve(at("2026-01-02T12:00:00Z"));
  EXPECT_EQ(world.jobs[0].completed.size(), 1U);
  EXPECT_EQ(world.jobs[0].failures, 0U) << "a stop is no failure";
}

TEST(ScheduleService, TakesHoursForDoneThatADayOfAnEarlierScheduleCovers) {
  SimulatedWorld world(at("2026-01-03T00:00:00Z"));
  world.add(every("1 hour"));
  world.jobs[0].done.push_back({at("2026-01-01T00:00:00Z"), at("2026-01-03T00:00:00Z")});
  world.serve(at("2026-01-03T01:30:00Z"));
  EXPECT_EQ(completed(world.jobs[0]), (std::vector<std::string>{"2026-01-03T00:00+00:00"}));
}

}  // namespace
}  // namespace tranche
