#include "executors/lane_pool.h"

#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <set>

namespace tranche {
namespace {

// Calls that note who made them.
class NotedCalls final : public SharedCalls {
 public:
  explicit NotedCalls(std::size_t count, std::function<void(std::size_t, const Lane&)> call = {})
      : count_(count), call_(std::move(call)), made_by_(count) {}

  bool has_more() const override { return next_.load() < count_; }
  void make(const Lane& lane) override {
    while (lane.is_wanted()) {
      const std::size_t item = next_.fetch_add(1);
      if (item >= count_) return;
      if (call_) call_(item, lane);
      made_by_[item] = &lane.breadcrumb();
    }
  }
  std::size_t made() const {
    return count_ - static_cast<std::size_t>(
                        std::count(made_by_.begin(), made_by_.end(), nullptr));
  }
  std::set<const Breadcrumb*> makers() const { return {made_by_.begin(), made_by_.end()}; }

 private:
  std::size_t count_;
  std::function<void(std::size_t, const Lane&)> call_;
  std::vector<const Breadcrumb*> made_by_;
  std::atomic<std::size_t> next_{0};
};

class LanePoolTest : public testing::Test {
 protected:
  Breadcrumb& worker(unsigned number, std::uint64_t task = 7) {
    board_->slots[number].begin_task(task, {100, 200});
    return board_->slots[number];
  }
  std::unique_ptr<BreadcrumbBoard> board_ = std::make_unique<BreadcrumbBoard>();
};

TEST_F(LanePoolTest, MakesEveryCallOnceAndReturnsWhenAllAreMade) {
  LanePool pool(1, 8, *board_);
  for (int page = 0; page < 200; ++page) {
    NotedCalls calls(100);
    pool.run(calls, worker(0));
    EXPECT_EQ(calls.made(), 100U);
  }
}

TEST_F(LanePoolTest, HasAsManyCallsInWorkAtOnceAsAsked) {
  LanePool pool(1, 5, *board_);
  EXPECT_EQ(pool.at_once().load(), 5U);
  std::latch all_at_once(5);  // opens for nobody before five are in it
  NotedCalls calls(5, [&](std::size_t, const Lane&) { all_at_once.arrive_and_wait(); });
  pool.run(calls, worker(0));
  EXPECT_EQ(calls.makers().size(), 5U);
}

TEST_F(LanePoolTest, SaysInTheSlotOfALaneWhichTaskItHelpsWithAndThatItIsDone) {
  LanePool pool(1, 3, *board_);
  std::latch all_at_once(3);
  std::atomic<int> right{0};
  NotedCalls calls(3, [&](std::size_t, const Lane& lane) {
    all_at_once.arrive_and_wait();
    const Breadcrumb& at = lane.breadcrumb();
    if (at.task.load() == 42 && at.task_first.load() == 100 && at.task_end.load() == 200) ++right;
  });
  pool.run(calls, worker(0, 42));
  EXPECT_EQ(right.load(), 3);
  EXPECT_EQ(board_->slots_used.load(), 3U);
  for (unsigned slot = 1; slot < 3; ++slot) EXPECT_EQ(board_->slots[slot].task.load(), 0U);
}

TEST_F(LanePoolTest, SharesItsLanesAmongTheWorkers) {
  LanePool pool(3, 12, *board_);
  std::vector<std::thread> workers;
  std::atomic<std::size_t> made{0};
  for (unsigned number = 0; number < 3; ++number) {
    workers.emplace_back([&, number] {
      for (int page = 0; page < 100; ++page) {
        NotedCalls calls(50);
        pool.run(calls, worker(number));
        made += calls.made();
      }
    });
  }
  for (auto& thread : workers) thread.join();
  EXPECT_EQ(made.load(), 3U * 100 * 50);
}

TEST_F(LanePoolTest, WithAutoHasNoLanesUntilThroughputAsksForThem) {
  LanePool pool(AutoWorkers(2, 2, 64), *board_);
  EXPECT_EQ(pool.at_once().load(), 1U);
  NotedCalls calls(100);
  pool.run(calls, worker(0));
  EXPECT_EQ(calls.makers().size(), 1U);
  EXPECT_EQ(pool.size(), 2U);
  EXPECT_EQ(pool.why(), "one for each core");
}

TEST_F(LanePoolTest, WithAutoGivesLanesToAPageThatIsInWorkAlready) {
  LanePool pool(AutoWorkers(1, 1, 64), *board_);
  Breadcrumb& own = worker(0);
  // One call at a time, each of 10 ms, until somebody comes to help.
  while (pool.at_once().load() == 1) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    own.called();
  }
  std::atomic<bool> is_helped{false};
  NotedCalls calls(1 << 20, [&](std::size_t, const Lane& lane) {
    if (!lane.is_worker()) is_helped = true;
    if (!is_helped) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    lane.breadcrumb().called();
  });
  pool.run(calls, own);
  EXPECT_TRUE(is_helped.load());
  EXPECT_EQ(calls.made(), std::size_t{1} << 20);
}

}  // namespace
}  // namespace tranche
