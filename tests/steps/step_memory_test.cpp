#include "steps/step_memory.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace tranche {
namespace {

constexpr std::uint64_t mebibyte = 1ULL << 20;

BatchPlan batch_of(std::uint64_t chunks, std::uint64_t chunk_bytes) {
  BatchPlan batch;
  for (std::uint64_t i = 0; i < chunks; ++i) {
    Slice slice;
    slice.records = 10'000;
    slice.bytes = chunk_bytes;
    slice.memory_bytes = 3 * chunk_bytes;
    batch.chunks.push_back(slice);
  }
  return batch;
}

// The number behind `before`; 0: it is not there.
std::uint64_t number_behind(const std::string& text, std::string_view before) {
  const auto at = text.find(before);
  return at == std::string::npos ? 0 : std::stoull(text.substr(at + before.size()));
}

Division by_bytes() {
  Division division;
  division.bytes = 64 * mebibyte;
  return division;
}

StepMemory with_sql(std::uint64_t memory_bytes_max) {
  return StepMemory(memory_bytes_max, database_memory_for(memory_bytes_max), 1);
}

TEST(StepMemory, GivesADatabaseAShareThatLeavesRoomForTwoWorkersInASmallBudgetAndManyInALarge) {
  for (const std::uint64_t budget : {256 * mebibyte, 512 * mebibyte, 1024 * mebibyte}) {
    EXPECT_LT(2 * database_memory_for(budget), budget - process_memory_bytes) << budget;
  }
  const std::uint64_t large = 64 * 1024 * mebibyte;
  EXPECT_GE(large / database_memory_for(large), 15);
  EXPECT_GE(database_memory_for(memory_bytes_min), 32 * mebibyte);
}

TEST(StepMemory, CountsAWholeBatchAsATaskOnlyWhereATransformTakesBatches) {
  const BatchPlan batch = batch_of(8, mebibyte);
  const StepMemory chunks(256 * mebibyte, 0, 0);
  const StepMemory batches = with_sql(256 * mebibyte);
  EXPECT_LT(chunks.task_bytes(batch), 10 * mebibyte);
  EXPECT_GT(batches.task_bytes(batch), 24 * mebibyte);
}

TEST(StepMemory, WhatSourceAndEncodersKeepIsNotForTasks) {
  const std::uint64_t budget = 256 * mebibyte;
  const StepMemory plain(budget, 0, 0);
  const StepMemory packed(budget, 0, 0, 50 * mebibyte, 20 * mebibyte);
  EXPECT_EQ(packed.source_bytes(), 50 * mebibyte);
  EXPECT_EQ(plain.bytes_left(2) - packed.bytes_left(2), 50 * mebibyte + 2 * 20 * mebibyte);
  EXPECT_LT(packed.workers(16, mebibyte), plain.workers(16, mebibyte));
  const BatchPlan large = batch_of(1, 70 * mebibyte);
  EXPECT_FALSE(packed.check(large, by_bytes()));
  const auto enough = number_behind(packed.check(large, by_bytes()).error().message, "`memory: ");
  EXPECT_TRUE(StepMemory(enough * mebibyte, 0, 0, 50 * mebibyte, 20 * mebibyte)
                  .check(large, by_bytes()));
}

TEST(StepMemory, TextThatIsKeptIsPlannedBeforeItIsReadButForAReserve) {
  for (const std::uint64_t budget : {memory_bytes_min, 512 * mebibyte, 64 * 1024 * mebibyte}) {
    EXPECT_LT(decoded_text_for(budget), budget / 3) << budget;
    EXPECT_GE(unread_text_for(budget), 8 * mebibyte) << budget;  // a batch of the usual size
    EXPECT_LT(unread_text_for(budget), decoded_text_for(budget) / 2) << budget;
  }
}

TEST(StepMemory, TakesNoMoreWorkersThanTheBudgetCarriesAndAlwaysOne) {
  const StepMemory memory = with_sql(256 * mebibyte);
  EXPECT_EQ(memory.workers(7, 30 * mebibyte), 2);
  EXPECT_EQ(memory.workers(1, 30 * mebibyte), 1);
  EXPECT_EQ(memory.workers(7, 4096 * mebibyte), 1);
  EXPECT_EQ(StepMemory(256 * mebibyte, 0, 0).workers(7, 4 * mebibyte), 7);
}

StepMemory of_processes(std::uint64_t memory_bytes_max) {
  return StepMemory(memory_bytes_max, 0, 0, 0, 0, worker_process_bytes);
}

TEST(StepMemory, CountsWhatAWorkerKeepsForBeingAProcess) {
  const std::uint64_t budget = 256 * mebibyte;
  const StepMemory threads(budget, 0, 0);
  EXPECT_EQ(threads.bytes_left(3) - of_processes(budget).bytes_left(3), 3 * worker_process_bytes);
  EXPECT_LT(of_processes(budget).workers(64, 4 * mebibyte), threads.workers(64, 4 * mebibyte));
  EXPECT_GE(of_processes(memory_bytes_min).workers(64, 4 * mebibyte), 2);
}

TEST(StepMemory, NamesABudgetThatIsEnoughForAProcess) {
  const BatchPlan large = batch_of(1, 70 * mebibyte);
  const auto refused = of_processes(128 * mebibyte).check(large, by_bytes());
  ASSERT_FALSE(refused);
  const auto enough = number_behind(refused.error().message, "`memory: ");
  EXPECT_TRUE(of_processes(enough * mebibyte).check(large, by_bytes()));
}

TEST(StepMemory, LetsAProcessTakeTwiceWhatItKeepsAndItsShareOfTheTasks) {
  for (const std::uint64_t budget : {memory_bytes_min, 512 * mebibyte, 8192 * mebibyte}) {
    const StepMemory memory = of_processes(budget);
    for (unsigned workers = 1; workers <= 64; workers *= 2) {
      const std::uint64_t each = memory.process_bytes(workers);
      EXPECT_GE(each, 2 * worker_process_bytes) << budget;
      EXPECT_LE(each, memory.process_bytes(workers / 2)) << budget;
      EXPECT_LE(workers * each / 2, std::max(budget, workers * 20 * mebibyte)) << budget;
    }
    EXPECT_EQ(memory.process_bytes(0), 2 * (memory.bytes_left(0) + worker_process_bytes +
                                            8 * mebibyte))
        << budget;
  }
}

TEST(StepMemory, LeavesLessForTasksWithEveryWorker) {
  const StepMemory memory = with_sql(256 * mebibyte);
  EXPECT_LT(memory.bytes_left(2), memory.bytes_left(1));
  EXPECT_EQ(memory.bytes_left(1000), 0);
}

TEST(StepMemory, TakesTheDefaultBatchOfCsvInTheLeastBudget) {
  BatchPlan batch = batch_of(8, mebibyte);
  for (auto& chunk : batch.chunks) chunk.memory_bytes = mebibyte * 27 / 10;
  EXPECT_TRUE(with_sql(memory_bytes_min).check(batch, by_bytes()));
}

TEST(StepMemory, RefusesABatchThatDoesNotFitAndNamesWhatWould) {
  const BatchPlan batch = batch_of(64, mebibyte);
  const auto refused = with_sql(256 * mebibyte).check(batch, by_bytes());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::config);
  const std::string& said = refused.error().message;
  const std::uint64_t memory = number_behind(said, "`memory: ");
  const std::uint64_t chunks = number_behind(said, "`batch: { bytes: ");
  ASSERT_GT(memory, 0) << said;
  ASSERT_GT(chunks, 0) << said;
  EXPECT_TRUE(with_sql(memory * mebibyte).check(batch, by_bytes())) << said;
  EXPECT_FALSE(with_sql((memory - 32) * mebibyte).check(batch, by_bytes())) << said;
  EXPECT_TRUE(with_sql(256 * mebibyte).check(batch_of(chunks, mebibyte), by_bytes())) << said;
}

TEST(StepMemory, NamesRowsWhereTheBatchWasAskedForInRows) {
  Division by_rows;
  by_rows.rows = 640'000;
  const auto refused = with_sql(256 * mebibyte).check(batch_of(64, mebibyte), by_rows);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("`batch: { rows: "), std::string::npos);
}

TEST(StepMemory, NamesNoSmallerBatchWhereOneRecordIsTooLarge) {
  BatchPlan batch = batch_of(1, 1024 * mebibyte);
  batch.chunks[0].records = 1;
  Division by_rows;
  by_rows.rows = 1;
  const auto refused = with_sql(256 * mebibyte).check(batch, by_rows);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.find("batches smaller"), std::string::npos);
  EXPECT_NE(refused.error().message.find("1 record)"), std::string::npos);
}

TEST(StepMemory, GivesLanesNoMoreThanAnEighthOfWhatWorkersLeave) {
  const StepMemory large(4096 * mebibyte, 0, 0);
  EXPECT_EQ(large.lanes(1022, 2), 1022U);
  const StepMemory small(memory_bytes_min, 0, 0);
  const unsigned lanes = small.lanes(1022, 2);
  EXPECT_GE(lanes, 62U) << "64 at once, in the least budget";
  EXPECT_LE(lanes * lane_memory_bytes, small.bytes_left(2) / 8);
  EXPECT_EQ(small.bytes_left(2, lanes), small.bytes_left(2) - lanes * lane_memory_bytes);
  EXPECT_EQ(small.lanes(3, 2), 3U);
}

}  // namespace
}  // namespace tranche
