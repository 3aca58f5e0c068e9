#include "api/step_schedule.h"

#include <algorithm>
#include <memory>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"

namespace tranche {
namespace {

using State = StepOutcome::State;

State state_of(const Result<engine::StepEnd>& end) {
  if (!end) return end.error().kind == ErrorKind::stopped ? State::stopped : State::failed;
  switch (end->state) {
    case engine::StepEnd::State::completed:
      return State::completed;
    case engine::StepEnd::State::stopped:
      return State::stopped;
    case engine::StepEnd::State::failed:
      break;
  }
  return State::failed;
}

std::string describe(const StepCondition& condition) {
  switch (condition.outcome) {
    case StepCondition::Outcome::completed:
      return fmt::format("\"{}\" completed", condition.step);
    case StepCondition::Outcome::failed:
      return fmt::format("\"{}\" failed", condition.step);
    case StepCondition::Outcome::ended:
      return fmt::format("\"{}\" ended", condition.step);
    case StepCondition::Outcome::rejects:
      break;
  }
  return fmt::format("\"{}\" had more than {} rejects", condition.step, condition.rejects_above);
}

std::string why_skipped(const StepSpec& spec) {
  std::string text;
  for (const StepCondition& condition : spec.when)
    text += (text.empty() ? "" : spec.when_any ? " or " : " and ") + describe(condition);
  return text.empty() ? "not needed, since a step before it was not"
                      : "not needed: it runs when " + text;
}

}  // namespace

StepSchedule::StepSchedule(const RunFrame& frame, const StepGraph& graph, Ledger& ledger,
                           Observer* observer, const std::vector<StepTrack>& tracks,
                           std::map<std::size_t, BoundStep> bound)
    : frame_(frame),
      graph_(graph),
      ledger_(ledger),
      observer_(observer),
      tracks_(tracks),
      bound_(std::move(bound)),
      outcomes_(frame.job.steps.size()),
      was_done_(frame.job.steps.size()),
      ledgers_(tracks.size()) {
  for (std::size_t track = tracks.size(); track > 0; --track) free_tracks_.push_back(track - 1);
}

ScheduleEnd StepSchedule::run() {
  while (true) {
    settle_waiting();
    if (tracks_.size() == 1) {
      const auto number = is_stopping_ ? std::nullopt : next_ready();
      if (!number) return finish();
      take(run_step(start_of(*number, 0), ledger_));
      continue;
    }
    while (!is_stopping_ && !free_tracks_.empty()) {
      const auto number = next_ready();
      if (!number) break;
      begin_in_thread(*number);
    }
    if (threads_.empty()) return finish();
    take(wait_for_one());
  }
}

void StepSchedule::settle_waiting() {
  for (bool has_changed = true; has_changed;) {
    has_changed = false;
    for (std::size_t number = 0; number < outcomes_.size(); ++number) {
      if (outcomes_[number].state != State::waiting) continue;
      const State state = graph_.next(frame_.job, number, outcomes_);
      if (state != State::skipped && state != State::held_back) continue;
      outcomes_[number].state = state;
      has_changed = true;
      leave_out(number, state == State::skipped);
    }
  }
}

// Of one that is held back the failure tells.
void StepSchedule::leave_out(std::size_t number, bool is_skipped) {
  const StepSpec& spec = frame_.job.steps[number];
  StepSummary summary;
  summary.name = spec.name;
  summary.state = is_skipped ? "skipped" : "held back";
  add_step_values(values_, summary, {}, {});
  summaries_.emplace(number, std::move(summary));
  if (!is_skipped) return;
  Event event;
  event.kind = Event::Kind::step_skipped;
  event.run = frame_.record.run;
  event.step = spec.name;
  event.message = why_skipped(spec);
  observer_.on_event(event);
}

std::optional<std::size_t> StepSchedule::next_ready() const {
  for (std::size_t number = 0; number < outcomes_.size(); ++number) {
    if (outcomes_[number].state == State::waiting &&
        graph_.next(frame_.job, number, outcomes_) == State::running)
      return number;
  }
  return std::nullopt;
}

// A step that follows a failure was done for that one; what it follows has run anew since.
bool StepSchedule::runs_again(std::size_t number) const {
  const auto& before = graph_.before(number);
  return follows_failure(frame_.job.steps[number]) &&
         std::any_of(before.begin(), before.end(),
                     [&](std::size_t earlier) { return !was_done_[earlier]; });
}

StepSchedule::Start StepSchedule::start_of(std::size_t number, std::size_t track) {
  Start start;
  start.number = number;
  start.track = track;
  start.values = values_;
  start.again = runs_again(number);
  if (auto bound = bound_.extract(number)) start.bound = std::move(bound.mapped());
  return start;
}

StepSchedule::Ended StepSchedule::run_step(Start start, Ledger& ledger) {
  Ended ended;
  ended.number = start.number;
  ended.track = start.track;
  ended.summary.name = frame_.job.steps[start.number].name;
  StepRun step(frame_, start.number, std::move(start.values), ledger, &observer_,
               tracks_[start.track]);
  ended.end = step.run(ended.summary, std::move(start.bound), start.again);
  ended.was_done = step.was_done();
  ended.has_begun = step.has_begun();
  ended.rejects_path = step.rejects_path();
  return ended;
}

void StepSchedule::begin_in_thread(std::size_t number) {
  const std::size_t track = free_tracks_.back();
  free_tracks_.pop_back();
  outcomes_[number].state = State::running;
  // A std::thread copies its function.
  const auto start = std::make_shared<Start>(start_of(number, track));
  const auto work = [this, start] {
    std::unique_ptr<Ledger>& ledger = ledgers_[start->track];
    Ended ended;
    ended.number = start->number;
    ended.track = start->track;
    ended.summary.name = frame_.job.steps[start->number].name;
    auto opened =
        ledger ? Result<std::unique_ptr<Ledger>>(std::move(ledger)) : Ledger::open(frame_.state);
    if (opened) {
      ledger = *std::move(opened);
      ended = run_step(std::move(*start), *ledger);
    } else {
      ended.end = std::move(opened).error();
    }
    const std::lock_guard lock(mutex_);
    ended_.push_back(std::move(ended));
    changed_.notify_one();
  };
  try {
    threads_.emplace(track, work);
  } catch (const std::system_error&) {
    threads_.emplace(track, std::thread());
    work();  // one after the other, then
  }
}

StepSchedule::Ended StepSchedule::wait_for_one() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !ended_.empty(); });
  Ended ended = std::move(ended_.front());
  ended_.erase(ended_.begin());
  lock.unlock();
  auto thread = threads_.extract(ended.track);
  if (thread.mapped().joinable()) thread.mapped().join();
  free_tracks_.push_back(ended.track);
  return ended;
}

void StepSchedule::take(Ended ended) {
  StepOutcome& outcome = outcomes_[ended.number];
  outcome.state = state_of(ended.end);
  outcome.rejects = ended.summary.counts.rejected();
  was_done_[ended.number] = ended.was_done;
  has_begun_ = has_begun_ || ended.has_begun;
  if (ended.end) {
    memory_bytes_peak_ = std::max(memory_bytes_peak_, ended.end->memory_bytes_peak);
  } else {
    ended.summary.state = outcome.state == State::stopped ? "stopped" : "failed";
  }
  if (outcome.state == State::stopped) is_stopping_ = true;
  std::string why;
  if (outcome.state == State::failed) {
    Error error = ended.end ? *ended.end->error : ended.end.error();
    why = error.message;
    if (!threads_.empty() || next_ready()) tell_of_failure(ended.summary.name, why);
    errors_.emplace(ended.number, std::move(error));
  }
  add_step_values(values_, ended.summary, why, output_of(ended.summary.name));
  if (!ended.rejects_path.empty()) rejects_path_ = ended.rejects_path;
  summaries_.emplace(ended.number, std::move(ended.summary));
}

// While others go on; of the last one the summary tells.
void StepSchedule::tell_of_failure(const std::string& step, const std::string& why) {
  Event event;
  event.kind = Event::Kind::step_failed;
  event.run = frame_.record.run;
  event.step = step;
  event.message = why;
  observer_.on_event(event);
}

// Of a step that left nothing, or could not, it is empty.
std::string StepSchedule::output_of(const std::string& step) const {
  const auto output = read_file(step_output_path(frame_.run_folder(), step));
  return output ? std::string(trim(*output)) : std::string();
}

ScheduleEnd StepSchedule::finish() {
  ScheduleEnd end;
  end.has_begun = has_begun_;
  end.memory_bytes_peak = memory_bytes_peak_;
  end.rejects_path = rejects_path_;
  for (auto& [number, summary] : summaries_) end.steps.push_back(std::move(summary));
  if (is_stopping_) end.state = RunState::stopped;
  for (auto& [number, error] : errors_) {
    end.state = RunState::failed;
    if (!end.error)
      end.error = std::move(error);
    else
      end.warnings.push_back(
          fmt::format("Step \"{}\" failed too: {}", frame_.job.steps[number].name, error.message));
  }
  return end;
}

}  // namespace tranche
