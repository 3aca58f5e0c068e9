// A report step: sections of text, of queries with their charts, and of rejects, written to one
// file, which a run replaces: a page of HTML, Markdown or a workbook (report/report_writer.h).
//
// Each query runs out of core and its result is kept in a file of the run, from which the first
// rows go into the report. A run that dies while it works makes the report again when it goes on;
// the file appears whole, or not at all.
// Threads: one; a query uses as many as it is told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tranche/core/policy.h>

#include "ledger/ledger.h"
#include "report/report_writer.h"
#include "steps/batch_step.h"
#include "steps/query_step.h"

namespace tranche {

struct ReportSection {
  std::string title;
  std::string text;
  std::function<Result<QueryStep>()> query;   // made anew for each attempt; empty: there is none
  std::optional<reporting::ChartWish> chart;  // of the query's rows
  std::string place;                          // of the chart: "job.yaml:12:9"
  std::string rejects_of;                     // a step; empty: none
  std::optional<std::uint64_t> rows;          // that its table shows
};

struct ReportStep {
  std::string name;
  std::filesystem::path path;
  reporting::Format format = reporting::Format::html;
  std::string title;
  std::string text;
  std::vector<ReportSection> sections;
  RetryPolicy retry;
};

struct ReportMade {
  std::uint64_t bytes = 0;
  std::uint64_t digest = 0;
  std::uint32_t retries = 0;
  std::vector<std::string> notices;  // what was left out of it without having been asked for
};

// The file that becomes the report. A run that is given up leaves none.
std::filesystem::path report_part_path(const std::filesystem::path& report, const std::string& run);

// `ledger`: where the run's rejects are. Errors: config: a query or a chart is wrong; those of
// keep_query_result; failed.
Result<ReportMade> run_report_step(const ReportStep& step, const StepSurroundings& surroundings,
                                   Ledger& ledger, const std::function<bool()>& stop_wanted);

// Whether its queries and charts fit what is there; computes nothing. Errors: config.
Result<void> examine_report_section(const ReportSection& section,
                                    const std::filesystem::path& scratch);

// Digest and length of a file.
Result<ReportMade> digest_report(const std::filesystem::path& path);

}  // namespace tranche
