// What every executor does, be its workers threads or processes.
#include <memory>

#include <gtest/gtest.h>

#include "deeds.h"
#include "executors/threads.h"

namespace tranche::deeds {
namespace {

using namespace std::chrono_literals;

enum class Kind { threads, processes };

class ExecutorContract : public testing::TestWithParam<Kind> {
 protected:
  ExecutorContract() : zygote_(*board_, Zygote::Worker::usual) {}

  void start(unsigned workers) {
    if (GetParam() == Kind::threads) {
      executor_ = std::make_unique<ThreadExecutor>(
          workers, [this](unsigned number) { return make_doer(board_->slots[number], -1); },
          *board_);
    } else {
      executor_ = std::make_unique<ProcessExecutor>(workers, 0, ProcessLimits{}, zygote_, *board_);
    }
  }
  void submit(Task task) { ASSERT_TRUE(executor_->submit(std::move(task))); }

  SharedBoard board_;
  Zygote zygote_;
  std::unique_ptr<Executor> executor_;
};

TEST_P(ExecutorContract, EveryTaskComesBackOnce) {
  start(3);
  EXPECT_EQ(executor_->workers(), 3U);
  for (std::uint64_t id = 1; id <= 200; ++id) submit(task_of(id));
  const auto outcomes = take_all(*executor_, 200);
  ASSERT_EQ(outcomes.size(), 200U);
  for (const auto& [id, outcome] : outcomes) {
    EXPECT_TRUE(outcome.result);
    EXPECT_FALSE(outcome.death);
    EXPECT_FALSE(outcome.is_merge);
    EXPECT_EQ(outcome.group, id / 10);
    EXPECT_LT(outcome.worker, 3U);
  }
  const auto more = executor_->next(0ms);
  ASSERT_TRUE(more);
  EXPECT_FALSE(*more);
}

TEST_P(ExecutorContract, SaysNothingWhenThereIsNothingToSay) {
  start(1);
  const auto nothing = executor_->next(1ms);
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);
}

TEST_P(ExecutorContract, ResultsHaveTheBytesThatTheWorkerGave) {
  start(2);
  std::uint64_t id = 1;
  for (const std::uint64_t bytes : {0, 1, 32 << 10, (32 << 10) + 1, 5 << 20}) {
    std::string expected;
    for (std::uint64_t i = 0; i < bytes; ++i) expected += static_cast<char>(i % 251);
    EXPECT_EQ(text_of(have_done(*executor_, task_of(id++, Deed::give, bytes))), expected) << bytes;
  }
}

TEST_P(ExecutorContract, AMergeIsKnownAsOneAndReadsTheSegmentsOfItsGroup) {
  start(1);
  const Outcome given = have_done(*executor_, task_of(1, Deed::give, 100'000));
  ASSERT_TRUE(given.result);
  Task merge;
  merge.id = 2;
  merge.kind = Task::Kind::merge;
  merge.group = 9;
  merge.segments = given.result->segments;
  const Outcome merged = have_done(*executor_, merge);
  EXPECT_TRUE(merged.result);
  EXPECT_TRUE(merged.is_merge);
  EXPECT_EQ(merged.group, 9U);
}

TEST_P(ExecutorContract, AnErrorComesBackAsItWasGiven) {
  start(1);
  const Outcome outcome = have_done(*executor_, task_of(1, Deed::fail));
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error(), make_error(ErrorKind::transient, "It failed.", "here"));
  EXPECT_FALSE(outcome.death);
  EXPECT_TRUE(have_done(*executor_, task_of(2)).result);
}

TEST_P(ExecutorContract, AnExceptionBecomesAnErrorAndTheWorkerGoesOn) {
  start(1);
  const Outcome thrown = have_done(*executor_, task_of(1, Deed::throw_exception));
  ASSERT_FALSE(thrown.result);
  EXPECT_EQ(thrown.result.error().kind, ErrorKind::bug);
  EXPECT_NE(thrown.result.error().message.find("batch 1: thrown"), std::string::npos);
  const Outcome other = have_done(*executor_, task_of(2, Deed::throw_what_is_none));
  ASSERT_FALSE(other.result);
  EXPECT_EQ(other.result.error().kind, ErrorKind::bug);
  EXPECT_FALSE(other.death);
  EXPECT_TRUE(have_done(*executor_, task_of(3)).result);
}

TEST_P(ExecutorContract, WhoRunsOutOfMemoryIsADeathWithTheRecordInHand) {
  start(1);
  const Outcome outcome = have_done(*executor_, task_of(7, Deed::run_out_of_memory));
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error().kind, ErrorKind::memory);
  ASSERT_TRUE(outcome.death);
  EXPECT_EQ(outcome.death->how, "ran out of memory");
  EXPECT_TRUE(outcome.death->is_suspicious);
  EXPECT_EQ(outcome.death->task, (RecordRange{7, 8}));
  EXPECT_EQ(outcome.death->in_hand, (RecordRange{7, 8}));
  EXPECT_EQ(outcome.death->stage, 1U);
  EXPECT_TRUE(have_done(*executor_, task_of(8)).result);
}

TEST_P(ExecutorContract, EndsWithTasksLeftAndInWork) {
  start(2);
  for (std::uint64_t id = 1; id <= 50; ++id) submit(task_of(id, Deed::beat, 20));
  const auto first = executor_->next(60s);
  ASSERT_TRUE(first && *first);
  executor_.reset();
}

TEST_P(ExecutorContract, EndsWithoutEverHavingHadATask) {
  start(2);
  executor_.reset();
}

INSTANTIATE_TEST_SUITE_P(Kinds, ExecutorContract, testing::Values(Kind::threads, Kind::processes),
                         [](const auto& kind) {
                           return kind.param == Kind::threads ? "Threads" : "Processes";
                         });

}  // namespace
}  // namespace tranche::deeds
