#include <algorithm>

#include <fmt/format.h>

#include "api/job_case.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "render/difference.h"
#include "render/summary.h"

namespace tranche {
namespace {

// The cases that were asked for.
Result<std::vector<std::string>> chosen_cases(const Invocation& invocation, const JobSpec& job) {
  TRANCHE_ASSIGN(std::vector<std::string> names, find_cases(job));
  const std::string wanted = invocation.value("--case");
  if (wanted.empty()) return names;
  if (std::find(names.begin(), names.end(), wanted) != names.end())
    return std::vector<std::string>{wanted};
  const auto near = nearest(wanted, names);
  return make_error(
      ErrorKind::usage,
      near ? fmt::format("There is no case \"{}\"; did you mean \"{}\"?", excerpt(wanted), *near)
           : fmt::format("There is no case \"{}\"; there are {}", excerpt(wanted),
                         join(names, ", ")));
}

std::string mark(bool is_good) {
  return is_good ? paint(data_look(), Colour::green, "✓ ") : paint(data_look(), Colour::red, "✗ ");
}

std::string failure_text(const std::string& name, const CaseOutcome& outcome) {
  std::string out = fmt::format("{}{}: the run failed\n", mark(false), name);
  out += "    " + (outcome.error->where.empty() ? "" : outcome.error->where + ": ") +
         outcome.error->message + "\n";
  for (const std::string& left_out : outcome.left_out) out += "    (" + left_out + ")\n";
  return out;
}

// What is said of a case.
std::string verdict(const std::string& name, const CaseOutcome& outcome) {
  if (outcome.error) return failure_text(name, outcome);
  std::string out = fmt::format("{}{}\n", mark(outcome.is_passed()), name);
  if (!outcome.has_expected)
    out += "    nothing says what is expected; --update writes what came\n";
  for (const CaseFile& file : outcome.files)
    if (outcome.has_expected && !file.is_same())
      out += render_difference(file.name, file.expected, file.came, data_look());
  for (const std::string& left_out : outcome.left_out) out += "    (" + left_out + ")\n";
  return out;
}

Result<std::string> update(const JobSpec& job, const std::string& name,
                           const CaseOutcome& outcome) {
  if (outcome.error) return failure_text(name, outcome);
  TRANCHE_ASSIGN(const auto written, update_case(job, name, outcome));
  std::string out = fmt::format("{}{}\n", mark(true), name);
  for (const fs::path& path : written) out += fmt::format("    wrote {}\n", path.string());
  if (written.empty()) out += "    nothing came of it\n";
  return out;
}

int act(const Invocation& invocation) {
  const std::optional<JobSpec> job = take_job(invocation);
  if (!job) return exit_usage;
  const auto names = chosen_cases(invocation, *job);
  if (!names) return fail(invocation, names.error());
  const bool updates = invocation.has("--update");
  std::size_t passed = 0;
  for (const std::string& name : *names) {
    const auto outcome = run_case(*job, name);
    if (!outcome) return fail(invocation, outcome.error());
    const auto text =
        updates ? update(*job, name, *outcome) : Result<std::string>(verdict(name, *outcome));
    if (!text) return fail(invocation, text.error());
    if (const auto said = write_data(*text); !said) return fail(invocation, said.error());
    passed += outcome->is_passed() || (updates && !outcome->error) ? 1 : 0;
  }
  const bool all = passed == names->size();
  if (updates) return all ? exit_completed : exit_failed;
  const std::string sum =
      all ? fmt::format("{}.\n", passed == 1 ? "The case passed"
                                             : fmt::format("All {} cases passed", passed))
          : fmt::format("{} of {} cases failed. Where what came is right: {} --update\n",
                        names->size() - passed, names->size(), command_as_typed(invocation));
  return finish(sum, all ? exit_completed : exit_failed);
}

}  // namespace

Command test_command() {
  Command made;
  made.name = "test";
  made.group = "Prepare";
  made.summary = "runs a job on the data of its tests, and compares what comes of it";
  made.detail =
      "The cases of sales.yaml are the folders in tests/sales/ beside it. A file or folder in a "
      "case takes the place of the one of that name beside the job file, and expected/ holds what "
      "must come of it: files as they are, tables and Parquet as CSV, bad records in "
      "rejects.jsonl.\n"
      "A case runs in a throw-away folder: neither outputs nor state of the job are touched. Steps "
      "that run programs, or SQL in a database elsewhere, are left out. Exit code 1 when a case "
      "fails.";
  made.operand = Operand::job;
  made.flags = {{"--case", "NAME", "only this one"},
                {"--update", "", "makes what came what is expected: look at it before you keep it"},
                {"-p", "NAME=VALUE", "a parameter of the job", true}};
  made.examples = {{"test sales.yaml", "all cases of the job"},
                   {"test sales.yaml --case first --update", "writes its expected/"}};
  made.act = act;
  return made;
}

}  // namespace tranche
