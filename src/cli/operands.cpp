#include "cli/operands.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/output.h"

namespace tranche {
namespace {

Result<std::vector<GivenParameter>> given_parameters(const Invocation& invocation) {
  std::vector<GivenParameter> given;
  const auto found = invocation.values.find("-p");
  if (found == invocation.values.end()) return given;
  for (const std::string& text : found->second) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos)
      return make_error(ErrorKind::usage, fmt::format("-p {}: name=value was expected, as in "
                                                      "-p day=2026-01-31",
                                                      excerpt(text)));
    const std::string name = text.substr(0, equals);
    for (const auto& [earlier, value] : given) {
      if (earlier != name) continue;
      return make_error(ErrorKind::usage, fmt::format("-p {} is given twice, as {} and as {}; give "
                                                      "it once",
                                                      excerpt(name), excerpt(value),
                                                      excerpt(text.substr(equals + 1))));
    }
    given.emplace_back(name, text.substr(equals + 1));
  }
  return given;
}

// A program's own job takes its parameters by name, as a job file does.
Result<JobSpec> with_parameters(JobSpec job, const std::vector<GivenParameter>& given) {
  std::vector<std::string> names;
  for (const Parameter& parameter : job.parameters) names.push_back(parameter.name);
  for (const auto& [name, value] : given) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      const auto near = nearest(name, names);
      return make_error(
          ErrorKind::usage,
          fmt::format("The job has no parameter \"{}\"{}", excerpt(name),
                      near ? fmt::format("; did you mean \"{}\"?", *near) : std::string()));
    }
    Parameter& parameter = job.parameters[static_cast<std::size_t>(found - names.begin())];
    TRANCHE_ASSIGN(parameter, make_parameter(name, parameter.type, value));
  }
  return job;
}

bool is_job_file(const std::string& word) {
  return word.ends_with(".yaml") || word.ends_with(".yml");
}

}  // namespace

const std::vector<Flag>& job_flags() {
  static const std::vector<Flag> flags{
      {"-p", "NAME=VALUE", "gives a parameter of the job its value", true},
      {"--state", "DIR", "keeps runs in DIR; default: TRANCHE_STATE, or .tranche beside the job"},
      {"--json", "", "prints one JSON object on standard output"},
  };
  return flags;
}

std::vector<Flag> job_window_flags() {
  return flags_with(
      {{"--window", "W", "of a job with a schedule: the window that begins then, as 2026-01-31"}},
      job_flags());
}

const std::vector<Flag>& run_flags() {
  static const std::vector<Flag> flags{
      {"--state", "DIR", "looks for runs in DIR; default: TRANCHE_STATE, or ./.tranche"},
      {"--json", "", "prints one JSON object on standard output"},
  };
  return flags;
}

std::vector<Flag> flags_with(std::vector<Flag> own, const std::vector<Flag>& shared) {
  own.insert(own.end(), shared.begin(), shared.end());
  return own;
}

std::optional<JobSpec> take_job(const Invocation& invocation) {
  return take_job(invocation, [&](const Timetable& timetable) -> Result<TimeWindow> {
    if (invocation.has("--window")) return timetable.find(invocation.value("--window"));
    return timetable.latest_due(system_clock().now_microseconds()).value_or(timetable.first());
  });
}

Error no_schedule(const std::string& flag, const std::string& job) {
  return make_error(ErrorKind::usage,
                    fmt::format("{} is for jobs with a schedule, and {} has none; add \"schedule: "
                                "{{ every: 1 day, from: 2026-01-01 }}\" to the job file",
                                flag, job));
}

std::optional<JobSpec> take_job(const Invocation& invocation, const WindowChoice& choose) {
  const auto given = given_parameters(invocation);
  if (!given) {
    fail(invocation, given.error());
    return std::nullopt;
  }
  if (invocation.own_job != nullptr) {
    auto job = with_parameters(*invocation.own_job, *given);
    if (job && invocation.has("--window")) job = no_schedule("--window", "this program's job");
    if (job) return *std::move(job);
    fail(invocation, job.error());
    return std::nullopt;
  }
  if (invocation.positionals.empty()) {
    fail(invocation,
         make_error(ErrorKind::usage, fmt::format("\"{0}\" needs a job file, as in \"tranche {0} "
                                                  "job.yaml\"",
                                                  invocation.words.front())));
    return std::nullopt;
  }
  const fs::path file = invocation.positionals.front();
  Problems problems;
  auto job = load_job(file, *given, problems, choose);
  if (job && !job->schedule && invocation.has("--window"))
    job = no_schedule("--window", file.string());
  if (job) return *std::move(job);
  fail(invocation, job.error(), file, problems);
  return std::nullopt;
}

Result<fs::path> take_state(const Invocation& invocation) {
  const fs::path given = invocation.value("--state");
  const fs::path base = invocation.own_job != nullptr ? invocation.own_job->base : fs::path();
  return state_folder(given, base);
}

Result<NamedRun> take_run(const Invocation& invocation) {
  std::string name = "last";
  NamedRun made;
  TRANCHE_ASSIGN(made.state, take_state(invocation));
  if (!invocation.positionals.empty())
    name = invocation.positionals.front();
  else if (invocation.own_job != nullptr)
    name = invocation.own_job->name;
  if (is_job_file(name) && file_exists(name)) {
    const fs::path file = name;
    made.state = state_folder(invocation.value("--state"), file.parent_path());
    TRANCHE_ASSIGN(name, read_job_name(file));
  }
  TRANCHE_ASSIGN(made.info, find_run(made.state, name));
  return made;
}

std::optional<JobSpec> job_of_run(const Invocation& invocation, const RunInfo& run) {
  if (invocation.own_job == nullptr && run.job_file.empty()) {
    static_cast<void>(fail(
        invocation,
        make_error(ErrorKind::usage, fmt::format("Run {} belongs to a program, not to a job file; "
                                                 "give \"{}\" to that program",
                                                 run.run.substr(0, 8), invocation.words.front()))));
    return std::nullopt;
  }
  Invocation as_run = invocation;
  as_run.positionals = {run.job_file};
  for (const auto& [name, value] : run.parameters)
    as_run.values["-p"].push_back(fmt::format("{}={}", name, value));
  if (!run.window) return take_job(as_run, {});
  auto job =
      take_job(as_run, [&](const Timetable&) -> Result<TimeWindow> { return run.window->times; });
  // What was given by hand when it began is not what all of its parameters are.
  if (job) job->window = run.window;
  return job;
}

std::string command_as_typed(const Invocation& invocation) {
  std::string typed = quote_for_shell(invocation.program);
  for (const std::string& word : invocation.words) typed += " " + quote_for_shell(word);
  return typed;
}

std::string quote_for_shell(const std::string& word) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./=:,+@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return word;
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + "'";
}

}  // namespace tranche
