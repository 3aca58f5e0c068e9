#include "plan/planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace tranche {
namespace {

// Inputs as lists of record sizes, cut as the port says.
using Files = std::vector<std::vector<std::uint64_t>>;

class FakeStream : public SliceStream {
 public:
  FakeStream(const Files& files, const Slice* after) : files_(files) {
    if (after == nullptr) return;
    input_ = after->input;
    offset_ = after->end;
    for (std::uint64_t bytes = 0; bytes < offset_; ++record_) bytes += files_[input_][record_];
  }
  Result<std::optional<Slice>> next(const CutLimits& limits) override {
    while (input_ < files_.size() && record_ == files_[input_].size()) {
      ++input_;
      record_ = 0;
      offset_ = 0;
    }
    if (input_ == files_.size()) return std::optional<Slice>();
    Slice slice;
    slice.input = static_cast<std::uint32_t>(input_);
    slice.begin = offset_;
    while (record_ < files_[input_].size() && slice.records < limits.records_max &&
           (slice.bytes < limits.bytes_max || slice.records == 0)) {
      slice.bytes += files_[input_][record_++];
      ++slice.records;
    }
    offset_ += slice.bytes;
    slice.end = offset_;
    slice.digest = slice.begin * 31 + slice.end;
    return std::optional(slice);
  }

 private:
  const Files& files_;
  std::size_t input_ = 0;
  std::size_t record_ = 0;
  std::uint64_t offset_ = 0;
};

std::vector<BatchPlan> drain(Planner& planner) {
  std::vector<BatchPlan> batches;
  while (true) {
    Result<std::optional<BatchPlan>> batch = planner.next();
    EXPECT_TRUE(batch);
    if (!batch || !*batch) return batches;
    batches.push_back(**std::move(batch));
  }
}

std::vector<BatchPlan> plan_of(const Files& files, const Division& division) {
  FakeStream stream(files, nullptr);
  Planner planner(stream, division);
  return drain(planner);
}

std::vector<std::uint64_t> group_numbers(const std::vector<BatchPlan>& plan) {
  std::vector<std::uint64_t> groups;
  for (const BatchPlan& batch : plan) groups.push_back(batch.group);
  return groups;
}

Files random_files(std::mt19937_64& random) {
  Files files(random() % 4);
  for (auto& file : files)
    for (std::uint64_t n = random() % 60; n > 0; --n) file.push_back(1 + random() % 40);
  return files;
}

Division random_division(std::mt19937_64& random) {
  Division division;
  if (random() % 2 == 0) division.rows = 1 + random() % 30;
  if (random() % 2 == 0) division.bytes = 1 + random() % 500;
  if (random() % 2 == 0) division.chunk_bytes = 1 + random() % 200;
  if (random() % 2 == 0) division.group_bytes = 1 + random() % 1500;
  return division;
}

TEST(Planner, MakesNoBatchOfAnEmptySource) {
  EXPECT_TRUE(plan_of({}, {.rows = 10}).empty());
  EXPECT_TRUE(plan_of({{}, {}}, {}).empty());
}

TEST(Planner, CutsBatchesOfExactlyTheRowsAskedFor) {
  const std::vector<BatchPlan> plan = plan_of({std::vector<std::uint64_t>(25, 7)}, {.rows = 10});
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_EQ(plan[0].records(), 10U);
  EXPECT_EQ(plan[1].records(), 10U);
  EXPECT_EQ(plan[2].records(), 5U);
  EXPECT_EQ(plan[2].number, 2U);
  EXPECT_EQ(plan[2].chunks[0].first_record, 20U);
}

TEST(Planner, EndsABatchWithTheRecordThatReachesTheBytes) {
  const std::vector<BatchPlan> plan = plan_of({{40, 40, 40, 40, 40, 300, 1}}, {.bytes = 100});
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_EQ(plan[0].bytes(), 120U);
  EXPECT_EQ(plan[1].bytes(), 380U) << "a record is never cut";
  EXPECT_EQ(plan[2].bytes(), 1U);
}

TEST(Planner, EndsABatchWithWhicheverLimitComesFirst) {
  const std::vector<BatchPlan> plan =
      plan_of({{10, 10, 10, 90, 90, 10}}, {.rows = 3, .bytes = 100});
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_EQ(plan[0].records(), 3U);
  EXPECT_EQ(plan[1].records(), 2U);
  EXPECT_EQ(plan[2].records(), 1U);
}

TEST(Planner, SpansInputsWithABatchButNeverWithAChunk) {
  const std::vector<BatchPlan> plan = plan_of({{5, 5, 5}, {}, {5, 5}}, {.rows = 4});
  ASSERT_EQ(plan.size(), 2U);
  ASSERT_EQ(plan[0].chunks.size(), 2U);
  EXPECT_EQ(plan[0].chunks[0].input, 0U);
  EXPECT_EQ(plan[0].chunks[1].input, 2U);
  EXPECT_EQ(plan[0].records(), 4U);
}

TEST(Planner, CutsChunksOfAtMostTheirBytes) {
  const std::vector<BatchPlan> plan =
      plan_of({std::vector<std::uint64_t>(12, 10)}, {.rows = 10, .chunk_bytes = 30});
  ASSERT_EQ(plan.size(), 2U);
  ASSERT_EQ(plan[0].chunks.size(), 4U);
  EXPECT_EQ(plan[0].chunks[0].records, 3U);
  EXPECT_EQ(plan[0].chunks[3].records, 1U);
}

TEST(Planner, MakesEachBatchAGroupUnlessTheySharePartsOfBytes) {
  const Files files{std::vector<std::uint64_t>(10, 10)};
  EXPECT_EQ(group_numbers(plan_of(files, {.rows = 2})),
            (std::vector<std::uint64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(group_numbers(plan_of(files, {.rows = 2, .group_bytes = 40})),
            (std::vector<std::uint64_t>{0, 0, 1, 1, 2}));
  EXPECT_EQ(group_numbers(plan_of(files, {.rows = 2, .group_bytes = 50})),
            (std::vector<std::uint64_t>{0, 0, 0, 1, 1}));
}

TEST(Planner, PutsEveryRecordIntoExactlyOneChunkInOrder) {
  std::mt19937_64 random(20261123);
  for (int round = 0; round < 500; ++round) {
    const Files files = random_files(random);
    const Division division = random_division(random);
    std::uint64_t record = 0;
    std::uint64_t number = 0;
    std::vector<std::uint64_t> read_bytes(files.size());
    for (const BatchPlan& batch : plan_of(files, division)) {
      EXPECT_EQ(batch.number, number++);
      ASSERT_FALSE(batch.chunks.empty());
      if (division.rows != 0) {
        EXPECT_LE(batch.records(), division.rows);
      }
      for (const Slice& chunk : batch.chunks) {
        ASSERT_EQ(chunk.first_record, record);
        ASSERT_EQ(chunk.begin, read_bytes[chunk.input]);
        record += chunk.records;
        read_bytes[chunk.input] = chunk.end;
      }
    }
    std::uint64_t records = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
      records += files[i].size();
      std::uint64_t bytes = 0;
      for (const std::uint64_t size : files[i]) bytes += size;
      ASSERT_EQ(read_bytes[i], bytes);
    }
    ASSERT_EQ(record, records);
  }
}

TEST(Planner, GoesOnBehindAnyBatchAsIfItHadNeverStopped) {
  std::mt19937_64 random(4711);
  for (int round = 0; round < 300; ++round) {
    const Files files = random_files(random);
    const Division division = random_division(random);
    const std::vector<BatchPlan> plan = plan_of(files, division);
    for (std::size_t done = 1; done <= plan.size(); ++done) {
      const std::span<const BatchPlan> planned(plan.data(), done);
      FakeStream stream(files, &planned.back().chunks.back());
      Planner planner(stream, division, position_behind(planned, division, std::nullopt));
      std::vector<BatchPlan> whole(planned.begin(), planned.end());
      for (BatchPlan& batch : drain(planner)) whole.push_back(std::move(batch));
      ASSERT_EQ(whole, plan) << "round " << round << ", behind batch " << done - 1;
    }
  }
}

TEST(Planner, KnowsItsPositionAsTheBatchesTellIt) {
  std::mt19937_64 random(99);
  for (int round = 0; round < 100; ++round) {
    const Files files = random_files(random);
    const Division division = random_division(random);
    FakeStream stream(files, nullptr);
    Planner planner(stream, division);
    std::vector<BatchPlan> planned;
    while (true) {
      auto batch = planner.next();
      ASSERT_TRUE(batch);
      if (!*batch) break;
      planned.push_back(**std::move(batch));
      ASSERT_EQ(planner.position(), position_behind(planned, division, std::nullopt));
    }
  }
}

TEST(Planner, NeverAddsToAGroupThatIsCommitted) {
  const Division division{.rows = 2, .group_bytes = 1000};
  const std::vector<BatchPlan> plan = plan_of({{10, 10, 10}}, division);
  ASSERT_EQ(group_numbers(plan), (std::vector<std::uint64_t>{0, 0}));
  const PlanPosition position = position_behind(plan, division, 0);
  EXPECT_EQ(position, (PlanPosition{2, 1, 3, 0}))
      << "the file grew after its last group was committed";
  EXPECT_EQ(position_behind(plan, division, std::nullopt), (PlanPosition{2, 0, 3, 30}));
}

class BrokenStream : public SliceStream {
 public:
  explicit BrokenStream(std::vector<std::uint64_t> records) : records_(std::move(records)) {}
  Result<std::optional<Slice>> next(const CutLimits&) override {
    if (records_.empty()) return make_error(ErrorKind::failed, "The file shrank.");
    Slice slice;
    slice.records = records_.front();
    records_.erase(records_.begin());
    return std::optional(slice);
  }

 private:
  std::vector<std::uint64_t> records_;
};

TEST(Planner, StaysFailedSinceWhatTheStreamGaveWouldBeMissing) {
  BrokenStream stream({5});
  Planner planner(stream, {.rows = 10});
  for (int call = 0; call < 2; ++call) {
    const auto batch = planner.next();
    ASSERT_FALSE(batch);
    EXPECT_EQ(batch.error().message, "The file shrank.");
  }
}

TEST(Planner, RefusesASliceThatIsEmptyOrBeyondItsLimits) {
  for (const std::uint64_t records : {0U, 11U}) {
    BrokenStream stream({records});
    Planner planner(stream, {.rows = 10});
    const auto batch = planner.next();
    ASSERT_FALSE(batch);
    EXPECT_EQ(batch.error().kind, ErrorKind::bug);
  }
}

TEST(ChooseDivision, FillsInWhatTheJobLeavesOpen) {
  const Division source{.rows = 100, .bytes = 200, .chunk_bytes = 20};
  EXPECT_EQ(choose_division({}, source, 64),
            (Division{.rows = 100, .bytes = 200, .chunk_bytes = 20, .group_bytes = 64}));
  EXPECT_EQ(choose_division({.rows = 7}, source, 0), (Division{.rows = 7, .chunk_bytes = 20}));
  EXPECT_EQ(choose_division({.bytes = 9, .group_bytes = 5}, source, 64),
            (Division{.bytes = 9, .chunk_bytes = 20, .group_bytes = 5}));
}

}  // namespace
}  // namespace tranche
