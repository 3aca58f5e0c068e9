#include "engine/inquest.h"

#include <algorithm>
#include <functional>
#include <set>

#include <gtest/gtest.h>

namespace tranche::engine {
namespace {

using Verdict = Inquest::Verdict;
using Records = std::vector<std::uint64_t>;

Death death_by(int signal) {
  Death death;
  death.how = "was killed by signal " + std::to_string(signal);
  death.signal = signal;
  return death;
}

// What was tried, and what came of it.
struct Trials {
  std::vector<RecordRange> tried;
  // True: a worker that gets these records dies.
  std::function<bool(RecordRange)> is_deadly;

  void hold(Inquest& inquest) {
    while (inquest.verdict() == Verdict::open && tried.size() < 1000) {
      const RecordRange trial = inquest.next_trial();
      tried.push_back(trial);
      if (is_deadly(trial))
        inquest.died(death_by(11));
      else
        inquest.lived();
    }
  }
};

Trials with_killers(std::set<std::uint64_t> killers) {
  return {{}, [killers = std::move(killers)](RecordRange range) {
            return std::any_of(killers.begin(), killers.end(),
                               [&](std::uint64_t record) { return range.contains(record); });
          }};
}

Records records_of(const std::vector<Inquest::Guilty>& culprits) {
  Records records;
  for (const auto& guilty : culprits) records.push_back(guilty.record);
  return records;
}

TEST(Inquest, OfATaskWithoutRecordsFindsNobodyGuilty) {
  EXPECT_EQ(Inquest({5, 5}, {}, false).verdict(), Verdict::innocent);
  EXPECT_EQ(Inquest({0, 0}, {0}, true).verdict(), Verdict::innocent);
}

TEST(Inquest, TriesARecordThatWasInHandAloneAndNobodyElseWhenItDies) {
  Inquest inquest({100, 200}, {142}, false);
  Trials trials = with_killers({142, 143});
  trials.hold(inquest);
  EXPECT_EQ(inquest.verdict(), Verdict::guilty);
  EXPECT_EQ(records_of(inquest.culprits()), Records{142});
  EXPECT_EQ(trials.tried, (std::vector<RecordRange>{{142, 143}}));
}

TEST(Inquest, RemembersHowEachCulpritDied) {
  Inquest inquest({0, 10}, {2, 5}, true);
  inquest.died(death_by(11));
  inquest.died(death_by(6));
  ASSERT_EQ(inquest.verdict(), Verdict::guilty);
  ASSERT_EQ(inquest.culprits().size(), 2U);
  EXPECT_EQ(inquest.culprits()[0].death.signal, 11);
  EXPECT_EQ(inquest.culprits()[1].death.signal, 6);
  EXPECT_EQ(inquest.last_death().signal, 6);
}

TEST(Inquest, TriesAllWhoWereNamedAndConvictsThoseWhoDie) {
  Inquest inquest({0, 100}, {3, 50, 99}, true);
  Trials trials = with_killers({3, 99, 70});
  trials.hold(inquest);
  EXPECT_EQ(inquest.verdict(), Verdict::guilty);
  EXPECT_EQ(records_of(inquest.culprits()), (Records{3, 99}));
  EXPECT_EQ(trials.tried.size(), 3U);
}

TEST(Inquest, TriesNobodyElseWhenOnlyTheNamedAreSuspected) {
  Inquest inquest({0, 100}, {3, 50}, true);
  Trials trials = with_killers({70});
  trials.hold(inquest);
  EXPECT_EQ(inquest.verdict(), Verdict::innocent);
  EXPECT_EQ(trials.tried.size(), 2U);
}

TEST(Inquest, LooksFurtherWhenTheNamedAreInnocent) {
  Inquest inquest({0, 100}, {3}, false);
  Trials trials = with_killers({70});
  trials.hold(inquest);
  EXPECT_EQ(inquest.verdict(), Verdict::guilty);
  EXPECT_EQ(records_of(inquest.culprits()), Records{70});
}

TEST(Inquest, DoesNotSuspectRecordsOfOtherTasks) {
  Inquest inquest({10, 20}, {5, 20}, false);
  EXPECT_EQ(inquest.next_trial(), (RecordRange{10, 20}));  // nobody is named
}

TEST(Inquest, FindsNobodyGuiltyWhenTheWholeTaskLives) {
  Inquest inquest({0, 100}, {}, false);
  Trials trials = with_killers({});
  trials.hold(inquest);
  EXPECT_EQ(inquest.verdict(), Verdict::innocent);
  EXPECT_EQ(trials.tried, (std::vector<RecordRange>{{0, 100}}));
}

TEST(Inquest, FindsTheOneAmongAnyNumberOfRecordsWhereverItIs) {
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{1000}}) {
    for (std::uint64_t count = 1; count <= 40; ++count) {
      for (std::uint64_t killer = first; killer < first + count; ++killer) {
        Inquest inquest({first, first + count}, {}, false);
        Trials trials = with_killers({killer});
        trials.hold(inquest);
        ASSERT_EQ(inquest.verdict(), Verdict::guilty) << killer << " of " << count;
        ASSERT_EQ(records_of(inquest.culprits()), Records{killer}) << count;
      }
    }
  }
}

TEST(Inquest, ConvictsOnlyWhoDiedAlone) {
  for (std::uint64_t killer = 0; killer < 33; ++killer) {
    Inquest inquest({0, 33}, {}, false);
    Trials trials = with_killers({killer});
    trials.hold(inquest);
    EXPECT_EQ(std::count(trials.tried.begin(), trials.tried.end(), RecordRange{killer, killer + 1}),
              1)
        << killer;
  }
}

TEST(Inquest, FindsTheFirstOfSeveralAndTheOthersInInquestsOfTheirOwn) {
  const std::set<std::uint64_t> killers = {4, 5, 17, 39};
  std::set<std::uint64_t> found;
  while (found.size() < killers.size()) {
    std::set<std::uint64_t> left;  // who was found is kept out of the next trials
    std::set_difference(killers.begin(), killers.end(), found.begin(), found.end(),
                        std::inserter(left, left.end()));
    Inquest inquest({0, 40}, {}, false);
    Trials trials = with_killers(left);
    trials.hold(inquest);
    ASSERT_EQ(inquest.verdict(), Verdict::guilty);
    ASSERT_EQ(records_of(inquest.culprits()), Records{*left.begin()});
    found.insert(*left.begin());
  }
}

TEST(Inquest, NeedsAsManyTrialsAsTheRecordsCanBeHalved) {
  const std::uint64_t count = std::uint64_t{1} << 20;
  for (const std::uint64_t killer : {std::uint64_t{0}, count / 3, count / 2, count - 1}) {
    Inquest inquest({0, count}, {}, false);
    Trials trials = with_killers({killer});
    trials.hold(inquest);
    ASSERT_EQ(records_of(inquest.culprits()), Records{killer});
    EXPECT_LE(trials.tried.size(), 20U + 3U);  // all, nobody, 20 halves, and it alone
  }
}

TEST(Inquest, SaysThatRecordsDieTogetherWhenTheyDoSoOnlyInCompany) {
  for (std::uint64_t one = 0; one < 20; ++one) {
    for (std::uint64_t other = one + 1; other < 20; ++other) {
      Inquest inquest({0, 20}, {}, false);
      Trials trials{
          {}, [&](RecordRange range) { return range.contains(one) && range.contains(other); }};
      trials.hold(inquest);
      ASSERT_EQ(inquest.verdict(), Verdict::together);
      EXPECT_EQ(inquest.company(), (RecordRange{0, other + 1}));
      EXPECT_TRUE(inquest.culprits().empty());
      EXPECT_EQ(inquest.last_death().signal, 11);
    }
  }
}

TEST(Inquest, FindsNobodyGuiltyOfADeathThatCantBeRepeated) {
  for (std::size_t deaths = 1; deaths <= 4; ++deaths) {  // of trials of many records, not of one
    Inquest inquest({0, 20}, {}, false);
    Trials trials;
    trials.is_deadly = [&](RecordRange range) {
      return range.count() > 1 && trials.tried.size() <= deaths;
    };
    trials.hold(inquest);
    EXPECT_EQ(inquest.verdict(), Verdict::innocent) << deaths;
    EXPECT_TRUE(inquest.culprits().empty());
  }
}

TEST(Inquest, TriesNobodyTwiceWhoWasInTwoHands) {
  Inquest inquest({0, 20}, {7, 7, 9, 7}, true);
  Trials trials = with_killers({7});
  trials.hold(inquest);
  EXPECT_EQ(records_of(inquest.culprits()), Records{7});
  EXPECT_EQ(trials.tried.size(), 2U);
}

TEST(Inquest, ConvictsNoRecordOfATaskThatDiesWithoutAnyOfThem) {
  for (const std::uint64_t count : {1, 2, 40}) {
    Inquest inquest({7, 7 + count}, {}, false);
    Trials trials{{}, [](RecordRange) { return true; }};
    trials.hold(inquest);
    EXPECT_EQ(inquest.verdict(), Verdict::unprovoked);
    EXPECT_TRUE(inquest.culprits().empty());
    EXPECT_EQ(trials.tried, (std::vector<RecordRange>{{7, 7 + count}, {7, 7}}));
  }
}

}  // namespace
}  // namespace tranche::engine
