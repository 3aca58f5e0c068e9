#include <tranche/core/breadcrumb.h>

#include <memory>

#include <gtest/gtest.h>

#include <tranche/core/task.h>
#include <tranche/core/worker.h>

namespace tranche {
namespace {

TEST(Breadcrumb, TellsWhichRecordsOfWhichTaskWereInWhoseHandsAtADeath) {
  Breadcrumb breadcrumb;
  breadcrumb.begin_task(7, {100, 200});
  breadcrumb.take(2, 140, 10);
  const Death death = death_of(breadcrumb, ErrorKind::timeout, "exited with code 3");
  EXPECT_EQ(death.how, "exited with code 3");
  EXPECT_EQ(death.kind, ErrorKind::timeout);
  EXPECT_EQ(death.task, (RecordRange{100, 200}));
  EXPECT_EQ(death.in_hand, (RecordRange{140, 150}));
  EXPECT_EQ(death.stage, 2U);
  EXPECT_EQ(death.signal, 0);
  EXPECT_TRUE(death.is_suspicious);
}

TEST(Breadcrumb, NamesTheRecordOfAStageThatTakesThemOneByOne) {
  Breadcrumb breadcrumb;
  breadcrumb.begin_task(7, {100, 200});
  breadcrumb.take(0, 140, 1);
  breadcrumb.at(141);
  EXPECT_EQ(death_of(breadcrumb, ErrorKind::crash, "").in_hand, (RecordRange{141, 142}));
}

TEST(Breadcrumb, NamesNobodyBeforeARecordIsTaken) {
  Breadcrumb breadcrumb;
  breadcrumb.begin_task(7, {100, 200});
  EXPECT_EQ(death_of(breadcrumb, ErrorKind::crash, "").in_hand, std::nullopt);
  EXPECT_EQ(death_of(breadcrumb, ErrorKind::crash, "").task, (RecordRange{100, 200}));
}

TEST(Breadcrumb, DoesNotNameWhoWasInHandInAnEarlierTask) {
  Breadcrumb breadcrumb;
  breadcrumb.begin_task(7, {100, 200});
  breadcrumb.take(0, 140, 1);
  breadcrumb.end_task();
  EXPECT_EQ(breadcrumb.task.load(), 0U);
  breadcrumb.begin_task(8, {200, 300});
  EXPECT_EQ(breadcrumb.task.load(), 8U);
  EXPECT_EQ(death_of(breadcrumb, ErrorKind::crash, "").in_hand, std::nullopt);
}

TEST(Breadcrumb, OfAMergeHasNoRecords) {
  Breadcrumb breadcrumb;
  Task merge;
  merge.kind = Task::Kind::merge;
  breadcrumb.begin_task(7, merge.records());
  EXPECT_EQ(death_of(breadcrumb, ErrorKind::crash, "").task.count(), 0U);
}

TEST(RecordRange, HoldsItsFirstRecordAndNotItsEnd) {
  constexpr RecordRange range{10, 12};
  EXPECT_EQ(range.count(), 2U);
  EXPECT_FALSE(range.contains(9));
  EXPECT_TRUE(range.contains(10));
  EXPECT_TRUE(range.contains(11));
  EXPECT_FALSE(range.contains(12));
  EXPECT_FALSE((RecordRange{10, 10}).contains(10));
}

TEST(Task, HasTheRecordsOfAllItsChunks) {
  Task task;
  EXPECT_EQ(task.records().count(), 0U);
  task.chunks = {Slice{}, Slice{}};
  task.chunks[0].first_record = 100, task.chunks[0].records = 20;
  task.chunks[1].first_record = 120, task.chunks[1].records = 5;
  EXPECT_EQ(task.records(), (RecordRange{100, 125}));
}

TEST(BreadcrumbBoard, TellsTheNextEngineNothingOfTheLastOne) {
  const auto board = std::make_unique<BreadcrumbBoard>();
  board->step.store(3);
  board->slots_used.store(4);
  board->timeout_milliseconds.store(5);
  board->memory_bytes_hard.store(6);
  Breadcrumb& last = board->slots[BreadcrumbBoard::slots_max - 1];
  last.begin_task(7, {1, 2});
  last.take(0, 1, 1);
  last.beat();
  last.generation.store(9);
  board->clear();
  EXPECT_EQ(board->slots_used.load(), 0U);
  EXPECT_EQ(board->timeout_milliseconds.load(), 0U);
  EXPECT_EQ(board->memory_bytes_hard.load(), 0U);
  EXPECT_EQ(last.task.load(), 0U);
  EXPECT_EQ(last.records.load(), 0U);
  EXPECT_EQ(last.beats.load(), 0U);
  EXPECT_EQ(last.generation.load(), 0U);
  EXPECT_EQ(board->step.load(), 3U);  // of the job, not of an engine
}

TEST(WorkerScope, WritesWhereNobodyLooksWhenItHasNoSlot) {
  Breadcrumb slot;
  WorkerScope watched(0, 0, "", UINT64_MAX, &slot);
  WorkerScope alone(1, 0, "");
  watched.breadcrumb().beat();
  alone.breadcrumb().beat();
  EXPECT_EQ(slot.beats.load(), 1U);
}

}  // namespace
}  // namespace tranche
