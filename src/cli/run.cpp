#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "cli/run_job.h"
#include "cli/telling.h"
#include "schedule/windows.h"

namespace tranche {
namespace {

// What the person typed, without what would begin anew.
std::string command_that_goes_on(const Invocation& invocation) {
  std::string out = quote_for_shell(invocation.program);
  for (const std::string& word : invocation.words)
    if (word != "--fresh" && word != "--again" && word != "--full")
      out += " " + quote_for_shell(word);
  return out;
}

// What lies before the schedule is none of its windows: nobody would miss it, or catch up with it.
Result<void> check_is_scheduled(const JobSpec& job) {
  const Timetable timetable = *Timetable::make(*job.schedule);
  if (job.window->times.begin >= timetable.first().begin) return {};
  return make_error(
      ErrorKind::usage,
      fmt::format("Window {} lies before the schedule, which begins with window {} (from: {}); to "
                  "run it, let `from` be {} or earlier",
                  job.window->name, timetable.name_of(timetable.first()), job.schedule->from,
                  *timetable.value_text(job.window->times.begin, Type{TypeId::timestamp})));
}

// Of a window that is not over what is missing would be missing for ever: it counts as done.
Result<void> check_is_over(const JobSpec& job, std::int64_t now) {
  if (job.window->times.end <= now) return {};
  const auto end =
      Timetable::make(*job.schedule)->value_text(job.window->times.end, Type{TypeId::varchar});
  return make_error(ErrorKind::usage, fmt::format("Window {} is not over before {}, and what comes "
                                                  "until then would be missing from it",
                                                  job.window->name, *end));
}

// Runs all windows that are missing, the first one first; one that does not complete ends it, since
// those behind it may build on it.
int run_due(const Invocation& invocation) {
  const auto options = read_run_options(invocation);
  if (!options) return fail(invocation, options.error());
  if (invocation.has("--window") || options->again || options->fresh)
    return fail(invocation, make_error(ErrorKind::usage,
                                       "--due runs the windows that are missing; --window, --again "
                                       "and --fresh are for one of them"));
  auto job = take_job(invocation);
  if (!job) return exit_usage;
  if (!job->schedule) return fail(invocation, no_schedule("--due", job->name));
  const auto done =
      covered_time(state_folder(options->state, job->base), job->name, job->window->variant);
  if (!done) return fail(invocation, done.error());
  const Agenda agenda = agenda_of(*job);
  const auto left = agenda.left(*done, system_clock().now_microseconds());
  for (const TimeWindow& window : left) {
    job = take_job(invocation, [&](const Timetable&) -> Result<TimeWindow> { return window; });
    if (!job) return exit_usage;
    write_message(fmt::format("Window {} of {}\n", job->window->name, job->name));
    const int code = run_job(invocation, *job, *options, command_that_goes_on(invocation));
    if (code != exit_completed) return code;
  }
  if (left.empty()) write_message(fmt::format("No window of {} is missing.\n", job->name));
  return exit_completed;
}

int act(const Invocation& invocation) {
  if (invocation.has("--due")) return run_due(invocation);
  const auto options = read_run_options(invocation);
  if (!options) return fail(invocation, options.error());
  const std::optional<JobSpec> job = take_job(invocation);
  if (!job) return exit_usage;
  if (job->schedule && !invocation.has("--window"))
    return fail(invocation,
                make_error(ErrorKind::usage,
                           fmt::format("Job \"{}\" is run by windows: give --due for all that are "
                                       "missing, or --window {} for one",
                                       job->name, job->window->name)));
  if (job->schedule) {
    auto fits = check_is_scheduled(*job);
    if (fits) fits = check_is_over(*job, system_clock().now_microseconds());
    if (!fits) return fail(invocation, fits.error());
  }
  return run_job(invocation, *job, *options, command_that_goes_on(invocation));
}

}  // namespace

Command run_command() {
  Command made;
  made.name = "run";
  made.group = "Work";
  made.summary = "runs a job, or goes on with its unfinished run";
  made.detail =
      "Goes on with the unfinished run of the same job and parameters where there is one: what is "
      "committed is not done again. Otherwise a new run starts.\n"
      "Ctrl-C ends the run at the next batch boundary; the same command goes on.\n"
      "A job with a schedule is run by its windows of time, each of them once.";
  made.operand = Operand::job;
  made.flags = flags_with(
      flags_with(flags_with(work_flags(), telling_flags()),
                 {
                     {"--due", "", "of a job with a schedule: all windows that are missing"},
                     {"--fresh", "",
                      "gives up the unfinished run, undoes what it has not finished, starts anew"},
                     {"--again", "", "loads again what a completed run has already appended"},
                     {"--full", "", "increments read all that is there, loaded before or not"},
                     {"--accept", "WHAT",
                      "goes on although something changed: input, job, code, snapshot; with "
                      "--fresh: committed leaves rows in tables"},
                 }),
      job_window_flags());
  made.examples = {
      {"run sales.yaml", "runs the job; typed again after a failure, it goes on"},
      {"run sales.yaml -p day=2026-01-31", "with a parameter"},
      {"run sales.yaml --max-rejects 0.1%", "one bad record in a thousand is no failure"},
      {"run sales.yaml --window 2026-01-31", "one window of a job with a schedule"},
      {"run sales.yaml --due", "those that are missing, for cron or Airflow"},
      {"run sales.yaml --json | jq .state", "for a program: one JSON object at the end"},
  };
  made.act = act;
  return made;
}

}  // namespace tranche
