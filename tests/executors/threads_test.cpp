#include "executors/threads.h"

#include <gtest/gtest.h>

namespace tranche {
namespace {

WorkerFactory nobody() {
  return [](unsigned) -> Result<std::unique_ptr<Worker>> {
    return make_error(ErrorKind::failed, "nobody");
  };
}

TEST(ThreadExecutor, CountsLanesAmongThoseAtWorkButNotAmongItsWorkers) {
  const auto board = std::make_unique<BreadcrumbBoard>();
  LanePool lanes(2, 16, *board);
  const ThreadExecutor with(2, nobody(), *board, &lanes);
  EXPECT_EQ(with.workers(), 2U);
  EXPECT_EQ(with.at_once(), 16U);
  const ThreadExecutor without(2, nobody(), *board);
  EXPECT_EQ(without.at_once(), 2U);
}

}  // namespace
}  // namespace tranche
