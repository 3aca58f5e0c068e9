// Records that kill their worker: each costs itself, and nobody else.
#include <algorithm>
#include <iterator>

#include <gtest/gtest.h>

#include "simulation.h"

namespace tranche::simulation {
namespace {

using State = engine::StepEnd::State;
using Records = std::vector<std::uint64_t>;

std::string why(const engine::StepEnd& end) { return end.error ? end.error->message : ""; }

Records culprits_of(const World& world) {
  Records records;
  for (const auto& culprit : world.ledger.culprits) records.push_back(culprit.record);
  std::sort(records.begin(), records.end());
  return records;
}

Records sorted(const std::set<std::uint64_t>& records) { return {records.begin(), records.end()}; }

// Starts an engine after the other, as a supervisor does, until one ends in good order.
// `fault` counts the steps of all of them.
engine::StepEnd supervise(World& world, const Job& job, Fault& fault) {
  for (int starts = 1;; ++starts) {
    auto end = run_engine(world, job, fault);
    if (!fault.dead || starts == 100) return end;
    fault.dead = false;
  }
}

engine::StepEnd supervise(World& world, const Job& job) {
  Fault none;
  return supervise(world, job, none);
}

// Everything came through but those who were found guilty, and who kill.
void expect_whole(const World& world, const Job& job, const std::string& what) {
  EXPECT_EQ(world.sealed, expected_rows(job)) << what;
  EXPECT_EQ(world.ledger.seal, SealState::sealed) << what;
  EXPECT_EQ(culprits_of(world), sorted(job.killers.always)) << what;
  Records out;
  for (std::uint64_t r = 0; r < job.records; ++r) {
    const bool is_bad = job.bad_every != 0 && r % job.bad_every == 0;
    if (is_bad || job.killers.always.contains(r)) out.push_back(r);
  }
  EXPECT_EQ(published_rejects(world), out) << what;
}

// Ways to work, each with records that kill.
std::vector<Job> kinds_of_jobs() {
  std::vector<Job> jobs(6);
  for (Job& job : jobs) {
    job.records = 300;
    job.killers.always = {0, 24, 25, 100, 101, 299};  // at the edges of chunks and batches, too
  }
  jobs[1].killers.are_named = false;
  jobs[2].killers.are_named = false;
  jobs[2].whole_batches = true;
  jobs[2].bad_every = 7;
  jobs[2].killers.always = {100, 101, 299};
  jobs[3].merges = true;
  jobs[3].batches_a_group = 3;
  jobs[3].target_records_commits = false;
  jobs[4].killers.share_process = true;
  jobs[5].killers.share_process = true;
  jobs[5].killers.are_named = false;
  jobs[5].batches_a_group = 2;
  return jobs;
}

TEST(Isolation, ARecordThatKillsItsWorkerCostsThatRecordAlone) {
  for (auto job : kinds_of_jobs()) {
    for (job.seed = 1; job.seed <= 30; ++job.seed) {
      World world;
      const auto end = supervise(world, job);
      ASSERT_EQ(end.state, State::completed) << why(end);
      expect_whole(world, job, "seed " + std::to_string(job.seed));
    }
  }
}

TEST(Isolation, TheRejectOfACulpritSaysWhatKilledItAndHowOftenItWasTried) {
  Job job;
  job.killers.always = {42, 43};
  World world;
  ASSERT_EQ(supervise(world, job).state, State::completed);
  const auto rejects = published(world);
  ASSERT_EQ(rejects.size(), 2U);
  for (const Reject& reject : rejects) {
    EXPECT_EQ(reject.error,
              "Its worker was killed by signal 11 (SIGSEGV); tried alone it did so "
              "again.");
    EXPECT_EQ(reject.phase, "logic");
    EXPECT_EQ(reject.signal, 11);
    EXPECT_EQ(reject.attempts, 2U);
  }
  const auto warnings = std::count_if(
      world.listener.events.begin(), world.listener.events.end(), [](const Event& event) {
        return event.kind == Event::Kind::warning &&
               event.message.find("is quarantined") != std::string::npos;
      });
  EXPECT_EQ(warnings, 2);
}

TEST(Isolation, ACulpritThatNobodyHadInHandDiedWhenItWasRead) {
  Job job;
  job.killers.always = {42};
  job.killers.are_named = false;
  World world;
  ASSERT_EQ(supervise(world, job).state, State::completed);
  EXPECT_EQ(published(world).at(0).phase, "read");
}

TEST(Isolation, CountsTheTrialsOfEachOfSeveralSuspectsByItself) {
  Job job;
  job.killers.always = {10, 20};
  World world;
  world.trials = {{10, 4}};  // by engines that died
  ASSERT_EQ(supervise(world, job).state, State::completed);
  const auto rejects = published(world);
  ASSERT_EQ(rejects.size(), 2U);
  EXPECT_EQ(rejects[0].attempts, 6U);
  EXPECT_EQ(rejects[1].attempts, 2U);

  World shared;  // both were in hand when the engine died
  job.killers.share_process = true;
  shared.trials = {{10, 4}};
  Fault plans_only{.at = 2};
  run_engine(shared, job, plans_only);
  for (const std::uint64_t record : {10, 20}) {
    Death death;
    death.how = "was killed by signal 11 (SIGSEGV)";
    death.task = {0, 25};
    death.in_hand = RecordRange{record, record + 1};
    shared.suspects.push_back({0, death});
  }
  ASSERT_EQ(supervise(shared, job).state, State::completed);
  ASSERT_EQ(published(shared).size(), 2U);
  EXPECT_EQ(published(shared)[0].attempts, 6U);
  EXPECT_EQ(published(shared)[1].attempts, 2U);
}

TEST(Isolation, InnocentRecordsAreNeverQuarantinedHoweverOftenWorkersAreKilledFromOutside) {
  for (auto job : kinds_of_jobs()) {
    job.killers.outside_percent = 30;
    for (job.seed = 1; job.seed <= 30; ++job.seed) {
      World world;
      const auto end = supervise(world, job);
      ASSERT_EQ(end.state, State::completed) << why(end);
      expect_whole(world, job, "seed " + std::to_string(job.seed));
    }
  }
}

TEST(Isolation, AWorkerThatIsKilledAgainAndAgainFailsTheStepAndNobodyIsQuarantined) {
  Job job;
  job.killers.outside_percent = 100;
  World world;
  const auto end = supervise(world, job);
  ASSERT_EQ(end.state, State::failed);
  EXPECT_NE(why(end).find("from outside"), std::string::npos) << why(end);
  EXPECT_TRUE(world.ledger.culprits.empty());
  EXPECT_TRUE(world.trials.empty());
}

TEST(Isolation, ARecordThatKillsOnceAndNeverAgainIsInnocent) {
  for (const bool are_named : {true, false}) {
    for (const bool share_process : {true, false}) {
      Job job;
      job.killers.once = {3, 200, 201, 777};
      job.killers.are_named = are_named;
      job.killers.share_process = share_process;
      for (job.seed = 1; job.seed <= 10; ++job.seed) {
        World world;
        const auto end = supervise(world, job);
        ASSERT_EQ(end.state, State::completed) << why(end);
        expect_whole(world, job, "once");
      }
    }
  }
}

TEST(Isolation, CulpritsAreFoundAgainWhereverTheEngineDies) {
  for (auto job : kinds_of_jobs()) {
    job.records = 150;
    std::erase_if(job.killers.always, [](std::uint64_t record) { return record >= 150; });
    for (const bool after : {false, true}) {
      for (std::uint64_t at = 1;; ++at) {
        World world;
        Fault fault{.at = at, .after = after};
        const auto end = supervise(world, job, fault);
        const auto what = "death at step " + std::to_string(at) + (after ? " after" : " before");
        ASSERT_EQ(end.state, State::completed) << what << " " << why(end);
        expect_whole(world, job, what);
        if (fault.steps < at) break;
      }
    }
  }
}

TEST(Isolation, CulpritsOfAnEarlierEngineAreNotTriedAgain) {
  Job job;
  job.records = 140;
  job.killers.always = {5, 120};
  World world;
  ASSERT_EQ(supervise(world, job).state, State::completed);
  const auto trials = world.trials;
  const auto trials_done = world.trials_done;
  world.target.clear();  // the target was restored from a backup
  world.ledger.seal = SealState::open;
  world.sealed.clear();
  ASSERT_EQ(supervise(world, job).state, State::completed);
  EXPECT_EQ(world.trials, trials);
  EXPECT_EQ(world.trials_done, trials_done);
  expect_whole(world, job, "done again");
}

TEST(Isolation, MaxRejectsCountsCulprits) {
  for (auto job : kinds_of_jobs()) {
    const std::uint64_t bad = job.bad_every == 0 ? 0 : (job.records - 1) / job.bad_every + 1;
    job.limit = RejectLimit{false, bad + job.killers.always.size() - 1, 0};
    World world;
    const auto refused = supervise(world, job);
    ASSERT_EQ(refused.state, State::failed);
    EXPECT_NE(why(refused).find("max_rejects"), std::string::npos) << why(refused);
    ++job.limit.number;
    const auto completed = supervise(world, job);
    ASSERT_EQ(completed.state, State::completed) << why(completed);
    expect_whole(world, job, "the limit was raised");
  }
}

TEST(Isolation, RecordsThatKillOnlyTogetherFailTheBatchAndSaySo) {
  for (const bool are_named : {true, false}) {
    for (const bool share_process : {true, false}) {
      Job job;
      job.killers.in_company = {{224, 211}};  // of the batch from 210 on
      job.killers.are_named = are_named;
      job.killers.share_process = share_process;
      World world;
      const auto end = supervise(world, job);
      ASSERT_EQ(end.state, State::failed);
      EXPECT_NE(why(end).find("records 210 to 224 together"), std::string::npos) << why(end);
      EXPECT_EQ(world.target.size(), 3U);  // what comes before it is committed
      EXPECT_TRUE(world.ledger.culprits.empty());
    }
  }
}

TEST(Isolation, RecordsThatAreReadByAWorkerThatDiesOfReadingAreInnocent) {
  for (const bool share_process : {true, false}) {
    for (const bool whole_batches : {true, false}) {
      Job job;
      job.killers.by_being_read = {230};
      job.killers.share_process = share_process;
      job.whole_batches = whole_batches;
      World world;
      const auto end = supervise(world, job);
      ASSERT_EQ(end.state, State::failed);
      EXPECT_NE(why(end).find("none of them is processed"), std::string::npos) << why(end);
      EXPECT_EQ(world.target.size(), 3U);
      EXPECT_TRUE(world.ledger.culprits.empty());
    }
  }
}

TEST(Isolation, AMergeThatDiesIsTriedAgain) {
  Job job;
  job.merges = true;
  job.batches_a_group = 3;
  job.killers.merges = 3;
  World world;
  const auto end = supervise(world, job);
  ASSERT_EQ(end.state, State::completed) << why(end);
  EXPECT_EQ(world.merges_died, 3U);
  EXPECT_EQ(world.trials_done, 0U);
  expect_whole(world, job, "merged in the end");
}

TEST(Isolation, AMergeThatAlwaysDiesFailsItsGroup) {
  Job job;
  job.merges = true;
  job.batches_a_group = 3;
  job.killers.merges = UINT32_MAX;
  World world;
  EXPECT_EQ(supervise(world, job).state, State::failed);
  EXPECT_TRUE(world.target.empty());
}

TEST(Isolation, AMergeThatIsKilledFromOutsideIsTriedAgainMoreOften) {
  Job job;
  job.merges = true;
  job.batches_a_group = 100;  // one merge
  job.killers.merges = 15;
  job.killers.merges_from_outside = true;
  World world;
  const auto end = supervise(world, job);
  ASSERT_EQ(end.state, State::completed) << why(end);
  expect_whole(world, job, "merged in the end");
}

TEST(Isolation, AMergeThatKilledTheEngineMakesNoRecordASuspect) {
  Job job;
  job.killers.share_process = true;
  World world;
  Death death;
  death.how = "was killed by signal 11 (SIGSEGV)";
  Fault plans_only{.at = 2};
  run_engine(world, job, plans_only);
  world.suspects.push_back({0, death});
  ASSERT_EQ(supervise(world, job).state, State::completed);
  EXPECT_EQ(world.trials_done, 0U);
}

TEST(Isolation, ATrialThatFailsByAnErrorThatPassesIsMadeAgain) {
  for (const std::uint32_t failures : {1U, 2U}) {
    for (auto job : kinds_of_jobs()) {
      job.killers.trials_fail = failures;
      job.killers.always = {100};
      World world;
      const auto end = supervise(world, job);
      ASSERT_EQ(end.state, State::completed) << why(end);
      EXPECT_EQ(world.trials_failed, failures);
      expect_whole(world, job, "tried again");
    }
  }
}

TEST(Isolation, ATrialWhoseErrorDoesNotPassFailsTheStepWithIt) {
  Job job;
  job.killers.trials_fail = UINT32_MAX;
  job.killers.always = {100};
  World world;
  const auto end = supervise(world, job);
  ASSERT_EQ(end.state, State::failed);
  EXPECT_EQ(why(end), "The service is away.");
  EXPECT_TRUE(world.ledger.culprits.empty());
}

TEST(Isolation, WithoutAnIsolatorADeathFailsTheStep) {
  Job job;
  job.is_isolated = false;
  job.killers.always = {100};
  World world;
  const auto end = supervise(world, job);
  ASSERT_EQ(end.state, State::failed);
  EXPECT_EQ(world.target.size(), 1U);
  EXPECT_TRUE(world.ledger.culprits.empty());
}

TEST(Isolation, AStopFinishesTheInquestOfTheOldestGroupAndGoesOnLater) {
  for (auto job : kinds_of_jobs()) {
    for (job.seed = 1; job.seed <= 10; ++job.seed) {
      World world;
      world.stop_at_groups = 1;
      const auto stopped = supervise(world, job);
      ASSERT_EQ(stopped.state, State::stopped) << why(stopped);
      world.stop_at_groups = SIZE_MAX;
      world.stop = false;
      const auto completed = supervise(world, job);
      ASSERT_EQ(completed.state, State::completed) << why(completed);
      expect_whole(world, job, "stopped and resumed");
    }
  }
}

}  // namespace
}  // namespace tranche::simulation
