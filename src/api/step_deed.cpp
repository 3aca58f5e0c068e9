// A step of a run that reads and writes no records of its own: a database executes SQL, a program
// runs, a report is written, a database is backed up or restored.
#include <fmt/format.h>

#include "api/report_use.h"
#include "api/step_run.h"
#include "base/clock.h"
#include "base/digest.h"

namespace tranche {
namespace {

// What a run that is verified or given up has to know of a report.
Node file_of_report(const Node& report) {
  Node node = Node::map();
  node.set("report", *report.find("report"));
  return node;
}

}  // namespace

// Of SQL the database says whether it is done, of a program nobody; the ledger says so afterwards.
Result<engine::StepEnd> StepRun::run_deed(const std::optional<StepRecord>& known,
                                          StepSummary& summary) {
  const auto started = system_clock().monotonic();
  const std::string job = job_fingerprint_text(frame_.job, raw_spec());
  StepRecord record = known.value_or(StepRecord());
  const bool is_changed = known && known->job.text != job;
  if (is_changed && !frame_.options.accept_job) {
    return changed_since(frame_.record.run, spec_.name, "job",
                         describe_difference(known->job.text, job));
  }
  record.number = number_;
  record.name = spec_.name;
  record.job = Fingerprint{digest_hex(job), job};
  StepSettings settings;
  settings.write = spec_.exec      ? ConnectorUse{"exec", *spec_.exec}
                   : spec_.report  ? ConnectorUse{"report", file_of_report(*spec_.report)}
                   : spec_.backup  ? ConnectorUse{"backup", *spec_.backup}
                   : spec_.restore ? ConnectorUse{"restore", *spec_.restore}
                                   : *spec_.execute;
  settings.executes = true;
  settings.base = job_base();
  record.settings = to_json(settings);
  if (!known) TRANCHE_TRY(ledger_.create_step(frame_.record.run, record));
  if (is_changed) {
    TRANCHE_TRY(ledger_.update_step(frame_.record.run, record));
    TRANCHE_TRY(ledger_.add_warning(
        frame_.record.run, fmt::format("Step \"{}\": a changed job was accepted: {}.", spec_.name,
                                       describe_difference(known->job.text, job))));
  }
  // Durable, and what earlier steps have done with it: a program may take away what they wrote.
  TRANCHE_TRY(ledger_.set_step_state(frame_.record.run, spec_.name, "running"));
  emit(Event::Kind::note, spec_.execute
                              ? fmt::format("executes SQL in {}", spec_.execute->connector)
                              : deed_of(spec_));
  const auto executed = execute(settings, summary);
  // A move looks at all before it begins.
  const bool is_refused =
      is_move(settings) && !executed && executed.error().kind == ErrorKind::config;
  has_begun_ = !is_refused;
  summary.seconds = std::chrono::duration<double>(system_clock().monotonic() - started).count();
  engine::StepEnd end;
  end.memory_bytes_peak = memory_bytes_peak_;
  if (executed) {
    end.state = engine::StepEnd::State::completed;
    summary.retries = *executed;
    summary.state = "completed";
    if (spec_.report || is_move(settings)) {
      record.settings = to_json(settings);
      TRANCHE_TRY(ledger_.update_step(frame_.record.run, record));
    }
    emit(Event::Kind::note, spec_.exec          ? "ran"
                            : spec_.report      ? "wrote its report"
                            : is_move(settings) ? "moved its tables"
                                                : "executed");
  } else if (executed.error().kind == ErrorKind::stopped) {
    end.state = engine::StepEnd::State::stopped;
    summary.state = "stopped";
  } else {
    end.state = engine::StepEnd::State::failed;
    end.error = executed.error();
    summary.state = "failed";
  }
  TRANCHE_TRY(ledger_.set_step_state(frame_.record.run, spec_.name, summary.state,
                                     end.error ? end.error->message : "",
                                     spec_.execute ? Durable::soon : Durable::now));
  return end;
}

bool StepRun::is_stop_wanted() {
  if (frame_.options.stop != nullptr && frame_.options.stop->load()) return true;
  const auto requested = ledger_.stop_requested(frame_.record.run);
  return requested && *requested;
}

Result<std::uint32_t> StepRun::execute(StepSettings& settings, StepSummary& summary) {
  if (is_move(settings)) return run_move(settings, summary);
  StepSurroundings around = surroundings();
  around.observer = observer_;
  const auto stop_wanted = [this] { return is_stop_wanted(); };
  if (spec_.exec) {
    TRANCHE_ASSIGN(const auto step, assemble_exec(frame_.job, spec_));
    return run_exec_step(step, around, stop_wanted);
  }
  if (spec_.report) {
    around.run.step = spec_.name;
    TRANCHE_ASSIGN(const auto step, assemble_report(frame_.job, spec_, around));
    TRANCHE_ASSIGN(const auto made, run_report_step(step, around, ledger_, stop_wanted));
    settings.report_bytes = made.bytes;
    settings.report_digest = made.digest;
    for (const auto& notice : made.notices)
      TRANCHE_TRY(ledger_.add_warning(frame_.record.run, notice));
    return made.retries;
  }
  TRANCHE_ASSIGN(const auto step, assemble_execute(frame_.job, spec_));
  return run_execute_step(step, around, stop_wanted);
}

}  // namespace tranche
