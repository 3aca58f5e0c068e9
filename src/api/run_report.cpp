// How a run went, for its report.
#include <algorithm>
#include <map>

#include <tranche/api/inspect.h>
#include "ledger/ledger.h"

namespace tranche {
namespace {

constexpr std::uint32_t failures_shown = 50;
constexpr std::size_t reasons_max = 200;  // those that come behind are one
constexpr std::size_t reasons_shown = 30;

// A sentence without the values in it, which differ from reject to reject: what stands in quotes,
// other than the name of a column.
std::string reason_of(const std::string& error) {
  std::string reason;
  std::size_t at = 0;
  while (at < error.size()) {
    const std::size_t open = error.find('"', at);
    const std::size_t close = open == std::string::npos ? open : error.find('"', open + 1);
    if (close == std::string::npos) return reason + error.substr(at);
    reason += error.substr(at, open - at);
    const std::size_t column = reason.rfind("olumn ");
    const bool is_name =
        column != std::string::npos &&
        std::all_of(reason.begin() + static_cast<std::ptrdiff_t>(column + 6), reason.end(),
                    [](char c) { return c == ' ' || (c >= '0' && c <= '9'); });
    reason += is_name ? error.substr(open, close - open + 1) : "\"\xe2\x80\xa6\"";
    at = close + 1;
  }
  return reason;
}

Result<std::vector<ReportedReason>> reasons_of(Ledger& ledger, const std::string& run,
                                               const std::string& step) {
  std::map<std::pair<std::string, std::string>, ReportedReason> reasons;
  TRANCHE_TRY(ledger.read_reject_sentences(run, step, [&](const RejectSentence& one) {
    std::pair<std::string, std::string> key{one.phase, reason_of(one.error)};
    if (!reasons.contains(key) && reasons.size() >= reasons_max) key = {"", "other reasons"};
    ReportedReason& reason = reasons[key];
    if (reason.count == 0) reason = {key.first, key.second, one.error, 0};
    reason.count += one.count;
    return Result<void>();
  }));
  std::vector<ReportedReason> sorted;
  for (auto& [key, reason] : reasons) sorted.push_back(std::move(reason));
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.count > b.count; });
  while (sorted.size() > reasons_shown) {  // the rest is one
    ReportedReason& last = sorted[reasons_shown - 1];
    last = {"", "other reasons", last.example, last.count + sorted.back().count};
    sorted.pop_back();
  }
  return sorted;
}

ReportedGroup reported(const RecordedGroup& group) {
  return {group.group,
          group.counts.read,
          group.counts.written,
          group.counts.rejected(),
          group.committed_microseconds,
          group.work};
}

}  // namespace

Result<RunReport> report_run(const std::filesystem::path& state, const std::string& run) {
  RunReport report;
  TRANCHE_ASSIGN(report.info, find_run(state, run));
  TRANCHE_ASSIGN(const auto ledger, Ledger::open_existing_read_only(state));
  TRANCHE_ASSIGN(report.warnings, ledger->warnings(report.info.run));
  TRANCHE_ASSIGN(const auto records, ledger->list_steps(report.info.run));
  for (const StepRecord& record : records) {
    ReportedStep step;
    step.name = record.name;
    step.state = record.state;
    step.error = record.error;
    step.started_microseconds = record.started_microseconds;
    step.ended_microseconds = record.ended_microseconds;
    TRANCHE_TRY(ledger->read_groups(report.info.run, step.name, [&](const RecordedGroup& group) {
      step.groups.push_back(reported(group));
      return Result<void>();
    }));
    TRANCHE_ASSIGN(step.reasons, reasons_of(*ledger, report.info.run, step.name));
    TRANCHE_ASSIGN(const auto failures,
                   ledger->failures(report.info.run, step.name, failures_shown));
    for (const RecordedFailure& one : failures)
      step.failures.push_back({one.group, one.attempt, one.error, one.at_microseconds});
    report.steps.push_back(std::move(step));
  }
  return report;
}

}  // namespace tranche
