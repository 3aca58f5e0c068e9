#include "schedule/backfill.h"

#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/flag_values.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "render/look.h"
#include "schedule/processes.h"
#include "schedule/windows.h"

namespace tranche {
namespace {

// Those that `only` means: failed ones have an unfinished run, missing ones have none.
Result<std::vector<TimeWindow>> windows_to_run(const JobSpec& job, const fs::path& state,
                                               const TimeWindow& range, const std::string& only,
                                               std::int64_t now) {
  if (!only.empty() && only != "failed" && only != "missing")
    return make_error(ErrorKind::usage,
                      fmt::format("--only {}: failed or missing was expected", excerpt(only)));
  TRANCHE_ASSIGN(const auto windows, list_windows(state, job, range.begin, range.end, now));
  std::vector<TimeWindow> chosen;
  for (const WindowInfo& window : windows) {
    const bool is_missing = window.state == "missing" || window.state == "skipped";
    const bool is_left = window.state != "done" && window.state != "running";
    if (is_left && (only.empty() || is_missing == (only == "missing")))
      chosen.push_back(window.times);
  }
  return chosen;
}

std::vector<std::string> arguments_of_runs(const Invocation& invocation, std::size_t at_once) {
  std::vector<std::string> arguments;
  if (const auto given = invocation.values.find("-p"); given != invocation.values.end())
    for (const std::string& parameter : given->second)
      arguments.insert(arguments.end(), {"-p", parameter});
  // Runs that write the same table take turns.
  if (at_once > 1) arguments.insert(arguments.end(), {"--wait", "1d"});
  return arguments;
}

int report(const Invocation& invocation, const JobSpec& job, const BackfillEnd& end) {
  write_message(fmt::format("{}: {} done, {} failed, {} not begun.\n", job.name,
                            format_number_of(end.done, "window", "windows"),
                            format_count(end.failed), format_count(end.left)));
  const int code = end.was_stopped ? exit_stopped : end.failed > 0 ? exit_failed : exit_completed;
  if (!invocation.has("--json")) return code;
  return finish_json(Json()
                         .set("job", job.name)
                         .set("done", std::uint64_t{end.done})
                         .set("failed", std::uint64_t{end.failed})
                         .set("left", std::uint64_t{end.left}),
                     code);
}

int act(const Invocation& invocation) {
  const auto at_once = take_number(invocation, "--at-once", 1);
  if (!at_once) return fail(invocation, at_once.error());
  const auto job = take_job(invocation);
  if (!job) return exit_usage;
  if (!job->schedule) return fail(invocation, no_schedule("\"backfill\"", job->name));
  const std::int64_t now = system_clock().now_microseconds();
  const Agenda agenda = agenda_of(*job);
  const auto range = take_range(invocation, agenda.timetable(), now);
  if (!range) return fail(invocation, range.error());
  const fs::path state = state_folder(invocation.value("--state"), job->base);
  const auto windows = windows_to_run(*job, state, *range, invocation.value("--only"), now);
  if (!windows) return fail(invocation, windows.error());
  const std::string count = format_number_of(windows->size(), "window", "windows");
  if (invocation.has("--dry-run")) {
    std::string out;
    for (const TimeWindow& window : *windows) out += agenda.timetable().name_of(window) + "\n";
    write_message(fmt::format("{} of {} would be run.\n", count, job->name));
    return finish(out);
  }
  write_message(
      fmt::format("{} of {} {} run.\n", count, job->name, windows->size() == 1 ? "is" : "are"));
  ScheduleEdges edges;
  edges.program = executable_path();
  edges.load = [&](const fs::path&) -> Result<JobSpec> { return *job; };
  edges.tell = [](const std::string& line) { write_message(line + "\n"); };
  edges.arguments = arguments_of_runs(invocation, *at_once);
  const ScheduleFile file{invocation.positionals.front(), state};
  const auto world = ScheduleProcesses::create(std::span(&file, 1), std::move(edges),
                                               ScheduleProcesses::Jobs::shared);
  if (!world) return fail(invocation, world.error());
  const auto end = backfill(**world, *windows, *at_once, invocation.has("--keep-going"));
  return end ? report(invocation, *job, *end) : fail(invocation, end.error());
}

}  // namespace

Command backfill_command() {
  Command made;
  made.name = "backfill";
  made.group = "Work";
  made.summary = "runs the windows of a scheduled job that are missing";
  made.detail =
      "In order, each in a process of its own; what is done is left alone, and what failed is gone "
      "on with. The first failure ends it, since later windows may build on earlier ones; "
      "--keep-going leaves failures behind.\n"
      "With --at-once above 1 the order is not kept. Runs that write the same table or file take "
      "turns.";
  made.operand = Operand::job;
  made.flags = flags_with(
      flags_with(range_flags(),
                 {{"--only", "STATE", "failed: those with an unfinished run; missing: the others"},
                  {"--at-once", "N", "how many runs go on at the same time; default: 1"},
                  {"--keep-going", "", "goes on behind a window that fails"},
                  {"--dry-run", "", "says which windows would be run, and runs nothing"}}),
      job_flags());
  made.examples = {
      {"backfill sales.yaml --from 2026-01-01 --to 2026-02-01", "what is missing of January"},
      {"backfill sales.yaml --only failed", "what went wrong, once the cause is mended"},
      {"backfill sales.yaml --at-once 4", "everything, four windows at a time"}};
  made.act = act;
  return made;
}

}  // namespace tranche
