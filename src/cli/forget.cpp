#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "cli/retention.h"
#include "render/look.h"

namespace tranche {
namespace {

Result<ForgetOptions> read_options(const Invocation& invocation) {
  TRANCHE_ASSIGN(const Retention retention,
                 take_retention(invocation, "--older-than", "--max-size"));
  if (!retention.is_bounded())
    return make_error(ErrorKind::usage,
                      "\"forget\" needs --older-than, as in --older-than 90d, or --max-size, as in "
                      "--max-size 10GiB");
  ForgetOptions options = retention.options();
  options.with_rejects = invocation.has("--with-rejects");
  options.dry_run = invocation.has("--dry-run");
  return options;
}

Json forgotten_json(const Forgotten& forgotten) {
  Json runs{Json::Array{}};
  for (const auto& [run, job] : forgotten.runs) runs.push(Json().set("run", run).set("job", job));
  return Json()
      .set("runs", std::move(runs))
      .set("kept_unfinished", forgotten.kept_unfinished)
      .set("kept_rejects", forgotten.kept_rejects)
      .set("bytes_before", forgotten.bytes_before)
      .set("bytes_after", forgotten.bytes_after);
}

std::string render_forgotten(const Forgotten& forgotten, bool is_dry) {
  std::string out =
      fmt::format("{} {} forgotten", format_number_of(forgotten.runs.size(), "run", "runs"),
                  is_dry                       ? "would be"
                  : forgotten.runs.size() == 1 ? "was"
                                               : "were");
  out += is_dry
             ? ".\n"
             : fmt::format("; the state folder has {}, and had {}.\n",
                           format_size(forgotten.bytes_after), format_size(forgotten.bytes_before));
  if (forgotten.kept_unfinished > 0)
    out += fmt::format("Kept: {} that can be gone on with; \"abandon\" gives one up.\n",
                       format_number_of(forgotten.kept_unfinished, "run", "runs"));
  if (forgotten.kept_rejects > 0)
    out += fmt::format(
        "Kept: {} with rejects for \"retry-rejects\"; --with-rejects forgets them too.\n",
        format_number_of(forgotten.kept_rejects, "run", "runs"));
  return out;
}

int act(const Invocation& invocation) {
  const auto options = read_options(invocation);
  if (!options) return fail(invocation, options.error());
  const auto state = take_state(invocation);
  if (!state) return fail(invocation, state.error());
  const auto forgotten = forget_runs(*state, *options);
  if (!forgotten) return fail(invocation, forgotten.error());
  if (invocation.has("--json")) return finish_json(forgotten_json(*forgotten));
  return finish(render_forgotten(*forgotten, options->dry_run));
}

}  // namespace

Command forget_command() {
  Command made;
  made.name = "forget";
  made.group = "Work";
  made.summary = "forgets old runs, their rejects and logs, so that the state folder stays small";
  made.detail =
      "Kept are the latest run of each job, runs that can be gone on with, and runs with rejects "
      "that nobody has processed again. What increments go on from, and which windows and appends "
      "are done, is remembered for ever; it is little. What the jobs have written is not touched.";
  made.flags = flags_with(
      {{"--older-than", "TIME", "runs that ended so long ago, as in 90d"},
       {"--max-size", "SIZE", "the oldest ones, until the state folder is no larger than that"},
       {"--with-rejects", "", "those with rejects that nobody has processed again too"},
       {"--dry-run", "", "says what would be forgotten, and forgets nothing"}},
      run_flags());
  made.examples = {{"forget --older-than 90d", "what ended more than three months ago"},
                   {"forget --older-than 30d --max-size 10GiB --with-rejects",
                    "with a limit for the disk, for cron"}};
  made.act = act;
  return made;
}

}  // namespace tranche
