#include "steps/batch_ahead.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace tranche {
namespace {

using Planned = Result<std::optional<BatchPlan>>;

void no_interrupt() {}

BatchPlan batch(std::uint64_t number) {
  BatchPlan plan;
  plan.number = number;
  return plan;
}

TEST(BatchAhead, GivesWhatIsPlannedInOrderAndTheEndAgainAndAgain) {
  std::uint64_t planned = 0;
  BatchAhead ahead(
      [&]() -> Planned {
        if (planned == 1000) return std::optional<BatchPlan>();
        return std::optional(batch(planned++));
      },
      no_interrupt);
  for (std::uint64_t number = 0; number < 1000; ++number) {
    const auto next = ahead.next();
    ASSERT_TRUE(next && *next);
    ASSERT_EQ((*next)->number, number);
  }
  for (int again = 0; again < 2; ++again) {
    const auto next = ahead.next();
    ASSERT_TRUE(next);
    EXPECT_FALSE(*next);
  }
}

TEST(BatchAhead, GivesAnErrorBehindTheBatchesBeforeItAgainAndAgain) {
  int calls = 0;
  BatchAhead ahead(
      [&]() -> Planned {
        if (++calls == 1) return std::optional(batch(0));
        return make_error(ErrorKind::failed, "The file was cut off.");
      },
      no_interrupt);
  ASSERT_TRUE(ahead.next());
  for (int again = 0; again < 2; ++again) {
    const auto next = ahead.next();
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().message, "The file was cut off.");
  }
}

TEST(BatchAhead, PlansWhileNobodyAsksButOnlySoFar) {
  std::atomic<std::uint64_t> planned = 0;
  std::promise<void> some;
  BatchAhead ahead(
      [&]() -> Planned {
        if (planned == 3) some.set_value();
        return std::optional(batch(planned++));
      },
      no_interrupt);
  some.get_future().wait();
  for (std::uint64_t number = 0; number < 100; ++number) {
    ASSERT_TRUE(ahead.next());
    EXPECT_LE(planned, number + 1 + 20);
  }
}

TEST(BatchAhead, EndsThoughNotAllIsAskedFor) {
  BatchAhead ahead([]() -> Planned { return std::optional(batch(0)); }, no_interrupt);
  EXPECT_TRUE(ahead.next());
}

TEST(BatchAhead, TellsWhetherThereIsSomethingAndInterruptsWhatIsWaitedForAtItsEnd) {
  std::promise<void> interrupted;
  std::promise<void> given;
  const auto plan = [&, number = 0]() mutable -> Planned {
    if (number++ == 0) {
      given.get_future().wait();
      return std::optional(batch(0));
    }
    interrupted.get_future().wait();
    return make_error(ErrorKind::stopped, "Stopped.");
  };
  BatchAhead ahead(plan, [&] { interrupted.set_value(); });
  EXPECT_FALSE(ahead.is_ready(std::chrono::milliseconds(1)));
  given.set_value();
  while (!ahead.is_ready(std::chrono::milliseconds(10))) continue;
  EXPECT_TRUE(ahead.next());
  EXPECT_FALSE(ahead.is_ready(std::chrono::milliseconds(1)));
}

}  // namespace
}  // namespace tranche
