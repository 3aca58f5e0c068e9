#include "api/step_graph.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

using State = StepOutcome::State;
using Outcome = StepCondition::Outcome;

enum class Verdict : std::uint8_t { holds, does_not, held_back };

Verdict judge(const StepCondition& condition, const StepOutcome& outcome) {
  const bool has_failed = outcome.state == State::failed || outcome.state == State::held_back;
  const auto when = [](bool holds) { return holds ? Verdict::holds : Verdict::does_not; };
  switch (condition.outcome) {
    case Outcome::completed:
      return has_failed ? Verdict::held_back : when(outcome.state == State::completed);
    case Outcome::failed:
      return when(has_failed);
    case Outcome::ended:
      return Verdict::holds;
    case Outcome::rejects:
      break;
  }
  return has_failed
             ? Verdict::held_back
             : when(outcome.state == State::completed && outcome.rejects > condition.rejects_above);
}

bool has_ended(const StepOutcome& outcome) {
  return outcome.state != State::waiting && outcome.state != State::running &&
         outcome.state != State::stopped;
}

std::optional<std::size_t> position_of(const JobSpec& job, const std::string& name) {
  for (std::size_t i = 0; i < job.steps.size(); ++i)
    if (job.steps[i].name == name) return i;
  return std::nullopt;
}

std::string unknown_step(const JobSpec& job, const StepSpec& spec, const std::string& name) {
  std::vector<std::string> names;
  for (const StepSpec& step : job.steps)
    if (&step != &spec) names.push_back(step.name);
  const auto near = nearest(name, names);
  return fmt::format("Step \"{}\" waits for \"{}\", which is no step of the job{}", spec.name,
                     excerpt(name, 40),
                     near ? fmt::format("; did you mean \"{}\"?", *near) : std::string());
}

std::vector<std::size_t> steps_before(const JobSpec& job, std::size_t number, Problems& problems) {
  const StepSpec& spec = job.steps[number];
  std::vector<std::size_t> before;
  if (!spec.after && number > 0) before.push_back(number - 1);
  for (const std::string& name : spec.after.value_or(std::vector<std::string>())) {
    const auto earlier = position_of(job, name);
    if (!earlier)
      problems.push_back({spec.mark, unknown_step(job, spec, name)});
    else if (std::find(before.begin(), before.end(), *earlier) == before.end())
      before.push_back(*earlier);
  }
  for (const StepCondition& condition : spec.when) {
    const auto earlier = position_of(job, condition.step);
    if (earlier && std::find(before.begin(), before.end(), *earlier) != before.end()) continue;
    const auto& after = spec.after.value_or(std::vector<std::string>());
    const bool is_said = !earlier && std::count(after.begin(), after.end(), condition.step) > 0;
    if (is_said) continue;
    problems.push_back(
        {condition.mark,
         earlier ? fmt::format("Step \"{0}\" has a condition on \"{1}\", for which it does not "
                               "wait; say \"after: [{1}]\"",
                               spec.name, condition.step)
                 : unknown_step(job, spec, condition.step)});
  }
  return before;
}

// The ways in which a step waits for itself are found by walking back from each.
class Ancestry {
 public:
  explicit Ancestry(const std::vector<std::vector<std::size_t>>& before)
      : before_(before),
        found_(before.size(), std::vector<bool>(before.size())),
        marks_(before.size(), Mark::unseen) {}

  // Empty: there is no circle; else the steps of one, in the order of work.
  std::vector<std::size_t> find_circle() {
    for (std::size_t step = 0; step < before_.size(); ++step) {
      if (!visit(step)) return circle_;
    }
    return {};
  }
  std::vector<std::vector<bool>> take() { return std::move(found_); }

 private:
  enum class Mark : std::uint8_t { unseen, on_the_way, done };

  bool visit(std::size_t step) {
    if (marks_[step] == Mark::done) return true;
    if (marks_[step] == Mark::on_the_way) {
      const auto begin = std::find(way_.begin(), way_.end(), step);
      circle_.assign(begin, way_.end());
      std::reverse(circle_.begin(), circle_.end());
      return false;
    }
    marks_[step] = Mark::on_the_way;
    way_.push_back(step);
    for (const std::size_t earlier : before_[step]) {
      if (!visit(earlier)) return false;
      found_[step][earlier] = true;
      for (std::size_t i = 0; i < before_.size(); ++i)
        if (found_[earlier][i]) found_[step][i] = true;
    }
    way_.pop_back();
    marks_[step] = Mark::done;
    return true;
  }

  const std::vector<std::vector<std::size_t>>& before_;
  std::vector<std::vector<bool>> found_;
  std::vector<Mark> marks_;
  std::vector<std::size_t> way_;
  std::vector<std::size_t> circle_;
};

}  // namespace

bool follows_failure(const StepSpec& step) {
  return std::any_of(step.when.begin(), step.when.end(), [](const StepCondition& condition) {
    return condition.outcome == Outcome::failed || condition.outcome == Outcome::ended;
  });
}

StepGraph StepGraph::of(const JobSpec& job, Problems& problems) {
  StepGraph graph;
  for (std::size_t i = 0; i < job.steps.size(); ++i)
    graph.before_.push_back(steps_before(job, i, problems));
  Ancestry ancestry(graph.before_);
  const auto circle = ancestry.find_circle();
  if (!circle.empty()) {
    std::string way;
    for (const std::size_t step : circle) way += fmt::format("\"{}\", then ", job.steps[step].name);
    const StepSpec& first = job.steps[circle.front()];
    problems.push_back({first.mark, fmt::format("Steps wait for each other in a circle: {}\"{}\" "
                                                "again",
                                                way, first.name)});
  }
  graph.ancestors_ = ancestry.take();
  return graph;
}

// The largest set of steps none of which waits for another: by Dilworth's theorem as many as there
// are chains that cover all steps, which are found as a matching of each step with one that follows
// it (Fulkerson 1956; the matching by augmenting paths).
std::size_t StepGraph::width() const {
  const std::size_t count = before_.size();
  constexpr std::size_t none = SIZE_MAX;
  std::vector<std::size_t> predecessor(count, none);
  std::vector<bool> tried;
  const std::function<bool(std::size_t)> match = [&](std::size_t earlier) {
    for (std::size_t later = 0; later < count; ++later) {
      if (!ancestors_[later][earlier] || tried[later]) continue;
      tried[later] = true;
      if (predecessor[later] == none || match(predecessor[later])) {
        predecessor[later] = earlier;
        return true;
      }
    }
    return false;
  };
  std::size_t chains = count;
  for (std::size_t earlier = 0; earlier < count; ++earlier) {
    tried.assign(count, false);
    if (match(earlier)) --chains;
  }
  return chains;
}

StepOutcome::State StepGraph::next(const JobSpec& job, std::size_t step,
                                   const std::vector<StepOutcome>& outcomes) const {
  const StepSpec& spec = job.steps[step];
  bool one_holds = false;
  bool one_does_not = false;
  bool is_held_back = false;
  for (const std::size_t earlier : before_[step]) {
    if (!has_ended(outcomes[earlier])) return State::waiting;
    const std::string& name = job.steps[earlier].name;
    const auto given =
        std::find_if(spec.when.begin(), spec.when.end(),
                     [&](const StepCondition& condition) { return condition.step == name; });
    const Verdict verdict =
        judge(given == spec.when.end() ? StepCondition() : *given, outcomes[earlier]);
    one_holds = one_holds || verdict == Verdict::holds;
    one_does_not = one_does_not || verdict == Verdict::does_not;
    is_held_back = is_held_back || verdict == Verdict::held_back;
  }
  if (before_[step].empty() || (spec.when_any && one_holds)) return State::running;
  if (is_held_back) return State::held_back;
  return one_does_not ? State::skipped : State::running;
}

}  // namespace tranche
