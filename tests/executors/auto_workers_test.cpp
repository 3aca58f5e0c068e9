#include "executors/auto_workers.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tranche {
namespace {

constexpr double tick_seconds = 0.05;

// Work as a machine of `cores` would do it: each call computes and waits, and the service it waits
// for takes so many at once.
struct Work {
  double compute_seconds = 0;
  double wait_seconds = 0;
  double service_places = 1e9;
  double cores = 2;
  double lanes_that_find_work = 1;  // a share; pages may be too short for all

  double calls_per_second(unsigned at_once) const {
    const double threads = std::max(1.0, at_once * lanes_that_find_work);
    double rate = threads / (compute_seconds + wait_seconds);
    if (wait_seconds > 0) rate = std::min(rate, service_places / wait_seconds);
    if (compute_seconds > 0) rate = std::min(rate, cores / compute_seconds);
    return rate;
  }
};

// Feeds what the work does for so long; how many were at work at the end.
class Simulation {
 public:
  Simulation(unsigned workers, unsigned cores, unsigned most = 1024)
      : workers_(workers), chooser_(workers, cores, most) {}

  unsigned run(const Work& work, double seconds) {
    for (double at = 0; at < seconds; at += tick_seconds) {
      const unsigned size = chooser_.at_once();
      calls_ += work.calls_per_second(size) * tick_seconds;
      WorkSample sample;
      sample.seconds = tick_seconds;
      sample.calls = static_cast<std::uint64_t>(calls_);
      sample.cpu_seconds = static_cast<double>(sample.calls) * work.compute_seconds;
      sample.at_work = size;
      sample.idle_lanes =
          static_cast<unsigned>((size - workers_) * (1 - work.lanes_that_find_work));
      calls_ -= static_cast<double>(sample.calls);
      chooser_.take(sample);
      largest_ = std::max(largest_, chooser_.at_once());
    }
    return chooser_.chosen();
  }
  unsigned largest() const { return largest_; }
  const AutoWorkers& chooser() const { return chooser_; }

 private:
  unsigned workers_;
  AutoWorkers chooser_;
  double calls_ = 0;
  unsigned largest_ = 0;
};

Work computing(double seconds) {
  Work work;
  work.compute_seconds = seconds;
  return work;
}
Work waiting(double seconds, double places) {
  Work work;
  work.wait_seconds = seconds;
  work.service_places = places;
  return work;
}

bool says(const Simulation& simulation, const char* words) {
  return simulation.chooser().why().find(words) != std::string::npos;
}

TEST(AutoWorkers, AreAsManyAsCoresWhileWorkComputes) {
  for (const double seconds : {1e-7, 20e-6, 5e-3, 0.4}) {
    Simulation simulation(2, 2);
    EXPECT_EQ(simulation.run(computing(seconds), 60), 2U) << seconds;
    EXPECT_EQ(simulation.largest(), 2U) << "nothing is even tried, at " << seconds;
    EXPECT_TRUE(says(simulation, "the work computes, at CPU 100 %")) << simulation.chooser().why();
  }
}

TEST(AutoWorkers, AreNotMoreWhereOthersHaveTheProcessors) {
  AutoWorkers chooser(2, 2, 1024);
  for (int i = 0; i < 1000; ++i) {  // a fifth of the processors is theirs, and they want all
    WorkSample sample;
    sample.seconds = tick_seconds;
    sample.cpu_seconds = 0.4 * tick_seconds;
    sample.worker_seconds = 2 * tick_seconds;
    sample.worker_cpu_seconds = 1.9 * tick_seconds;
    sample.calls = 100;
    sample.at_work = 2;
    EXPECT_EQ(chooser.take(sample), 2U);
  }
  EXPECT_NE(chooser.why().find("the work computes"), std::string::npos) << chooser.why();
}

TEST(AutoWorkers, FindHowManyAServiceTakesAtOnceWithinSeconds) {
  for (const unsigned places : {16U, 64U, 512U}) {
    Simulation simulation(2, 2);
    EXPECT_EQ(simulation.run(waiting(0.02, places), 5), places);
    EXPECT_TRUE(says(simulation, "the work waits")) << simulation.chooser().why();
    EXPECT_EQ(simulation.run(waiting(0.02, places), 300), places) << "and stay there";
  }
}

TEST(AutoWorkers, TakeBackWhatDidNotPay) {
  Simulation simulation(2, 2);
  EXPECT_EQ(simulation.run(waiting(0.02, 2), 10), 2U);
  EXPECT_EQ(simulation.largest(), 4U);
  EXPECT_TRUE(says(simulation, "throughput did not grow with more")) << simulation.chooser().why();
}

TEST(AutoWorkers, TryAgainLaterSinceAServiceMayTakeMoreByThen) {
  Simulation simulation(2, 2);
  simulation.run(waiting(0.02, 16), 10);
  EXPECT_EQ(simulation.run(waiting(0.02, 256), 60), 256U);
}

TEST(AutoWorkers, BecomeFewerWhenTheWorkBeginsToCompute) {
  Simulation simulation(2, 2);
  EXPECT_EQ(simulation.run(waiting(0.02, 256), 10), 256U);
  EXPECT_EQ(simulation.run(computing(0.001), 60), 2U);
  EXPECT_TRUE(says(simulation, "the work computes")) << simulation.chooser().why();
}

TEST(AutoWorkers, BecomeFewerWhenAServiceTakesFewer) {
  Simulation simulation(2, 2);
  EXPECT_EQ(simulation.run(waiting(0.02, 256), 10), 256U);
  EXPECT_LE(simulation.run(waiting(0.02, 16), 60), 32U);
}

TEST(AutoWorkers, ThatAreMoreThanNeededByLuckBecomeFewerAgain) {
  Simulation simulation(2, 2);
  EXPECT_EQ(simulation.run(waiting(0.02, 256), 5), 256U);
  // Half as many calls in half the time: throughput says nothing of it.
  EXPECT_EQ(simulation.run(waiting(0.01, 128), 120), 128U);
}

TEST(AutoWorkers, StayAsManyWhenAServiceIsOnlySlower) {
  Simulation simulation(2, 2);
  EXPECT_EQ(simulation.run(waiting(0.02, 64), 10), 64U);
  EXPECT_EQ(simulation.run(waiting(0.5, 64), 120), 64U);
}

TEST(AutoWorkers, GrowOnlyUntilTheProcessorsAreBusy) {
  Work half;
  half.compute_seconds = 0.001;
  half.wait_seconds = 0.007;
  Simulation simulation(2, 2);
  EXPECT_EQ(simulation.run(half, 60), 16U);  // 8 ms a call, 1 ms of it on one of two cores
}

TEST(AutoWorkers, AreNotMoreForCallsThatAreShorterThanTheWayToAnotherThread) {
  Simulation simulation(2, 2);
  EXPECT_EQ(simulation.run(waiting(30e-6, 1e9), 60), 2U);
}

TEST(AutoWorkers, AreNotMoreThanFindWork) {
  Work short_pages = waiting(0.02, 1e9);
  short_pages.lanes_that_find_work = 0.5;
  Simulation simulation(2, 2);
  EXPECT_LE(simulation.run(short_pages, 60), 4U);
}

TEST(AutoWorkers, AreNeverMoreThanTheMostThatThereMayBe) {
  Simulation simulation(2, 2, 100);
  EXPECT_EQ(simulation.run(waiting(0.02, 1e9), 60), 100U);
  EXPECT_EQ(simulation.largest(), 100U);
}

TEST(AutoWorkers, WaitForSlowCallsBeforeTheyJudge) {
  Simulation simulation(2, 2);
  EXPECT_EQ(simulation.run(waiting(3, 16), 2), 2U) << "no call has come back yet";
  EXPECT_EQ(simulation.run(waiting(3, 16), 120), 16U);
}

TEST(AutoWorkers, LearnNothingFromIdleness) {
  AutoWorkers chooser(2, 2, 1024);
  for (int i = 0; i < 1000; ++i) {
    WorkSample sample;
    sample.seconds = tick_seconds;
    EXPECT_EQ(chooser.take(sample), 2U);
  }
  EXPECT_EQ(chooser.why(), "one for each core");
}

}  // namespace
}  // namespace tranche
