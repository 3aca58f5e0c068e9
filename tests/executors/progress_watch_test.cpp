#include "executors/progress_watch.h"

#include <gtest/gtest.h>

namespace tranche {
namespace {

using namespace std::chrono_literals;

class Watching : public testing::Test {
 protected:
  // Looks a second after the look before.
  bool look() { return watch_.look(breadcrumb_, now_ += 1s); }
  ProgressWatch::Clock::duration still() const { return watch_.still(now_); }

  Breadcrumb breadcrumb_;
  ProgressWatch watch_;
  ProgressWatch::Clock::time_point now_{100h};
};

TEST_F(Watching, WhoHasNothingToDoIsNeverStill) {
  for (int i = 0; i < 3; ++i) {
    look();
    EXPECT_EQ(still(), 0s);
  }
}

TEST_F(Watching, WhoHasBegunIsStillFromTheFirstLookOn) {
  breadcrumb_.begin_task(1, {0, 10});
  EXPECT_TRUE(look());
  EXPECT_EQ(still(), 0s);
  EXPECT_FALSE(look());
  EXPECT_FALSE(look());
  EXPECT_EQ(still(), 2s);
}

TEST_F(Watching, AnotherTaskOrRecordOrABeatIsProgress) {
  breadcrumb_.begin_task(1, {0, 10});
  look();
  look();
  breadcrumb_.take(0, 3, 1);
  EXPECT_TRUE(look());
  EXPECT_EQ(still(), 0s);
  EXPECT_FALSE(look());
  breadcrumb_.at(4);
  EXPECT_TRUE(look());
  EXPECT_FALSE(look());
  breadcrumb_.beat();
  EXPECT_TRUE(look());
  EXPECT_FALSE(look());
  breadcrumb_.begin_task(2, {0, 10});
  EXPECT_TRUE(look());
  EXPECT_EQ(still(), 0s);
}

TEST_F(Watching, WhoIsDoneIsNotStill) {
  breadcrumb_.begin_task(1, {0, 10});
  look();
  look();
  breadcrumb_.end_task();
  EXPECT_TRUE(look());
  EXPECT_EQ(still(), 0s);
  look();
  EXPECT_EQ(still(), 0s);
}

TEST_F(Watching, TheSameTaskAfterAPauseBeginsAnew) {
  breadcrumb_.begin_task(1, {0, 10});
  look();
  look();
  breadcrumb_.end_task();
  look();
  breadcrumb_.begin_task(1, {0, 10});
  EXPECT_TRUE(look());
  EXPECT_EQ(still(), 0s);
}

}  // namespace
}  // namespace tranche
