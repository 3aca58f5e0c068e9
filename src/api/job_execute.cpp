// A step of a run that has a database execute SQL.
#include <fmt/format.h>

#include "api/job_run.h"
#include "base/clock.h"
#include "base/digest.h"

namespace tranche {

// The database says whether it is done; the ledger says so afterwards.
Result<engine::StepEnd> JobRun::execute_step(std::size_t number,
                                             const std::optional<StepRecord>& known,
                                             StepSummary& summary) {
  const StepSpec& spec = job_.steps[number];
  const auto started = system_clock().monotonic();
  TRANCHE_ASSIGN(const auto step, assemble_execute(job_, spec));
  const std::string job = job_fingerprint_text(job_, spec);
  if (!known) {
    StepRecord record;
    record.number = static_cast<std::uint32_t>(number);
    record.name = spec.name;
    record.job = Fingerprint{digest_hex(job), job};
    StepSettings settings;
    settings.write = *spec.execute;
    settings.executes = true;
    settings.base = job_base();
    record.settings = to_json(settings);
    TRANCHE_TRY(ledger_->create_step(record_.run, record));
  } else if (known->job.text != job && !options_.accept_job) {
    return changed_since(record_.run, spec.name, "job", describe_difference(known->job.text, job));
  }
  TRANCHE_TRY(ledger_->set_step_state(record_.run, spec.name, "running"));
  emit(Event::Kind::note, spec.name, fmt::format("executes SQL in {}", spec.execute->connector));

  StepSurroundings around = surroundings();
  around.observer = observer_;
  const auto executed = run_execute_step(step, around, [this] {
    if (options_.stop != nullptr && options_.stop->load()) return true;
    const auto requested = ledger_->stop_requested(record_.run);
    return requested && *requested;
  });
  summary.seconds = std::chrono::duration<double>(system_clock().monotonic() - started).count();
  engine::StepEnd end;
  if (executed) {
    end.state = engine::StepEnd::State::completed;
    summary.retries = *executed;
    summary.state = "completed";
    emit(Event::Kind::note, spec.name, "executed");
  } else if (executed.error().kind == ErrorKind::stopped) {
    end.state = engine::StepEnd::State::stopped;
    summary.state = "stopped";
  } else {
    end.state = engine::StepEnd::State::failed;
    end.error = executed.error();
    summary.state = "failed";
  }
  TRANCHE_TRY(ledger_->set_step_state(record_.run, spec.name, summary.state,
                                      end.error ? end.error->message : ""));
  return end;
}

}  // namespace tranche
