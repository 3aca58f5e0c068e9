#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/flag_values.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "cli/retention.h"
#include "cli/telling.h"
#include "jobfile/load.h"
#include "render/look.h"
#include "schedule/processes.h"
#include "schedule/windows.h"

namespace tranche {
namespace {

constexpr std::chrono::seconds metrics_interval{5};

std::string quote_for_systemd(const std::string& word) {
  std::string out;
  bool is_plain = !word.empty();
  for (const char c : word) {
    is_plain = is_plain && c != ' ' && c != '\t' && c != '"' && c != '\'' && c != '\\';
    if (c == '%' || c == '$') out += c;  // doubled, it stands for itself
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return is_plain ? out : "\"" + out + "\"";
}

// What was typed, with absolute paths, without --unit.
std::string command_of_unit(const Invocation& invocation) {
  const auto absolute = [](const std::string& path) {
    return fs::absolute(path).lexically_normal().string();
  };
  std::string out = quote_for_systemd(executable_path()) + " schedule";
  for (const std::string& job : invocation.positionals)
    out += " " + quote_for_systemd(absolute(job));
  for (const Flag& flag : schedule_command().flags) {
    if (flag.name == "--unit" || !invocation.has(flag.name)) continue;
    const std::string given = invocation.value(flag.name);
    const bool is_path =
        (flag.value == "DIR" || flag.value == "FILE") && given.find("://") == std::string::npos;
    out += " " + flag.name;
    if (!flag.value.empty()) out += " " + quote_for_systemd(is_path ? absolute(given) : given);
  }
  return out;
}

std::string unit_text(const Invocation& invocation, const std::vector<std::string>& names) {
  return fmt::format(
      "# tranche schedule ... --unit > /etc/systemd/system/tranche-{}.service\n"
      "# systemctl daemon-reload && systemctl enable --now tranche-{}\n"
      "[Unit]\n"
      "Description=Tranche schedule of {}\n"
      "Wants=network-online.target\n"
      "After=network-online.target time-sync.target\n"
      "\n"
      "[Service]\n"
      "Type=exec\n"
      "ExecStart={}\n"
      "# Secrets such as WAREHOUSE_URL, one NAME=VALUE a line, readable by root alone:\n"
      "EnvironmentFile=-/etc/tranche/{}.env\n"
      "# User=tranche\n"
      "Restart=on-failure\n"
      "RestartSec=10\n"
      "# A wrong job file, or a schedule that is running already, is not cured by a restart.\n"
      "RestartPreventExitStatus={} {}\n"
      "# Runs end at their next batch boundary, and are gone on with at the next start.\n"
      "KillMode=mixed\n"
      "TimeoutStopSec=10min\n"
      "\n"
      "[Install]\n"
      "WantedBy=multi-user.target\n",
      names.front(), names.front(), join(names, ", "), command_of_unit(invocation), names.front(),
      exit_usage, exit_busy);
}

// Every mistake in every job file, before anything is run.
Result<std::vector<ScheduleFile>> take_files(const Invocation& invocation,
                                             std::vector<std::string>& names) {
  std::vector<ScheduleFile> files;
  std::size_t wrong = 0;
  for (const std::string& word : invocation.positionals) {
    Invocation one = invocation;
    one.positionals = {word};
    const auto job = take_job(one);
    if (!job) {
      ++wrong;
      continue;
    }
    if (!job->schedule) return no_schedule("\"schedule\"", word);
    if (std::find(names.begin(), names.end(), job->name) != names.end())
      return make_error(
          ErrorKind::usage,
          fmt::format("Job \"{}\" was given twice; each needs a name of its own", job->name));
    names.push_back(job->name);
    files.push_back({word, state_folder(invocation.value("--state"), job->base)});
  }
  if (wrong > 0)
    return make_error(ErrorKind::config,
                      fmt::format("{} of {} can't be scheduled; nothing was started", wrong,
                                  format_number_of(invocation.positionals.size(), "job", "jobs")));
  return files;
}

Result<JobSpec> load_for_schedule(const fs::path& file) {
  Problems problems;
  auto job = load_job(file, {}, problems);
  if (job || problems.empty()) return job;
  return make_error(job.error().kind, std::string(trim(format_problems(file, problems))));
}

// A job whose file is wrong just now is measured without its windows.
MeasuredJob measure(const ScheduleFile& file, const std::string& name, std::int64_t now) {
  MeasuredJob made;
  made.job = name;
  if (auto run = find_run(file.state, name)) made.run = *std::move(run);
  if (const auto trouble = trouble_of(file.state, name))
    made.failures = *trouble ? (*trouble)->failures : 0;
  const auto job = load_for_schedule(file.file);
  if (!job || !job->schedule) return made;
  const Agenda agenda = agenda_of(*job);
  const Timetable& timetable = agenda.timetable();
  const auto latest = timetable.latest_due(now);
  if (!latest) return made;
  std::map<std::string, std::uint64_t> counts{
      {"done", 0}, {"failed", 0}, {"missing", 0}, {"running", 0}};
  if (const auto windows =
          list_windows(file.state, *job, timetable.first().begin, latest->end, now))
    for (const WindowInfo& window : *windows) ++counts[window.state];
  made.windows.assign(counts.begin(), counts.end());
  return made;
}

void measure_all(const fs::path& file, std::span<const ScheduleFile> files,
                 std::span<const std::string> names) {
  std::vector<MeasuredJob> jobs;
  for (std::size_t i = 0; i < files.size(); ++i)
    jobs.push_back(measure(files[i], names[i], system_clock().now_microseconds()));
  write_metrics(file, jobs);
}

int act(const Invocation& invocation) {
  if (invocation.positionals.empty())
    return fail(invocation, make_error(ErrorKind::usage,
                                       "\"schedule\" needs job files, as in "
                                       "\"tranche schedule sales.yaml\""));
  const auto at_once = take_number(invocation, "--at-once", 4);
  if (!at_once) return fail(invocation, at_once.error());
  const auto retention = take_retention(invocation, "--forget-older-than", "--forget-max-size");
  if (!retention) return fail(invocation, retention.error());
  std::vector<std::string> names;
  const auto files = take_files(invocation, names);
  if (!files) return fail(invocation, files.error());
  if (invocation.has("--unit")) return finish(unit_text(invocation, names));
  ScheduleEdges edges;
  edges.program = executable_path();
  edges.load = load_for_schedule;
  edges.tell = [](const std::string& line) { write_message(line + "\n"); };
  std::set<fs::path> states;
  for (const ScheduleFile& file : *files) states.insert(file.state);
  Housekeeping housekeeping(*retention, std::move(states), edges.tell);
  const std::string metrics = invocation.value("--metrics");
  std::chrono::nanoseconds measured_at = -metrics_interval;
  edges.on_change = [&] {
    housekeeping.work();
    const auto now = system_clock().monotonic();
    if (metrics.empty() || now - measured_at < metrics_interval) return;
    measured_at = now;
    measure_all(metrics, *files, names);
  };
  if (invocation.has("--lineage")) edges.arguments = {"--lineage", invocation.value("--lineage")};
  const auto world = ScheduleProcesses::create(*files, std::move(edges));
  if (!world) return fail(invocation, world.error());
  write_message(fmt::format("Scheduling {}; Ctrl-C ends it.\n", join(names, ", ")));
  const auto served = ScheduleService((*world)->jobs(), *at_once, **world).serve();
  if (!metrics.empty()) measure_all(metrics, *files, names);
  return served ? exit_completed : fail(invocation, served.error());
}

}  // namespace

Command schedule_command() {
  Command made;
  made.name = "schedule";
  made.group = "Work";
  made.summary = "runs jobs at their times, until it is ended";
  made.detail =
      "A service in the foreground: each window of each job is run once and in order, in a process "
      "of its own; what was missed is caught up with as the job says. It may be killed and started "
      "again at any time. A window that fails is tried again, and those behind it wait; after "
      "several failures in a row the job is halted, until its file is changed or the window was "
      "run "
      "by hand.\n"
      "SIGTERM and Ctrl-C end it, and its runs at their next batch boundary.";
  made.operand = Operand::jobs;
  made.flags = {
      {"--at-once", "N", "how many jobs may run at the same time; default: 4"},
      {"--state", "DIR", "keeps runs in DIR; default: TRANCHE_STATE, or .tranche beside each job"},
      {"--forget-older-than", "TIME",
       "forgets runs that ended so long ago, as \"forget\" does, once an hour; as in 90d"},
      {"--forget-max-size", "SIZE",
       "likewise the oldest ones, until a state folder is no larger than that"},
      {"--metrics", "FILE", "keeps the jobs' figures there, as OpenMetrics"},
      {"--lineage", "FILE",
       "appends what runs read and write as OpenLineage events; or a URL that they are sent to"},
      {"--unit", "", "prints a unit for systemd that does what was typed, and runs nothing"},
  };
  made.examples = {{"schedule sales.yaml stock.yaml", "two jobs, each at its times"},
                   {"schedule sales.yaml --forget-older-than 90d --forget-max-size 10GiB",
                    "and what is older, or too much, is forgotten"},
                   {"schedule /srv/jobs/*.yaml --unit > /etc/systemd/system/tranche-jobs.service",
                    "as a service of the machine"}};
  made.act = act;
  return made;
}

}  // namespace tranche
