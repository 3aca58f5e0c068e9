#include <cstdio>
#include <cstdlib>
#include <random>
#include <utility>

#include <gtest/gtest.h>

#include "simulation.h"

namespace tranche::simulation {
namespace {

using State = engine::StepEnd::State;

void expect_whole(const World& world, const Job& job, const std::string& what) {
  EXPECT_EQ(world.sealed, expected_rows(job)) << what;
  EXPECT_EQ(world.ledger.seal, SealState::sealed) << what;
  std::vector<std::uint64_t> bad;
  const auto is_bad = [](std::uint64_t r, std::uint64_t every) { return every && r % every == 0; };
  for (std::uint64_t r = 0; r < job.records; ++r) {
    if (is_bad(r, job.bad_every) || is_bad(r, job.refused_every)) bad.push_back(r);
  }
  EXPECT_EQ(published_rejects(world), bad) << what;
}

std::vector<Job> kinds_of_jobs() {
  std::vector<Job> jobs(10);
  jobs[0].bad_every = 13;
  jobs[1].target_records_commits = false;
  jobs[1].bad_every = 13;
  jobs[2].merges = true;
  jobs[2].batches_a_group = 3;
  jobs[2].target_records_commits = false;
  jobs[3].whole_batches = true;
  jobs[4].records = 0;
  jobs[5].bad_every = 1;  // nothing but rejects
  jobs[5].merges = true;
  jobs[5].batches_a_group = 3;
  jobs[5].target_records_commits = false;
  jobs[6].bad_every = 5;
  jobs[6].refused_every = 3;  // among what the workers rejected, and elsewhere
  jobs[7].unread_bytes_max = 200;
  jobs[8].unread_bytes_max = 10;  // less than a batch, and much less than a group
  jobs[8].merges = true;
  jobs[8].batches_a_group = 3;
  jobs[9].defers_commits = true;
  jobs[9].bad_every = 5;
  jobs[9].refused_every = 3;
  return jobs;
}

TEST(StepEngine, CommitsEveryRecordOnceInOrderWhateverOrderTheWorkersFinishIn) {
  for (auto job : kinds_of_jobs()) {
    for (job.seed = 1; job.seed <= 50; ++job.seed) {
      World world;
      Fault none;
      const auto end = run_engine(world, job, none);
      ASSERT_EQ(end.state, State::completed) << (end.error ? end.error->message : "");
      expect_whole(world, job, "seed " + std::to_string(job.seed));
      EXPECT_EQ(end.counts.written, expected_rows(job).size());
    }
  }
}

TEST(StepEngine, PlansNoFurtherThanWhatMayWaitToBeRead) {
  for (const std::uint64_t most : {std::uint64_t{10}, std::uint64_t{150}, std::uint64_t{500}}) {
    Job job;
    job.unread_bytes_max = most;
    for (job.seed = 1; job.seed <= 20; ++job.seed) {
      World world;
      Fault none;
      ASSERT_EQ(run_engine(world, job, none).state, State::completed);
      EXPECT_LE(world.unread_peak, std::max(most, job.batch_records));
      EXPECT_GE(world.unread_peak, job.batch_records);
    }
  }
  Job free;
  World world;
  Fault none;
  ASSERT_EQ(run_engine(world, free, none).state, State::completed);
  EXPECT_GT(world.unread_peak, 500U);
}

// At each step by turns; then it is started again.
void die_everywhere(const Job& job, bool after, bool cuts_power) {
  for (std::uint64_t at = 1;; ++at) {
    World world;
    Fault fault;
    fault.at = at;
    fault.after = after;
    fault.cuts_power = cuts_power;
    const auto first = run_engine(world, job, fault);
    const auto what = "death at step " + std::to_string(at) + (after ? " after" : " before");
    if (fault.steps < at) {
      EXPECT_EQ(first.state, State::completed) << what;
      return;
    }
    Fault none;
    const auto second = run_engine(world, job, none);
    ASSERT_EQ(second.state, State::completed)
        << what << (second.error ? second.error->message : "");
    expect_whole(world, job, what);
  }
}

TEST(StepEngine, EndsWithTheSameOutputWhereverItDiesAndIsStartedAgain) {
  for (const auto& job : kinds_of_jobs()) {
    for (const bool after : {false, true}) die_everywhere(job, after, false);
  }
}

TEST(StepEngine, EndsWithTheSameOutputWhereverThePowerIsCut) {
  for (const auto& job : kinds_of_jobs()) {
    for (const bool after : {false, true}) die_everywhere(job, after, true);
  }
}

TEST(StepEngine, EndsWithTheSameOutputWhenItDiesTwice) {
  Job job = kinds_of_jobs()[0];
  job.records = 300;
  for (std::uint64_t first = 1; first < 60; first += 3) {
    for (std::uint64_t second = 1; second < 60; second += 5) {
      World world;
      Fault one{.at = first, .after = true};
      Fault two{.at = second, .after = true};
      run_engine(world, job, one);
      run_engine(world, job, two);
      Fault none;
      const auto end = run_engine(world, job, none);
      ASSERT_EQ(end.state, State::completed);
      expect_whole(world, job, std::to_string(first) + " then " + std::to_string(second));
    }
  }
}

TEST(StepEngine, TriesAgainAfterAnErrorThatPassesWithoutDoublingARecord) {
  for (const auto& job : kinds_of_jobs()) {
    for (std::uint64_t at = 1;; ++at) {
      World world;
      Fault fault{.at = at, .kind = ErrorKind::transient, .once = true};
      auto end = run_engine(world, job, fault);
      if (fault.steps < at) break;
      if (end.state != State::completed) {  // the ledger's own errors end the run, resumable
        Fault none;
        end = run_engine(world, job, none);
      }
      ASSERT_EQ(end.state, State::completed);
      expect_whole(world, job, "passing error at step " + std::to_string(at));
    }
  }
}

TEST(StepEngine, CountsOneAttemptWhenSeveralChunksFailTogether) {
  Job job;
  job.records = 70;  // one batch, three chunks
  World world;
  Fault fault{.at = 2, .kind = ErrorKind::transient, .once = true, .length = 3};  // 1 is the plan
  const auto end = run_engine(world, job, fault);
  ASSERT_EQ(end.state, State::completed) << end.error->message;
  EXPECT_EQ(end.retries, 1U);
  expect_whole(world, job, "all chunks failed together");
}

TEST(StepEngine, FailsAtTheFirstRejectOfTheFirstBatchThatHasOneWhenNoneIsAllowed) {
  Job job;
  job.bad_every = 150;  // records 0, 150, 300, ...
  job.limit = RejectLimit{};
  for (job.seed = 1; job.seed <= 20; ++job.seed) {
    World world;
    Fault none;
    const auto end = run_engine(world, job, none);
    EXPECT_EQ(end.state, State::failed);
    EXPECT_EQ(end.bad_record_count, 1U);
    EXPECT_TRUE(world.target.empty());
    EXPECT_TRUE(published_rejects(world).empty());
  }
}

TEST(StepEngine, CompletesOnceTheLimitIsRaisedAfterAFailure) {
  Job job;
  job.bad_every = 400;  // records 0, 400, 800
  job.limit = RejectLimit{false, 2, 0};
  World world;
  Fault none;
  const auto failed = run_engine(world, job, none);
  EXPECT_EQ(failed.state, State::failed);
  EXPECT_EQ(world.target.size(),
            11U);  // 770 records in batches of 70 come before record 800's batch
  job.limit.number = 3;
  const auto completed = run_engine(world, job, none);
  ASSERT_EQ(completed.state, State::completed);
  EXPECT_EQ(completed.batches_resumed, 11U);
  expect_whole(world, job, "raised");
}

TEST(StepEngine, StopsWhereTheFirstRecordsDoNothingButFailAlike) {
  Job job;
  job.bad_every = 1;
  job.limit = RejectLimit{true, 0, 1'000'000};
  job.same_failures_max = 500;
  for (job.seed = 1; job.seed <= 20; ++job.seed) {
    World world;
    Fault none;
    const auto end = run_engine(world, job, none);
    ASSERT_EQ(end.state, State::failed);
    EXPECT_NE(end.error->message.find("The first 500 records all failed alike"), std::string::npos)
        << end.error->message;
    EXPECT_EQ(end.batches_committed, 7U);  // the eighth, of records 490 to 559, has record 499
  }
  job.same_failures_max = 1001;  // there are 1,000
  World world;
  Fault none;
  EXPECT_EQ(run_engine(world, job, none).state, State::completed);
}

TEST(StepEngine, SaysAtLeastWhenNotAllRejectsOfABatchWereLookedFor) {
  Job job;
  job.bad_every = 2;
  job.whole_batches = true;  // batches of 70 records, 35 of them bad
  job.rejects_enough = 12;
  job.limit = RejectLimit{false, 2, 0};
  World world;
  Fault none;
  const auto failed = run_engine(world, job, none);
  ASSERT_EQ(failed.state, State::failed);
  EXPECT_NE(failed.error->message.find("; at least 12 bad records in it"), std::string::npos)
      << failed.error->message;
  EXPECT_EQ(failed.bad_record_count, 12U);
  EXPECT_TRUE(world.target.empty());

  job.limit.number = 500;
  job.rejects_enough = 510;
  const auto completed = run_engine(world, job, none);
  ASSERT_EQ(completed.state, State::completed) << completed.error->message;
  expect_whole(world, job, "raised");
}

TEST(StepEngine, CommitsNothingOfABatchWhoseRejectsAreNotAllKnown) {
  Job job;
  job.bad_every = 2;
  job.whole_batches = true;
  job.rejects_enough = 12;  // below what the limit lets pass
  World world;
  Fault none;
  const auto end = run_engine(world, job, none);
  ASSERT_EQ(end.state, State::failed);
  EXPECT_EQ(end.error->kind, ErrorKind::bug);
  EXPECT_TRUE(world.target.empty());
}

TEST(StepEngine, RollsASealForwardUnderALowerLimit) {
  Job job;
  job.bad_every = 400;
  for (const auto seal : {SealState::intended, SealState::sealed}) {
    World world;
    Fault fault;
    ASSERT_EQ(run_engine(world, job, fault).state, State::completed);
    world.ledger.seal = seal;
    Job lower = job;
    lower.limit = RejectLimit{};
    const auto end = run_engine(world, lower, fault);
    EXPECT_EQ(end.state, State::completed);
    expect_whole(world, job, "rolled forward");
  }
}

TEST(StepEngine, StopsAtAGroupBoundaryAndGoesOnFromThere) {
  Job job;
  World world;
  world.stop_requested = true;
  Fault none;
  const auto stopped = run_engine(world, job, none);
  EXPECT_EQ(stopped.state, State::stopped);
  world.stop_requested = false;
  const auto completed = run_engine(world, job, none);
  ASSERT_EQ(completed.state, State::completed);
  expect_whole(world, job, "stopped and resumed");
}

TEST(StepEngine, StopsBehindTheGroupInWorkHoweverManyAreReady) {
  for (auto job : kinds_of_jobs()) {
    if (job.records == 0 || job.defers_commits) continue;
    job.batch_records = 5;  // many groups, which finish in any order
    for (job.seed = 1; job.seed <= 30; ++job.seed) {
      World world;
      world.stop_at_groups = 3;
      Fault none;
      const auto stopped = run_engine(world, job, none);
      EXPECT_EQ(stopped.state, State::stopped);
      EXPECT_LE(world.target.size(), 4U) << "seed " << job.seed;
      world.stop_at_groups = SIZE_MAX;
      world.stop = false;
      const auto completed = run_engine(world, job, none);
      ASSERT_EQ(completed.state, State::completed);
      expect_whole(world, job, "stopped and resumed");
    }
  }
}

TEST(StepEngine, CommitsGroupsTogetherThatAreReadyWhereTheTargetDefersCommits) {
  Job job;
  job.batch_records = 5;
  job.defers_commits = true;
  World world;
  Fault none;
  ASSERT_EQ(run_engine(world, job, none).state, State::completed);
  EXPECT_EQ(world.target.size(), 200U);
  EXPECT_LT(world.commits, 100U);
  expect_whole(world, job, "deferred");
}

TEST(StepEngine, WaitsForNoCompanyWhereWhatWaitsTakesTheMemoryOfWorkers) {
  Job job;
  job.batch_records = job.chunk_records = 5;
  job.workers = 5;
  job.take_time = true;
  job.memory_bytes_max = 5 * job.chunk_records * 8;  // a task for each, and nothing beside them
  for (job.seed = 1; job.seed <= 20; ++job.seed) {
    std::uint64_t waits[2] = {};
    for (const bool defers : {false, true}) {
      job.defers_commits = defers;
      World world;
      Fault none;
      ASSERT_EQ(run_engine(world, job, none).state, State::completed);
      waits[defers ? 1 : 0] = world.waits_half_idle;
    }
    EXPECT_LE(waits[1], waits[0]) << "seed " << job.seed;
  }
}

TEST(StepEngine, CommitsWhatComesBeforeAGroupThatIsRefusedInCompany) {
  Job job;
  job.batch_records = 5;
  // The reject that is too many is that of record 240, or 902.
  for (const auto& [every, limit] : {std::pair{6U, 40U}, std::pair{451U, 2U}}) {
    const std::uint64_t groups = limit * every / job.batch_records;
    job.bad_every = every;
    job.limit = RejectLimit{false, limit, 0};
    for (const bool defers : {false, true}) {
      job.defers_commits = defers;
      for (job.seed = 1; job.seed <= 20; ++job.seed) {
        World world;
        Fault none;
        const auto failed = run_engine(world, job, none);
        ASSERT_EQ(failed.state, State::failed);
        EXPECT_EQ(world.target.size(), groups);
        EXPECT_EQ(failed.bad_record_count, 1U);
        EXPECT_EQ(world.staged.size(), groups + 1) << "the refused one is staged once";
      }
    }
  }
}

TEST(StepEngine, StopsWithWhatIsAppliedWhereTheTargetDefersCommits) {
  Job job;
  job.batch_records = 5;
  job.defers_commits = true;
  for (job.seed = 1; job.seed <= 30; ++job.seed) {
    World world;
    world.stop_at_groups = 3;
    Fault none;
    EXPECT_EQ(run_engine(world, job, none).state, State::stopped);
    EXPECT_LT(world.target.size(), 100U) << "seed " << job.seed;
    world.stop_at_groups = SIZE_MAX;
    world.stop = false;
    ASSERT_EQ(run_engine(world, job, none).state, State::completed);
    expect_whole(world, job, "stopped and resumed");
  }
}

// A job by chance, and what happens to it by chance: deaths, errors that pass, stops; then it is
// started again, until it is through. A seed plays the same again, whatever other seeds there are.
void play(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto one_of = [&](std::uint64_t count) { return random() % count; };
  Job job;
  job.seed = seed;
  job.records = one_of(600);
  job.chunk_records = 1 + one_of(30);
  job.batch_records = job.chunk_records * (1 + one_of(4));
  job.workers = 1 + static_cast<unsigned>(one_of(5));
  job.whole_batches = one_of(3) == 0;
  job.bad_every = one_of(2) * (2 + one_of(40));
  job.refused_every = one_of(2) * (2 + one_of(40));
  job.unread_bytes_max = one_of(2) == 0 ? UINT64_MAX : 10 + one_of(300);
  job.target_records_commits = one_of(3) > 0;
  job.defers_commits = one_of(2) == 0;
  job.merges = one_of(3) == 0;
  if (job.merges) job.batches_a_group = 1 + one_of(4);
  World world;
  for (int start = 0; start < 100; ++start) {
    Fault fault;
    // Mostly near the beginning, so that many starts are needed; in the end it is left alone.
    if (start < 12) fault.at = 1 + one_of(one_of(3) == 0 ? 400 : 60);
    fault.after = one_of(2) == 0;
    fault.once = one_of(3) == 0;
    fault.length = 1 + one_of(4);
    fault.cuts_power = one_of(2) == 0;
    constexpr ErrorKind kinds[] = {ErrorKind::failed, ErrorKind::transient, ErrorKind::in_doubt};
    if (fault.once) fault.kind = kinds[one_of(3)];
    world.stop_at_groups = start < 12 && one_of(4) == 0 ? one_of(20) : SIZE_MAX;
    world.stop = false;
    const auto end = run_engine(world, job, fault);
    if (end.state == State::completed) {
      EXPECT_EQ(end.counts.written, expected_rows(job).size()) << "seed " << seed;
      return expect_whole(world, job, "seed " + std::to_string(seed));
    }
  }
  ADD_FAILURE() << "seed " << seed << " does not end";
}

TEST(StepEngine, EndsWithTheSameOutputWhateverHappens) {
  const char* const seeds = std::getenv("SEEDS");  // "10000", or "17-17" for that one
  std::uint64_t first = 1;
  std::uint64_t last = 500;
  if (seeds != nullptr) {
    char* end = nullptr;
    last = std::strtoull(seeds, &end, 10);
    if (*end == '-') first = std::exchange(last, std::strtoull(end + 1, nullptr, 10));
  }
  for (std::uint64_t seed = first; seed <= last; ++seed) play(seed);
  std::printf("seeds %llu to %llu\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(last));
}

TEST(StepEngine, RedoesCommitsThatTheTargetLost) {
  Job job;
  World world;
  Fault fault{.at = 60, .after = true};
  run_engine(world, job, fault);
  ASSERT_GE(world.target.size(), 3U);
  world.target.resize(2);  // restored from a backup, say
  Fault none;
  const auto end = run_engine(world, job, none);
  ASSERT_EQ(end.state, State::completed);
  expect_whole(world, job, "target restored");
}

}  // namespace
}  // namespace tranche::simulation
