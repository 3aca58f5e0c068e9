// A step of a run that reads and writes no records: a database executes SQL, or a program runs.
#include <fmt/format.h>

#include "api/job_run.h"
#include "base/clock.h"
#include "base/digest.h"

namespace tranche {

// Of SQL the database says whether it is done, of a program nobody; the ledger says so afterwards.
Result<engine::StepEnd> JobRun::step_without_records(std::size_t number,
                                                     const std::optional<StepRecord>& known,
                                                     StepSummary& summary) {
  const StepSpec& spec = job_.steps[number];
  const auto started = system_clock().monotonic();
  const std::string job = job_fingerprint_text(job_, spec);
  StepRecord record = known.value_or(StepRecord());
  const bool is_changed = known && known->job.text != job;
  if (is_changed && !options_.accept_job) {
    return changed_since(record_.run, spec.name, "job", describe_difference(known->job.text, job));
  }
  record.number = static_cast<std::uint32_t>(number);
  record.name = spec.name;
  record.job = Fingerprint{digest_hex(job), job};
  StepSettings settings;
  settings.write = spec.exec ? ConnectorUse{"exec", *spec.exec} : *spec.execute;
  settings.executes = true;
  settings.base = job_base();
  record.settings = to_json(settings);
  if (!known) TRANCHE_TRY(ledger_->create_step(record_.run, record));
  if (is_changed) {
    TRANCHE_TRY(ledger_->update_step(record_.run, record));
    TRANCHE_TRY(ledger_->add_warning(
        record_.run, fmt::format("Step \"{}\": a changed job was accepted: {}.", spec.name,
                                 describe_difference(known->job.text, job))));
  }
  TRANCHE_TRY(ledger_->set_step_state(record_.run, spec.name, "running"));
  emit(Event::Kind::note, spec.name,
       spec.exec ? deed_of(spec) : fmt::format("executes SQL in {}", spec.execute->connector));
  const auto executed = execute(spec);
  summary.seconds = std::chrono::duration<double>(system_clock().monotonic() - started).count();
  engine::StepEnd end;
  if (executed) {
    end.state = engine::StepEnd::State::completed;
    summary.retries = *executed;
    summary.state = "completed";
    emit(Event::Kind::note, spec.name, spec.exec ? "ran" : "executed");
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

bool JobRun::is_stop_wanted() {
  if (options_.stop != nullptr && options_.stop->load()) return true;
  const auto requested = ledger_->stop_requested(record_.run);
  return requested && *requested;
}

Result<std::uint32_t> JobRun::execute(const StepSpec& spec) {
  StepSurroundings around = surroundings();
  around.observer = observer_;
  const auto stop_wanted = [this] { return is_stop_wanted(); };
  if (spec.exec) {
    TRANCHE_ASSIGN(const auto step, assemble_exec(job_, spec));
    return run_exec_step(step, around, stop_wanted);
  }
  TRANCHE_ASSIGN(const auto step, assemble_execute(job_, spec));
  return run_execute_step(step, around, stop_wanted);
}

}  // namespace tranche
