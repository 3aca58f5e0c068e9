#include <charconv>

#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "render/listing.h"

namespace tranche {
namespace {

constexpr std::size_t rows_max = 1000;

std::optional<std::size_t> row_count(const std::string& text) {
  std::size_t rows = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rows);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (rows == 0 || rows > rows_max) return std::nullopt;
  return rows;
}

Result<void> check_step(const JobSpec& job, const std::string& name) {
  if (name.empty()) return {};
  std::vector<std::string> names;
  for (const StepSpec& step : job.steps) names.push_back(step.name);
  if (std::find(names.begin(), names.end(), name) != names.end()) return {};
  const auto near = nearest(name, names);
  return make_error(
      ErrorKind::usage,
      near
          ? fmt::format("The job has no step \"{}\"; did you mean \"{}\"?", excerpt(name), *near)
          : fmt::format("The job has no step \"{}\"; it has {}", excerpt(name), join(names, ", ")));
}

int act(const Invocation& invocation) {
  const std::string text = invocation.value("--rows", "10");
  const auto rows = row_count(text);
  if (!rows)
    return fail(invocation,
                make_error(ErrorKind::usage, fmt::format("--rows {}: a number from 1 to {} was "
                                                         "expected",
                                                         excerpt(text), rows_max)));
  const std::optional<JobSpec> job = take_job(invocation);
  if (!job) return exit_usage;
  const std::string step = invocation.value("--step");
  if (auto known = check_step(*job, step); !known) return fail(invocation, known.error());
  const auto stages = preview_step(*job, step, *rows);
  if (!stages) return fail(invocation, stages.error());
  if (invocation.has("--json")) return finish_json(preview_json(*stages));
  return finish(render_preview(*stages, data_look()));
}

}  // namespace

Command preview_command() {
  Command made;
  made.name = "preview";
  made.group = "Prepare";
  made.summary = "shows the first records before and after each transform";
  made.detail = "Nothing is written.";
  made.operand = Operand::job;
  made.flags = flags_with({{"--step", "S", "the step; default: the first one"},
                           {"--rows", "N", "how many records; default: 10"}},
                          job_window_flags());
  made.examples = {{"preview sales.yaml --step load --rows 5", "the first five records of a step"}};
  made.act = act;
  return made;
}

}  // namespace tranche
