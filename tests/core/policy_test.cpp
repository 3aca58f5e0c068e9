#include <tranche/core/policy.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <vector>

namespace tranche {
namespace {

RejectLimit limit_of(std::string_view text) {
  const Result<RejectLimit> limit = parse_reject_limit(text);
  EXPECT_TRUE(limit) << text;
  return limit ? *limit : RejectLimit{};
}

TEST(RejectLimit, IsANumberOrAShare) {
  EXPECT_EQ(limit_of("1000"), (RejectLimit{false, 1000, 0}));
  EXPECT_EQ(limit_of("0"), RejectLimit{});
  EXPECT_EQ(limit_of("0.1%"), (RejectLimit{true, 0, 1000}));
  EXPECT_EQ(limit_of("100%"), (RejectLimit{true, 0, 1'000'000}));
  EXPECT_EQ(limit_of("0.0001 %"), (RejectLimit{true, 0, 1}));
  EXPECT_EQ(limit_of("12.3456%"), (RejectLimit{true, 0, 123'456}));
  EXPECT_EQ(limit_of("0%"), RejectLimit{}) << "no record is as good as the first one too many";
}

TEST(RejectLimit, RefusesWhatIsNeither) {
  for (const char* text : {"", "%", "-1", "1.5", "101%", "100.0001%", "0.00001%", ".5%", "1.%",
                           "many", "1,000", "99999999999999999999", "10 %%"}) {
    const Result<RejectLimit> limit = parse_reject_limit(text);
    ASSERT_FALSE(limit) << text;
    EXPECT_EQ(limit.error().kind, ErrorKind::config);
    EXPECT_NE(limit.error().message.find("such as 0.1%"), std::string::npos);
  }
}

TEST(RejectLimit, ReadsWhatItWrites) {
  for (const char* text : {"0", "1000", "0.1%", "100%", "0.0001%", "12.3456%", "10%"})
    EXPECT_EQ(to_string(limit_of(text)), text);
}

TEST(RejectJudge, FindsTheFirstRejectOneTooManyByDefault) {
  RejectJudge judge({}, 0, 0);
  EXPECT_TRUE(judge.reach(500));
  EXPECT_FALSE(judge.admit(500));
  EXPECT_EQ(judge.rejected(), 1U);
}

TEST(RejectJudge, AdmitsExactlyTheNumber) {
  RejectJudge judge(limit_of("3"), 0, 0);
  for (const std::uint64_t record : {10U, 11U, 12U}) EXPECT_TRUE(judge.admit(record));
  EXPECT_TRUE(judge.finish(13));
  EXPECT_FALSE(judge.admit(13));
}

TEST(RejectJudge, RemembersWhatEarlierProcessesRejected) {
  RejectJudge judge(limit_of("3"), 2, 1000);
  EXPECT_TRUE(judge.admit(1000));
  EXPECT_FALSE(judge.admit(1001));
}

TEST(RejectJudge, KnowsNoLimitAtAHundredPerCent) {
  RejectJudge judge(limit_of("100%"), 0, 0);
  for (std::uint64_t record = 0; record < 20'000; ++record) ASSERT_TRUE(judge.admit(record));
  EXPECT_TRUE(judge.finish(20'000));
}

TEST(RejectJudge, JudgesNoShareBeforeTenThousandRecords) {
  RejectJudge judge(limit_of("0.1%"), 0, 0);  // 10 of 10,000
  for (std::uint64_t record = 0; record < 10; ++record) EXPECT_TRUE(judge.admit(record));
  EXPECT_TRUE(judge.reach(9'999));
  EXPECT_TRUE(judge.reach(10'000)) << "exactly the share";
  EXPECT_FALSE(judge.admit(10'000)) << "11 of 10,001";
}

TEST(RejectJudge, JudgesAShareWhenTenThousandIsReached) {
  RejectJudge judge(limit_of("0.1%"), 0, 0);
  for (std::uint64_t record = 0; record < 11; ++record) EXPECT_TRUE(judge.admit(record));
  EXPECT_FALSE(judge.reach(10'000));
}

TEST(RejectJudge, JudgesTheTenThousandthRecordItself) {
  RejectJudge judge(limit_of("0.1%"), 0, 0);
  for (std::uint64_t record = 0; record < 10; ++record) EXPECT_TRUE(judge.admit(record));
  EXPECT_FALSE(judge.admit(9'999));
}

TEST(RejectJudge, JudgesAtTenThousandThoughTheNextRejectIsFarBehindIt) {
  RejectJudge judge(limit_of("0.1%"), 0, 0);
  for (std::uint64_t record = 0; record < 11; ++record) EXPECT_TRUE(judge.admit(record));
  EXPECT_FALSE(judge.admit(1'000'000)) << "11 of 10,000 were too many, whatever came later";
}

TEST(RejectJudge, AdmitsWhereTheShareHasFallenBetweenTwoRejects) {
  RejectJudge judge(limit_of("0.1%"), 10, 10'000);
  EXPECT_FALSE(RejectJudge(judge).admit(10'998)) << "11 of 10,999";
  EXPECT_TRUE(RejectJudge(judge).admit(10'999)) << "11 of 11,000";
}

TEST(RejectJudge, JudgesAShareOfFewRecordsAtTheEnd) {
  RejectJudge judge(limit_of("10%"), 0, 0);
  EXPECT_TRUE(judge.admit(3));
  EXPECT_TRUE(judge.finish(10));
  EXPECT_FALSE(judge.finish(9));
}

TEST(RejectJudge, NeverOverflows) {
  RejectJudge judge(limit_of("99.9999%"), UINT64_MAX / 2, UINT64_MAX / 2);
  EXPECT_FALSE(judge.admit(UINT64_MAX / 2));
}

// The verdict and its place are those of a naive count, for any division into groups.
TEST(RejectJudge, JudgesAlikeHoweverTheRecordsAreGrouped) {
  std::mt19937_64 random(20261123);
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t records = 9'000 + random() % 4'000;
    const std::uint64_t one_in = 700 + random() % 600;  // around the limit of 0.1 %
    std::vector<bool> bad(records);
    for (std::uint64_t i = 0; i < records; ++i) bad[i] = random() % one_in == 0;
    std::uint64_t rejected = 0;
    bool naive = true;
    for (std::uint64_t i = 0; i < records && naive; ++i) {
      rejected += bad[i] ? 1 : 0;
      if (i + 1 == 10'000 || (bad[i] && i + 1 > 10'000)) naive = rejected * 1000 <= i + 1;
    }
    naive = naive && rejected * 1000 <= records;
    for (const std::uint64_t group :
         {std::uint64_t{1}, std::uint64_t{77}, std::uint64_t{5'000}, records}) {
      RejectJudge judge(limit_of("0.1%"), 0, 0);
      bool verdict = true;
      for (std::uint64_t begin = 0; begin < records && verdict; begin += group) {
        const std::uint64_t end = std::min(begin + group, records);
        // Each group may be judged by another process.
        judge = RejectJudge(limit_of("0.1%"), judge.rejected(), begin);
        for (std::uint64_t i = begin; i < end && verdict; ++i)
          if (bad[i]) verdict = judge.admit(i);
        verdict = verdict && judge.reach(end);
      }
      verdict = verdict && judge.finish(records);
      ASSERT_EQ(verdict, naive) << "round " << round << ", groups of " << group;
    }
  }
}

TEST(FailureStreak, EndsAStepWhoseFirstRecordsAllFailAlike) {
  FailureStreak streak(3, 0, 0);
  EXPECT_TRUE(streak.admit(0, "read", "column 2, \"price\": \"a\" is no number"));
  EXPECT_TRUE(streak.admit(1, "read", "column 2, \"price\": \"bc\" is no number"));
  EXPECT_FALSE(streak.admit(2, "read", "column 12, \"price\": \"\" is no number"));
}

TEST(FailureStreak, IsOverAtTheFirstRecordThatDoesNotFail) {
  FailureStreak streak(3, 0, 0);
  EXPECT_TRUE(streak.admit(0, "read", "bad"));
  for (std::uint64_t record = 2; record < 10; ++record)
    EXPECT_TRUE(streak.admit(record, "read", "bad"));
}

TEST(FailureStreak, IsOverAtTheFirstRecordThatFailsInAnotherWay) {
  FailureStreak streak(3, 0, 0);
  EXPECT_TRUE(streak.admit(0, "read", "bad"));
  EXPECT_TRUE(streak.admit(1, "write", "bad"));
  for (std::uint64_t record = 2; record < 10; ++record)
    EXPECT_TRUE(streak.admit(record, "write", "bad"));
}

TEST(FailureStreak, GoesOnWhereEarlierProcessesDidNothingButReject) {
  FailureStreak streak(3, 2, 2);
  EXPECT_FALSE(streak.admit(2, "read", "bad"));
}

TEST(FailureStreak, IsNoneBehindRecordsThatWereGoodOrWhereNobodyWantsIt) {
  for (FailureStreak streak : {FailureStreak(3, 10, 9), FailureStreak(0, 0, 0)}) {
    for (std::uint64_t record = 10; record < 20; ++record)
      EXPECT_TRUE(streak.admit(record, "read", "bad"));
  }
}

TEST(RetryPolicy, WaitsTwiceAsLongEachTimeAndSomeoneElseAnotherWhile) {
  RetryPolicy policy;
  policy.backoff = std::chrono::milliseconds(1000);
  policy.backoff_max = std::chrono::milliseconds(5000);
  const std::int64_t most[] = {1000, 2000, 4000, 5000, 5000};
  std::vector<std::int64_t> of_others;
  for (std::uint32_t attempt = 1; attempt <= 5; ++attempt) {
    for (std::uint64_t salt = 0; salt < 100; ++salt) {
      const auto wait = policy.wait_after(attempt, salt).count();
      EXPECT_GE(wait, most[attempt - 1] / 2);
      EXPECT_LE(wait, most[attempt - 1]);
      EXPECT_EQ(wait, policy.wait_after(attempt, salt).count());
      if (attempt == 1) of_others.push_back(wait);
    }
  }
  std::sort(of_others.begin(), of_others.end());
  EXPECT_LT(of_others.front(), 600);
  EXPECT_GT(of_others.back(), 900);
}

TEST(RetryPolicy, TakesMoreTroubleForPassingWhereItIsTold) {
  RetryPolicy policy;
  const Error full = make_error(ErrorKind::failed, "Write failed: Disk Quota exceeded.");
  EXPECT_TRUE(policy.is_transient(make_error(ErrorKind::transient, "locked")));
  EXPECT_FALSE(policy.is_transient(full));
  policy.transient = {"53300", "disk quota"};
  EXPECT_TRUE(policy.is_transient(full));
  EXPECT_FALSE(policy.is_transient(make_error(ErrorKind::config, "disk quota")));
}

}  // namespace
}  // namespace tranche
