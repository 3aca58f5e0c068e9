// A step of a run that backs a database up, or restores a backup: a move with a job, a ledger and
// commits of its own, which runs in the engine of this one. What it has committed it goes on from,
// whichever of the two runs died.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "api/move.h"
#include "api/move_use.h"
#include "api/step_run.h"
#include "base/text.h"
#include "steps/attempts.h"

namespace tranche {
namespace {

constexpr std::size_t warning_bytes_max = 400;

// Tells of a move's run as of one step of another run, whose stop is the move's.
class MoveWatch final : public Observer {
 public:
  MoveWatch(Event head, std::function<bool()> stop_wanted, std::function<void(const Event&)> tell)
      : head_(std::move(head)), stop_wanted_(std::move(stop_wanted)), tell_(std::move(tell)) {}

  void on_event(const Event& event) override {
    if (!stop_ && stop_wanted_()) stop_ = true;
    switch (event.kind) {
      case Event::Kind::progress:
      case Event::Kind::group_committed:
        tables_[event.step] = event.progress;
        return tell_progress();
      case Event::Kind::retry:
      case Event::Kind::warning:
        return tell(event.kind, event.message);
      default:
        return;  // of tables, not of this step
    }
  }
  const std::atomic<bool>* stop() const { return &stop_; }

 private:
  void tell(Event::Kind kind, const std::string& message) {
    Event event = head_;
    event.kind = kind;
    event.message = message;
    tell_(event);
  }
  void tell_progress() {
    Event event = head_;
    event.kind = Event::Kind::progress;
    Progress& all = event.progress;
    for (const auto& [table, one] : tables_) {
      all.records += one.records;
      all.records_committed += one.records_committed;
      all.records_resumed += one.records_resumed;
      all.bytes += one.bytes;
      all.bytes_resumed += one.bytes_resumed;
      all.batches_committed += one.batches_committed;
      all.batches_planned += one.batches_planned;
      all.retries += one.retries;
      all.memory_bytes = std::max(all.memory_bytes, one.memory_bytes);
      all.workers = std::max(all.workers, one.workers);
    }
    all.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
    tell_(event);
  }

  const Event head_;
  const std::function<bool()> stop_wanted_;
  const std::function<void(const Event&)> tell_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::map<std::string, Progress> tables_;
  std::atomic<bool> stop_{false};
};

// One sentence for all that a move says before its start; empty: nothing.
std::string said_before(const std::string& step, const MovePlan& plan) {
  std::vector<std::string> parts = plan.changes;
  for (const NotCarried& one : plan.not_carried)
    parts.push_back(fmt::format("{} can't be carried over ({})", one.what, one.why));
  if (parts.empty()) return {};
  return fmt::format("Step \"{}\": {}.", step, excerpt(join(parts, "; "), warning_bytes_max));
}

Error not_equal(const MoveOrder& order, const std::vector<ComparedTable>& tables) {
  std::vector<std::string> parts;
  for (const ComparedTable& table : tables)
    if (!table.is_equal()) parts.push_back(fmt::format("{}: {}", table.table, table.difference()));
  return make_error(ErrorKind::failed,
                    fmt::format("What is in {} now is not what was read: {}.", order.target_name(),
                                excerpt(join(parts, "; "), warning_bytes_max)));
}

void add_counts(StepSummary& summary, const RunSummary& moved,
                const std::vector<ComparedTable>& tables) {
  summary.counts = {};
  summary.batches = summary.batches_resumed = 0;
  for (const StepSummary& step : moved.steps) {
    summary.counts.read += step.counts.read;
    summary.counts.written += step.counts.written;
    summary.counts.bytes_read += step.counts.bytes_read;
    summary.batches += step.batches;
    summary.batches_resumed += step.batches_resumed;
    summary.retries += step.retries;
  }
  if (!moved.steps.empty()) return;
  for (const ComparedTable& table : tables) {  // all was done when an earlier process died
    summary.counts.read += table.rows;
    summary.counts.written += table.rows_found;
  }
}

}  // namespace

Result<std::uint32_t> StepRun::run_move(StepSettings& settings, StepSummary& summary) {
  TRANCHE_ASSIGN(const MoveOrder order, move_order(frame_.job, spec_));
  StepSurroundings around = surroundings();
  around.observer = observer_;
  Event head;
  head.run = frame_.record.run;
  head.step = spec_.name;
  const auto stop_wanted = [this] { return is_stop_wanted(); };
  MoveWatch watch(std::move(head), stop_wanted, [&](const Event& event) {
    // Lost progress is no loss, as of other steps.
    static_cast<void>(
        ledger_.record_progress(frame_.record.run, spec_.name, event.progress, false));
    if (observer_ != nullptr) observer_->on_event(event);
  });
  RunOptions options;
  options.workers = frame_.options.workers;
  if (options.workers && options.workers->kind == WorkersSpec::Kind::processes)
    options.workers.reset();  // they are for logic, of which there is none
  options.memory_bytes = frame_.step_memory_bytes_max;
  options.accept_snapshot = frame_.options.accept_snapshot;
  options.wait = frame_.options.wait;
  options.stop = watch.stop();
  const MoveOwner owner{frame_.record.run, move_state(frame_.run_folder(), spec_.name)};
  const auto attempt = [&]() -> Result<void> {
    TRANCHE_ASSIGN(Move move, Move::prepare_in_run(order, options, owner));
    const std::string said = said_before(spec_.name, move.plan());
    if (!said.empty() && !move.is_resumed())
      TRANCHE_TRY(ledger_.add_warning(frame_.record.run, said));
    TRANCHE_ASSIGN(const RunSummary moved, move.run(&watch));
    memory_bytes_peak_ = std::max(memory_bytes_peak_, moved.peak_memory_bytes);
    if (moved.state == RunState::stopped) return make_error(ErrorKind::stopped, "Stopped.");
    if (moved.error) return *moved.error;
    TRANCHE_ASSIGN(const auto tables, move.compare(moved));
    if (!are_equal(tables)) return not_equal(order, tables);
    for (const std::string& warning : moved.warnings)
      TRANCHE_TRY(ledger_.add_warning(frame_.record.run, warning));
    add_counts(summary, moved, tables);
    settings.rows_read = summary.counts.read;
    settings.rows_written = summary.counts.written;
    return {};
  };
  TRANCHE_ASSIGN(const std::uint32_t again,
                 try_until_done(spec_.name, spec_.retry, around, stop_wanted, attempt));
  return again + summary.retries;
}

}  // namespace tranche
