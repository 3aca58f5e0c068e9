#include <tranche/core/counts.h>

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace tranche {
namespace {

// 100 records: 2 unreadable, 3 fail in SQL, which makes 190 of the others; the sink refuses 1.
Counts good() {
  Counts counts;
  counts.planned = 100;
  counts.read = 98;
  counts.read_rejects = 2;
  counts.stages = {StageCounts{"function", 98, 90, 1, 7, true},
                   StageCounts{"sql", 90, 190, 3, 0, false}};
  counts.offered = 190;
  counts.encoded = 190;
  counts.written = 189;
  counts.write_rejects = 1;
  return counts;
}

std::string complaint_after(const std::function<void(Counts&)>& change) {
  Counts counts = good();
  change(counts);
  const Result<void> result = reconcile(counts);
  if (result) return "no error";
  EXPECT_EQ(result.error().kind, ErrorKind::bug);
  return result.error().message;
}

TEST(Reconcile, AcceptsCountsThatAgree) {
  EXPECT_TRUE(reconcile(good()));
  EXPECT_TRUE(reconcile(Counts{}));
}

TEST(Reconcile, AcceptsAStageThatGivesMoreOrFewerThanItTook) {
  Counts counts;
  counts.planned = counts.read = 10;
  counts.stages = {StageCounts{"sql", 10, 0, 0, 0, false}};
  EXPECT_TRUE(reconcile(counts));
}

TEST(Reconcile, NamesTheStageThatLostARecordAndBothFigures) {
  const std::string tail = "; nothing of this group was committed.";
  EXPECT_EQ(
      complaint_after([](Counts& c) { c.read = 97; }),
      "The counts of stage \"read\" do not agree: 100 records planned, 97 read and 2 rejected" +
          tail);
  EXPECT_EQ(
      complaint_after([](Counts& c) { c.stages[0].in = 97; }),
      "The counts of stage \"function\" do not agree: 98 records came from stage \"read\", 97 "
      "taken in" +
          tail);
  EXPECT_EQ(complaint_after([](Counts& c) { c.stages[0].filtered = 6; }),
            "The counts of stage \"function\" do not agree: 98 records taken in, 90 given on, 6 "
            "filtered and 1 rejected" +
                tail);
  EXPECT_EQ(complaint_after([](Counts& c) { c.stages[1].in = 89; }),
            "The counts of stage \"sql\" do not agree: 90 records came from stage \"function\", 89 "
            "taken in" +
                tail);
  EXPECT_EQ(complaint_after([](Counts& c) { c.offered = 189; }),
            "The counts of stage \"sql\" do not agree: 190 records given on, 189 offered to the "
            "encoder" +
                tail);
  EXPECT_EQ(complaint_after([](Counts& c) { c.encoded = 189; }),
            "The counts of stage \"encode\" do not agree: 190 records offered, 189 encoded" + tail);
  EXPECT_EQ(complaint_after([](Counts& c) { c.written = 188; }),
            "The counts of stage \"write\" do not agree: 190 records encoded, 188 written and 1 "
            "rejected" +
                tail);
}

TEST(Reconcile, BlamesTheReaderWhereThereIsNoTransform) {
  Counts counts;
  counts.planned = counts.read = 10;
  counts.offered = counts.encoded = counts.written = 9;
  const Result<void> result = reconcile(counts);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("stage \"read\""), std::string::npos);
}

TEST(Counts, AddUpStageByStage) {
  Counts sum;
  sum.add(good());
  sum.add(good());
  EXPECT_EQ(sum.planned, 200U);
  ASSERT_EQ(sum.stages.size(), 2U);
  EXPECT_EQ(sum.stages[0].name, "function");
  EXPECT_EQ(sum.stages[0].filtered, 14U);
  EXPECT_TRUE(sum.stages[0].counts_filtered);
  EXPECT_EQ(sum.stages[1].out, 380U);
  EXPECT_EQ(sum.rejected(), 2U * (2 + 1 + 3 + 1));
  EXPECT_TRUE(reconcile(sum));
}

}  // namespace
}  // namespace tranche
