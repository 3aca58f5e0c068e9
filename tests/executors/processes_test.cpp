// What only processes can do: die, and be replaced.
#include "executors/processes.h"

#include <signal.h>

#include <memory>
#include <set>

#include <gtest/gtest.h>

#include "deeds.h"

namespace tranche::deeds {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t mebibyte = 1ULL << 20;

class Processes : public testing::Test {
 protected:
  void start(unsigned workers, const ProcessLimits& limits = {},
             Zygote::Worker kind = Zygote::Worker::usual) {
    zygote_ = std::make_unique<Zygote>(*board_, kind);
    executor_ = std::make_unique<ProcessExecutor>(workers, 3, limits, *zygote_, *board_);
  }
  Outcome have_done(Task task) { return deeds::have_done(*executor_, std::move(task)); }
  Outcome have_done(std::uint64_t id, Deed deed = Deed::none, std::uint64_t amount = 0) {
    return have_done(task_of(id, deed, amount));
  }
  // The error with which nothing can be worked on any more.
  Error wait_for_breakdown() {
    auto outcome = executor_->next(60s);
    EXPECT_FALSE(outcome);
    return outcome ? Error{} : outcome.error();
  }

  SharedBoard board_;
  std::unique_ptr<Zygote> zygote_;
  std::unique_ptr<ProcessExecutor> executor_;
};

void expect_death(const Outcome& outcome, ErrorKind kind, const std::string& how) {
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error().kind, kind);
  EXPECT_NE(outcome.result.error().message.find(how), std::string::npos)
      << outcome.result.error().message;
  ASSERT_TRUE(outcome.death);
  EXPECT_EQ(outcome.death->how, how);
  EXPECT_EQ(outcome.death->kind, kind);
  EXPECT_TRUE(outcome.death->is_suspicious);
  EXPECT_EQ(outcome.death->task, (RecordRange{outcome.task, outcome.task + 1}));
  EXPECT_EQ(outcome.death->in_hand, (RecordRange{outcome.task, outcome.task + 1}));
  EXPECT_EQ(outcome.death->stage, 1U);
}

TEST_F(Processes, WorkOutsideOfTheEnginesProcess) {
  start(1);
  const std::string worker = text_of(have_done(1));
  EXPECT_NE(worker, std::to_string(::getpid()));
  EXPECT_EQ(text_of(have_done(2)), worker);  // one process does many tasks
}

TEST_F(Processes, ACrashIsADeathOfTheTaskInWorkAndOfNoOther) {
  start(2);
  for (std::uint64_t id = 1; id <= 40; ++id) {
    ASSERT_TRUE(executor_->submit(task_of(id, id % 10 == 5 ? Deed::crash : Deed::none)));
  }
  const auto outcomes = take_all(*executor_, 40);
  ASSERT_EQ(outcomes.size(), 40U);
  for (const auto& [id, outcome] : outcomes) {
    if (id % 10 != 5) {
      EXPECT_TRUE(outcome.result) << id;
      continue;
    }
    expect_death(outcome, ErrorKind::crash, "was killed by signal 11 (SIGSEGV)");
    EXPECT_EQ(outcome.death->signal, SIGSEGV);
  }
}

TEST_F(Processes, AnExitIsADeathToo) {
  start(1);
  const Outcome outcome = have_done(1, Deed::exit);
  expect_death(outcome, ErrorKind::crash, "exited with code 3");
  EXPECT_EQ(outcome.death->signal, 0);
  EXPECT_TRUE(have_done(2).result);
}

TEST_F(Processes, WhoMakesNoProgressForTheTimeoutIsEnded) {
  ProcessLimits limits;
  limits.timeout = 300ms;
  start(1, limits);
  const Outcome outcome = have_done(1, Deed::hang);
  expect_death(outcome, ErrorKind::timeout, "made no progress for 0.3 s");
  EXPECT_EQ(outcome.death->signal, 0);
  EXPECT_TRUE(have_done(2).result);
}

TEST_F(Processes, WhoGetsOnSlowlyIsNotEnded) {
  ProcessLimits limits;
  limits.timeout = 1s;
  limits.cpu_time = 5s;
  start(1, limits);
  EXPECT_TRUE(have_done(1, Deed::beat, 1500).result);
}

TEST_F(Processes, WhoComputesForLongWithoutProgressIsEnded) {
  ProcessLimits limits;
  limits.cpu_time = 200ms;
  start(1, limits);
  expect_death(have_done(1, Deed::spin), ErrorKind::timeout, "computed for 0.2 s without progress");
}

TEST_F(Processes, WhoTakesMoreMemoryThanItMayIsEnded) {
  ProcessLimits limits;
  limits.memory_bytes = 64 * mebibyte;
  start(1, limits, Zygote::Worker::without_limit);
  expect_death(have_done(1, Deed::allocate, 100 * mebibyte), ErrorKind::memory,
               "took more memory than the 64 MiB that a worker may have");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_F(Processes, WhoAsksForMoreMemoryThanItMayHaveIsRefusedIt) {
  ProcessLimits limits;
  limits.memory_bytes = 64 * mebibyte;
  start(1, limits);
  expect_death(have_done(1, Deed::keep, 200 * mebibyte), ErrorKind::memory, "ran out of memory");
  EXPECT_TRUE(have_done(2).result);
}
#endif

TEST_F(Processes, AWorkerThatKeepsMuchMemoryIsReplacedBetweenTwoTasks) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "what a sanitizer keeps of each byte counts too";
#endif
  ProcessLimits limits;
  limits.memory_bytes = 400 * mebibyte;
  start(1, limits, Zygote::Worker::without_limit);
  const std::string before = text_of(have_done(1, Deed::keep, 10 * mebibyte));
  EXPECT_EQ(text_of(have_done(2)), before);
  EXPECT_EQ(text_of(have_done(3, Deed::keep, 340 * mebibyte)), before);
  EXPECT_NE(text_of(have_done(4)), before);
}

TEST_F(Processes, AWorkerThatLeaksDescriptorsIsReplacedBetweenTwoTasks) {
  start(1);
  const std::string before = text_of(have_done(1));
  EXPECT_EQ(text_of(have_done(2, Deed::leak_descriptors)), before);
  EXPECT_NE(text_of(have_done(3)), before);
}

TEST_F(Processes, AWorkerIsReplacedAfterAsManyBatchesAsItMayDo) {
  ProcessLimits limits;
  limits.recycle_batches = 2;
  start(1, limits);
  std::vector<std::string> workers;
  for (std::uint64_t id = 1; id <= 8; ++id) {
    Task task = task_of(id);
    task.batch = (id - 1) / 2;  // of two tasks each
    workers.push_back(text_of(have_done(task)));
  }
  // Replaced when the second batch has begun, so that it can't begin a third one.
  EXPECT_EQ(workers[0], workers[2]);
  EXPECT_NE(workers[2], workers[3]);
  EXPECT_GE(std::set<std::string>(workers.begin(), workers.end()).size(), 3U);
}

TEST_F(Processes, TasksThatWaitForAWorkerThatIsReplacedAreDoneByAnother) {
  ProcessLimits limits;
  limits.recycle_batches = 1;
  start(2, limits);
  for (std::uint64_t id = 1; id <= 30; ++id) ASSERT_TRUE(executor_->submit(task_of(id)));
  std::set<std::string> workers;
  for (const auto& [id, outcome] : take_all(*executor_, 30)) {
    EXPECT_TRUE(outcome.result);
    workers.insert(text_of(outcome));
  }
  EXPECT_EQ(workers.size(), 30U);
}

TEST_F(Processes, NobodyIsToBlameForAKillFromOutside) {
  start(1);
  const Outcome outcome = have_done(1, Deed::be_killed);
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error().kind, ErrorKind::crash);
  ASSERT_TRUE(outcome.death);
  EXPECT_FALSE(outcome.death->is_suspicious);
  EXPECT_EQ(outcome.death->how, "was killed by signal 9 (SIGKILL)");
}

TEST_F(Processes, AnIdleWorkerThatIsKilledIsReplaced) {
  start(1);
  for (std::uint64_t id = 1; id <= 30; ++id) {
    const std::string worker = text_of(have_done(id));
    ASSERT_EQ(::kill(static_cast<pid_t>(std::stol(worker)), SIGKILL), 0);
  }
}

TEST_F(Processes, WorkersThatAreKilledAtRandomLoseNoTask) {
  start(3);
  for (std::uint64_t id = 1; id <= 300; ++id) ASSERT_TRUE(executor_->submit(task_of(id)));
  std::set<std::uint64_t> done;
  std::uint64_t deaths = 0;
  while (done.size() < 300) {
    auto outcome = executor_->next(60s);
    ASSERT_TRUE(outcome && *outcome) << (outcome ? "" : outcome.error().message);
    if (!(*outcome)->result) {
      ASSERT_TRUE((*outcome)->death);
      EXPECT_FALSE((*outcome)->death->is_suspicious);
      ++deaths;
      ASSERT_TRUE(executor_->submit(task_of((*outcome)->task)));
      continue;
    }
    EXPECT_TRUE(done.insert((*outcome)->task).second);
    if (done.size() % 10 == 0) ::kill(static_cast<pid_t>(std::stol(text_of(**outcome))), SIGKILL);
  }
  RecordProperty("deaths", static_cast<int>(deaths));
}

TEST_F(Processes, TrialsGetAFreshProcessEach) {
  start(1);
  std::set<std::string> workers = {text_of(have_done(1))};
  const std::string usual = *workers.begin();
  for (std::uint64_t id = 2; id <= 7; ++id) {
    Task trial = task_of(id);
    trial.trial = RecordRange{id, id + 1};
    ASSERT_TRUE(executor_->submit(trial));
  }
  for (const auto& [id, outcome] : take_all(*executor_, 6)) workers.insert(text_of(outcome));
  EXPECT_EQ(workers.size(), 7U);
  EXPECT_EQ(text_of(have_done(8)), usual);
}

TEST_F(Processes, AnExecutorForTrialsAloneHasNoOtherWorkers) {
  start(0);
  EXPECT_EQ(executor_->workers(), 0U);
  Task trial = task_of(1, Deed::crash);
  trial.trial = RecordRange{1, 2};
  expect_death(have_done(trial), ErrorKind::crash, "was killed by signal 11 (SIGSEGV)");
  trial.trial = RecordRange{1, 1};  // its record does not go through
  trial.id = 2;
  EXPECT_TRUE(have_done(trial).result);
}

TEST_F(Processes, NoiseInsteadOfAnAnswerIsADeathOfTheTaskInWork) {
  start(1);
  expect_death(have_done(1, Deed::send_noise), ErrorKind::crash,
               "sent something that is no answer");
  EXPECT_TRUE(have_done(2).result);
}

TEST_F(Processes, WhoHasLiedOnceIsNotBelievedAgain) {
  for (int i = 0; i < 10; ++i) {  // the lie comes alone, or with the truth behind it
    start(1);
    const Outcome outcome = have_done(1, Deed::send_lies);
    ASSERT_FALSE(outcome.result);
    EXPECT_EQ(outcome.result.error().kind, ErrorKind::crash);
    ASSERT_TRUE(outcome.death);
    EXPECT_EQ(outcome.death->how, "sent something that is no answer");
    EXPECT_TRUE(outcome.death->is_suspicious);
    EXPECT_EQ(outcome.death->task, (RecordRange{1, 2}));
    EXPECT_TRUE(have_done(2).result);
    executor_.reset();
    zygote_.reset();  // the next one must not inherit its channel
  }
}

TEST_F(Processes, AMergeThatDiesIsSaidToBeOne) {
  start(1);
  Task merge = task_of(1, Deed::crash);
  merge.kind = Task::Kind::merge;
  merge.group = 9;
  const Outcome outcome = have_done(merge);
  EXPECT_TRUE(outcome.is_merge);
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error().message,
            "The worker process that merged group 9 was killed by signal 11 (SIGSEGV).");
}

TEST_F(Processes, WorkersThatDieBeforeTheyBeginBreakTheExecutorDown) {
  start(2, {}, Zygote::Worker::that_dies_at_start);
  ASSERT_TRUE(executor_->submit(task_of(1)));
  const Error error = wait_for_breakdown();
  EXPECT_EQ(error.kind, ErrorKind::failed);
  EXPECT_EQ(error.message,
            "A worker process exited with code 4 before it began to work, 3 times in a row.");
  EXPECT_FALSE(executor_->submit(task_of(2)));
}

TEST_F(Processes, WorkersThatAreAlwaysKilledBeforeTheyBeginBreakTheExecutorDown) {
  start(1, {}, Zygote::Worker::killed_at_start);
  ASSERT_TRUE(executor_->submit(task_of(1)));
  const Error error = wait_for_breakdown();
  EXPECT_EQ(error.kind, ErrorKind::failed);
  EXPECT_NE(error.message.find("was killed by signal 9 (SIGKILL) before it began"),
            std::string::npos)
      << error.message;
}

TEST_F(Processes, AWorkerThatRefusesToWorkSaysWhy) {
  start(1, {}, Zygote::Worker::that_refuses);
  ASSERT_TRUE(executor_->submit(task_of(1)));
  EXPECT_EQ(wait_for_breakdown(), make_error(ErrorKind::failed, "The input is gone."));
}

TEST_F(Processes, EndWithTheExecutorEvenWhenTheyHang) {
  start(2);
  ASSERT_TRUE(executor_->submit(task_of(1)));
  ASSERT_TRUE(executor_->submit(task_of(2, Deed::hang)));
  const auto pid = static_cast<pid_t>(std::stol(text_of(take_all(*executor_, 1).at(1))));
  executor_.reset();
  EXPECT_NE(::kill(pid, 0), 0);
}

}  // namespace
}  // namespace tranche::deeds
