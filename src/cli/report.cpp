#include <fmt/format.h>

#include <tranche/api/inspect.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/operands.h"
#include "cli/output.h"
#include "render/run_page.h"

namespace tranche {
namespace {

int act(const Invocation& invocation) {
  const auto named = take_run(invocation);
  if (!named) return fail(invocation, named.error());
  const auto report = report_run(named->state, named->info.run);
  if (!report) return fail(invocation, report.error());
  const std::string page = render_run_page(*report, system_clock().now_microseconds());
  const std::string path = invocation.value(
      "-o", fmt::format("{}-{}.html", report->info.job, report->info.run.substr(0, 8)));
  if (path == "-") return finish(page);
  const auto written = write_file_durably(path, page);
  if (!written) return fail(invocation, written.error());
  return finish(path + "\n");
}

}  // namespace

Command report_command() {
  Command made;
  made.name = "report";
  made.group = "Look";
  made.summary = "writes a page about a run: its batches, speed, memory, rejects, retries";
  made.detail =
      "One page of HTML that needs no network: a timeline of the batches of each worker, "
      "throughput and memory, the slowest batches, rejects by reason, retries, and what `workers: "
      "auto` chose. A run that goes on is shown as far as it is.\nReports about data are written "
      "by steps of a job: `report:`.";
  made.operand = Operand::optional_run;
  made.flags = {
      {"-o", "FILE", "where to write it, \"-\" for standard output; default: JOB-RUN.html"},
      run_flags().front()};
  made.examples = {{"report last -o run.html", "about the latest run"},
                   {"report sales", "about the latest run of the job \"sales\""}};
  made.act = act;
  return made;
}

}  // namespace tranche
