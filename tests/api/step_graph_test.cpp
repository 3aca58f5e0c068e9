#include "api/step_graph.h"

#include <gtest/gtest.h>

#include <tranche/tranche.h>

namespace tranche {
namespace {

using State = StepOutcome::State;
using Outcome = StepCondition::Outcome;

StepBuilder named(const std::string& name) { return step(name).exec({"true"}); }

StepGraph graph_of(const JobSpec& job) {
  Problems problems;
  StepGraph graph = StepGraph::of(job, problems);
  EXPECT_TRUE(problems.empty()) << problems.front().message;
  return graph;
}

std::string problem_of(const JobSpec& job) {
  Problems problems;
  StepGraph::of(job, problems);
  return problems.empty() ? "" : problems.front().message;
}

TEST(StepGraph, IsAChainWhereNothingIsSaid) {
  const JobSpec made = job("chain").step(named("a")).step(named("b")).step(named("c"));
  const StepGraph graph = graph_of(made);
  EXPECT_EQ(graph.width(), 1U);
  EXPECT_TRUE(graph.is_ordered(0, 2));
  EXPECT_FALSE(graph.is_ordered(2, 0));
}

TEST(StepGraph, IsAsWideAsTheMostStepsOfWhichNoneWaitsForAnother) {
  // a and b at once; behind both c, d, e; behind a alone f: c, d, e and f side by side.
  const JobSpec made = job("wide")
                           .step(named("a").after({}))
                           .step(named("b").after({}))
                           .step(named("c").after({"a", "b"}))
                           .step(named("d").after({"a", "b"}))
                           .step(named("e").after({"a", "b"}))
                           .step(named("f").after({"a"}))
                           .step(named("g").after({"c", "d", "e", "f"}));
  EXPECT_EQ(graph_of(made).width(), 4U);
}

TEST(StepGraph, SaysWhichStepsWaitForEachOtherInACircle) {
  const JobSpec made = job("circle")
                           .step(named("a").after({"c"}))
                           .step(named("b").after({"a"}))
                           .step(named("c").after({"b"}));
  EXPECT_EQ(
      problem_of(made),
      "Steps wait for each other in a circle: \"b\", then \"c\", then \"a\", then \"b\" again");
}

TEST(StepGraph, KnowsANameThatIsNearlyRight) {
  const JobSpec made = job("typo").step(named("load")).step(named("b").after({"laod"}));
  EXPECT_EQ(problem_of(made),
            "Step \"b\" waits for \"laod\", which is no step of the job; did you mean \"load\"?");
}

struct Case {
  Outcome condition;
  State state;
  State expected;
};

TEST(StepGraph, DecidesByWhatBecameOfTheStepBefore) {
  const Case cases[] = {
      {Outcome::completed, State::completed, State::running},
      {Outcome::completed, State::failed, State::held_back},
      {Outcome::completed, State::held_back, State::held_back},
      {Outcome::completed, State::skipped, State::skipped},
      {Outcome::completed, State::running, State::waiting},
      {Outcome::completed, State::stopped, State::waiting},
      {Outcome::failed, State::completed, State::skipped},
      {Outcome::failed, State::failed, State::running},
      {Outcome::failed, State::held_back, State::running},
      {Outcome::failed, State::skipped, State::skipped},
      {Outcome::ended, State::completed, State::running},
      {Outcome::ended, State::failed, State::running},
      {Outcome::ended, State::skipped, State::running},
      {Outcome::ended, State::waiting, State::waiting},
      {Outcome::rejects, State::completed, State::running},
      {Outcome::rejects, State::failed, State::held_back},
  };
  for (const Case& one : cases) {
    const JobSpec made = job("pair").step(named("a")).step(named("b").when("a", one.condition, 10));
    const StepGraph graph = graph_of(made);
    EXPECT_EQ(graph.next(made, 1, {{one.state, 11}, {}}), one.expected)
        << static_cast<int>(one.condition) << " of " << static_cast<int>(one.state);
  }
}

TEST(StepGraph, ComparesRejectsWithTheNumber) {
  const JobSpec made =
      job("pair").step(named("a")).step(named("b").when("a", Outcome::rejects, 10));
  const StepGraph graph = graph_of(made);
  EXPECT_EQ(graph.next(made, 1, {{State::completed, 10}, {}}), State::skipped);
  EXPECT_EQ(graph.next(made, 1, {{State::completed, 11}, {}}), State::running);
}

}  // namespace
}  // namespace tranche
