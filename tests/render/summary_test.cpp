#include "render/summary.h"

namespace tranche {
namespace {

RunSummary completed() {
  RunSummary summary;
  summary.run = "3f9a1c2e55667788";
  summary.job = "sales";
  summary.state = RunState::completed;
  summary.seconds = 12.4;
  summary.peak_memory_bytes = 212u << 20;
  summary.rejects_path = ".tranche/runs/3f9a/rejects-load.jsonl";
  StepSummary step;
  step.name = "load";
  step.state = "completed";
  step.counts.read = 2'999'871;
  step.counts.read_rejects = 129;
  step.counts.written = 2'999'871;
  step.batches = 15;
  step.batches_resumed = 7;
  step.seconds = 12.4;
  step.worker_count = 2;
  step.worker_kind = "threads";
  summary.steps.push_back(step);
  return summary;
}

TEST(Summary, SaysWhatWasDoneAndWhereItIs) {
  SummaryContext context;
  context.outputs = {{"load", "warehouse/sales"}};
  context.rejects_command = "tranche rejects 3f9a1c2e";
  const std::string text = render_summary(completed(), context, Look{});
  for (const char* part :
       {"sales completed in 12.4 s", "129 records were rejected, within the limit", "2,999,871",
        "15 (7 earlier)", "warehouse/sales", "rejects-load.jsonl", "tranche rejects 3f9a1c2e",
        "2 threads", "212 MiB"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find("To go on"), std::string::npos);
}

TEST(Summary, OfAFailureShowsTheErrorTheBadRecordsAndTheCommandThatGoesOn) {
  RunSummary summary = completed();
  summary.state = RunState::failed;
  summary.error = make_error(ErrorKind::bad_record, "Too many bad records.\n  one\n  two");
  SummaryContext context;
  context.resume_command = "tranche run sales.yaml -p 'day=31 January'";
  context.bad_records = {R"({"source":"a.csv","line":7,"offset":120,"error":"\"x\" is not an )"
                         R"(integer.","raw":"1,x\u001b[31m"})"};
  context.bad_records_count = 1200;
  const std::string text = render_summary(summary, context, Look{});
  for (const char* part :
       {"sales failed after", "Error: Too many bad records.\n",
        "The first 1 of 1,200 bad records:", "a.csv:7 (byte 120)  \"x\" is not an integer.",
        "tranche run sales.yaml -p 'day=31 January'"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);   // of the record's own bytes
  EXPECT_EQ(text.find("  two"), std::string::npos);  // the list of the error itself
}

TEST(Summary, OfWhatWasAlreadyLoadedSaysHowToLoadItAgain) {
  RunSummary summary = completed();
  summary.already_loaded = true;
  const std::string text = render_summary(summary, {}, Look{});
  EXPECT_NE(text.find("already loaded by run 3f9a1c2e"), std::string::npos);
  EXPECT_NE(text.find("--again"), std::string::npos);
}

TEST(ErrorText, EndsAsASentenceAndNamesThePlace) {
  EXPECT_EQ(render_error(make_error(ErrorKind::config, "No such column", "a.yaml:3:4"), Look{}),
            "Error: a.yaml:3:4: No such column.\n");
  EXPECT_EQ(render_error(make_error(ErrorKind::usage, "Did you mean x?"), Look{}),
            "Error: Did you mean x?\n");
}

}  // namespace
}  // namespace tranche
