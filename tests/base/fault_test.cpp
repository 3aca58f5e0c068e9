#include "base/fault.h"

#include <signal.h>
#include <stdlib.h>

#include <functional>

#include <gtest/gtest.h>

#include "base/process.h"

namespace tranche {
namespace {

// In a child, because the variable is read once a process: this one must never ask for it.
Exit run_with(const char* fault, const std::function<int()>& body) {
  Result<Child> child = Child::fork([&] {
    if (fault == nullptr ? ::unsetenv("TRANCHE_FAULT") : ::setenv("TRANCHE_FAULT", fault, 1))
      return 99;
    return body();
  });
  if (!child) return {98, 0};
  return **child->wait(std::nullopt);
}

// How often of five times the stage is told to drop a record.
int drops(const char* stage) {
  int count = 0;
  for (int i = 0; i < 5; ++i) count += fault_drops_record(stage) ? 1 : 0;
  return count;
}

int pass(const char* point, int times) {
  for (int i = 0; i < times; ++i) fault_point(point);
  return 7;
}

TEST(FaultTest, NothingHappensWithoutTheVariable) {
  EXPECT_EQ(run_with(nullptr, [] { return drops("sql") + drops(""); }), (Exit{0, 0}));
  EXPECT_EQ(run_with(nullptr, [] { return pass("", 3); }), (Exit{7, 0}));
  EXPECT_EQ(run_with("nonsense", [] { return pass("nonsense", 3); }), (Exit{7, 0}));
}

TEST(FaultTest, TheNamedStageDropsOneRecord) {
  EXPECT_EQ(run_with("drop:sql", [] { return drops("parse") * 10 + drops("sql"); }), (Exit{1, 0}));
  EXPECT_EQ(run_with("drop:sql", [] { return drops("sql") + drops("sql"); }), (Exit{1, 0}));
}

TEST(FaultTest, TheNamedPointKills) {
  EXPECT_EQ(run_with("kill:seal", [] { return pass("commit", 9); }), (Exit{7, 0}));
  EXPECT_EQ(run_with("kill:seal", [] { return pass("seal", 1); }), (Exit{0, SIGKILL}));
}

TEST(FaultTest, TheNamedPointKillsAtTheNamedTime) {
  EXPECT_EQ(run_with("kill:seal:3", [] { return pass("seal", 2); }), (Exit{7, 0}));
  EXPECT_EQ(run_with("kill:seal:3", [] { return pass("seal", 3); }), (Exit{0, SIGKILL}));
}

}  // namespace
}  // namespace tranche
