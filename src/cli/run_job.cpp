#include "cli/run_job.h"

#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "api/assemble.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "cli/telling.h"
#include "jobfile/load.h"
#include "render/progress.h"
#include "render/summary.h"

namespace tranche {
namespace {

constexpr std::size_t bad_records_shown = 10;

std::string option_text(const Node& options, std::string_view key) {
  const Node* node = options.find(key);
  return node == nullptr ? std::string() : url_without_password(node->text);
}

bool begins_anew(const JobSpec& job) {
  return reads_standard_input(job) || writes_standard_output(job);
}

// Where a step writes, as a path from here.
std::string output_of(const JobSpec& job, const StepSpec& step) {
  std::string out = step.report ? option_text(*step.report, "report")
                                : option_text(step.write.options, step.write.connector);
  if (writes_standard_output(step)) return "standard output";
  const bool is_path = out.find("://") == std::string::npos;
  if (!out.empty() && is_path && !job.base.empty())
    out = (job.base / out).lexically_normal().string();
  if (const std::string table = option_text(step.write.options, "table"); !table.empty())
    out += ", table " + table;
  return out;
}

// The bad records of the attempt that ended the run come last.
void take_bad_records(const RunSummary& summary, SummaryContext& context) {
  if (summary.state != RunState::failed || summary.run.empty()) return;
  std::uint64_t published = 0;
  const auto count_one = [](const std::string&) { return Result<void>(); };
  if (auto count = for_each_reject(summary.state_folder, summary.run, true, count_one))
    published = *count;
  std::uint64_t seen = 0;
  const auto take = [&](const std::string& line) -> Result<void> {
    if (seen++ >= published && context.bad_records.size() < bad_records_shown)
      context.bad_records.push_back(line);
    return {};
  };
  // Without the ledger the summary is still worth showing; the run's own error says what failed.
  if (auto count = for_each_reject(summary.state_folder, summary.run, false, take))
    context.bad_records_count = *count - std::min(*count, published);
}

// What a refused change asks to be accepted, as part of a command: " --accept job".
std::string accepting(const RunSummary& summary) {
  if (!summary.error) return {};
  for (const char* part : {"input", "job", "code", "snapshot"}) {
    const std::string accepted = fmt::format(" --accept {}", part);
    if (summary.error->message.find(accepted) != std::string::npos) return accepted;
  }
  return {};
}

SummaryContext summary_context(const Invocation& invocation, const JobSpec& job,
                               const RunSummary& summary, const std::string& go_on) {
  SummaryContext context;
  for (const StepSpec& step : job.steps)
    if (std::string path = output_of(job, step); !path.empty())
      context.outputs.emplace_back(step.name, std::move(path));
  const bool is_to_go_on = summary.state == RunState::failed || summary.state == RunState::stopped;
  if (is_to_go_on && !begins_anew(job)) context.resume_command = go_on + accepting(summary);
  context.rejects_command =
      quote_for_shell(invocation.program) + " rejects " + summary.run.substr(0, 8);
  if (!summary.state_folder.empty() && fs::path(summary.state_folder) != state_folder({}, {}))
    context.rejects_command += " --state " + quote_for_shell(summary.state_folder);
  take_bad_records(summary, context);
  return context;
}

int exit_code_of(const RunSummary& summary) {
  switch (summary.state) {
    case RunState::completed:
      return exit_completed;
    case RunState::stopped:
      return exit_stopped;
    default:
      return summary.error ? exit_code(*summary.error) : exit_failed;
  }
}

// Standard output is for the data alone where a step writes to it.
int fail_beside_data(const Invocation& invocation, const JobSpec& job, const Error& error) {
  if (!writes_standard_output(job)) return fail(invocation, error);
  write_message(render_error(error, message_look()));
  if (invocation.has("--json"))
    write_message(Json().set("error", Json().set("message", error.message)).dump() + "\n");
  return exit_code(error);
}

Error needs(std::string_view flag, const std::string& given, std::string_view expected) {
  return make_error(ErrorKind::usage,
                    fmt::format("{} {}: {} was expected", flag, excerpt(given), expected));
}

Result<void> read_accepted(const std::string& text, RunOptions& options) {
  for (const std::string& word : split(text, ',')) {
    if (word == "input")
      options.accept_input = true;
    else if (word == "job")
      options.accept_job = true;
    else if (word == "code")
      options.accept_code = true;
    else if (word == "snapshot")
      options.accept_snapshot = true;
    else if (word == "committed")
      options.accept_committed = true;
    else
      return needs("--accept", text, "a list of input, job, code, snapshot and committed");
  }
  return {};
}

}  // namespace

std::vector<Flag> work_flags() {
  return {{"--workers", "W",
           "auto, a number, '{ threads: 4 }' or '{ processes: 4 }'; instead of the job's"},
          {"--memory", "SIZE", "what the run may hold, as in 512MiB; instead of the job's"},
          {"--max-rejects", "N", "bad records that a step may have: 1000 or 0.1%"},
          {"--wait", "TIME", "waits for another run that holds the target, as in 10m"}};
}

Result<RunOptions> read_run_options(const Invocation& invocation) {
  RunOptions options;
  options.state = invocation.value("--state");
  options.fresh = invocation.has("--fresh");
  options.again = invocation.has("--again");
  options.full = invocation.has("--full");
  if (invocation.has("--workers")) {
    TRANCHE_ASSIGN(options.workers, parse_workers(invocation.value("--workers")));
  }
  if (invocation.has("--memory")) {
    options.memory_bytes = parse_size(invocation.value("--memory"));
    if (!options.memory_bytes)
      return needs("--memory", invocation.value("--memory"), "a size such as 512MiB");
  }
  if (invocation.has("--max-rejects")) {
    auto limit = parse_reject_limit(invocation.value("--max-rejects"));
    if (!limit) return make_error(ErrorKind::usage, "--max-rejects: " + limit.error().message);
    options.max_rejects = *limit;
  }
  if (invocation.has("--wait")) {
    const auto wait = parse_duration(invocation.value("--wait"));
    if (!wait) return needs("--wait", invocation.value("--wait"), "a duration such as 10m");
    options.wait = *wait;
  }
  if (invocation.has("--accept")) {
    TRANCHE_TRY(read_accepted(invocation.value("--accept"), options));
  }
  return options;
}

int run_job(const Invocation& invocation, const JobSpec& job, const RunOptions& options,
            const std::string& go_on) {
  auto view = make_progress_view(write_message, [] { return message_look(); });
  Telling telling(invocation, job, view.get());
  auto ended = run_supervised(job, options, &telling);
  view.reset();
  if (!ended) return fail_beside_data(invocation, job, ended.error());
  telling.end(*ended);
  const SummaryContext context = summary_context(invocation, job, *ended, go_on);
  write_message(render_summary(*ended, context, message_look()));
  const int code = exit_code_of(*ended);
  if (begins_anew(job) && (code == exit_failed || code == exit_stopped))
    write_message("What went through a pipe can't be gone on with: the next run begins anew.\n");
  if (writes_standard_output(job)) {  // it is for the data alone
    if (invocation.has("--json")) write_message(ended->to_json() + "\n");
    return code;
  }
  return invocation.has("--json") ? finish(ended->to_json() + "\n", code) : code;
}

}  // namespace tranche
