#include "render/run_page.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/text.h"
#include "render/look.h"
#include "render/run_drawings.h"
#include "report/html_page.h"
#include "report/html_text.h"

namespace tranche {
namespace {

using reporting::html;

constexpr std::size_t slowest_shown = 10;

double seconds_between(std::int64_t begin, std::int64_t end) {
  return static_cast<double>(std::max<std::int64_t>(end - begin, 0)) / 1e6;
}

std::string utc_minutes(std::int64_t microseconds) {
  if (microseconds == 0) return "\xe2\x80\x93";
  std::string text = format_utc(microseconds).substr(0, 19);
  text[10] = ' ';
  return text + " UTC";
}

struct StepFigures {
  std::uint64_t read = 0;
  std::uint64_t written = 0;
  std::uint64_t rejected = 0;
  std::uint64_t batches = 0;
  std::uint64_t retries = 0;
  std::uint64_t memory_bytes = 0;
};

StepFigures figures_of(const ReportedStep& step) {
  StepFigures figures;
  for (const ReportedGroup& group : step.groups) {
    figures.read += group.read;
    figures.written += group.written;
    figures.rejected += group.rejected;
    std::vector<std::uint64_t> batches;
    for (const BatchWork& work : group.work.batches) batches.push_back(work.batch);
    std::sort(batches.begin(), batches.end());
    const auto end = std::unique(batches.begin(), batches.end());
    // One whose workers nobody knows has a batch at least.
    figures.batches +=
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(end - batches.begin()));
    figures.retries += group.work.attempts - 1;
    figures.memory_bytes = std::max(figures.memory_bytes, group.work.memory_bytes);
  }
  return figures;
}

// A table whose cells are text by now.
class TextCells {
 public:
  struct Heading {
    std::string name;
    bool is_number = false;
  };
  // `is_title`: the caption is the heading of the section, too.
  TextCells(std::string id, std::string caption, bool is_title, std::vector<Heading> headings)
      : id_(std::move(id)),
        caption_(std::move(caption)),
        is_title_(is_title),
        headings_(std::move(headings)) {}

  // `value`: what a number with a unit is sorted by.
  TextCells& cell(std::string_view text, std::string_view value = {}) {
    if (column_ == 0) rows_ += "<tr>";
    reporting::append_cell(rows_, text, headings_[column_].is_number, value);
    if (++column_ == headings_.size()) {
      rows_ += "</tr>\n";
      column_ = 0;
      ++count_;
    }
    return *this;
  }
  TextCells& count(std::uint64_t number) { return cell(format_count(number)); }
  TextCells& seconds(double seconds) {
    return cell(format_seconds(seconds), fmt::format("{:.6f}", seconds));
  }

  std::string text() const {
    Schema schema;
    for (const Heading& heading : headings_) {
      const TypeId type = heading.is_number ? TypeId::double_ : TypeId::varchar;
      schema.fields.push_back(Field{heading.name, Type{type}, false});
    }
    return reporting::table_begin(id_, caption_, is_title_, format_number_of(count_, "row", "rows"),
                                  schema) +
           rows_ + std::string(reporting::table_end);
  }

 private:
  std::string id_;
  std::string caption_;
  bool is_title_;
  std::vector<Heading> headings_;
  std::string rows_;
  std::size_t column_ = 0;
  std::uint64_t count_ = 0;
};

class RunPage {
 public:
  RunPage(const RunReport& report, std::int64_t now) : report_(report), now_(now) {
    for (const ReportedStep& step : report.steps) figures_.push_back(figures_of(step));
  }

  std::string text() {
    reporting::Head head;
    head.title = fmt::format("Run of {}", report_.info.job);
    add_section("At a glance", glance());
    add_section("Steps", steps());
    for (std::size_t i = 0; i < report_.steps.size(); ++i) {
      const ReportedStep& step = report_.steps[i];
      if (!step.groups.empty()) add_section("Step " + step.name, course(step, i));
    }
    add_section("Rejects by reason", reasons());
    add_section("Retries and failures", failures());
    if (!report_.warnings.empty()) add_section("Warnings", warnings());
    head.sections = titles_;
    return reporting::page_begin(head) + sections_ + reporting::page_end(head);
  }

 private:
  void add_section(const std::string& title, const std::string& content) {
    titles_.push_back(title);
    sections_ += reporting::section_begin(titles_.size(), title, {}) + content + "</section>\n";
  }

  std::string glance() const {
    StepFigures all;
    for (const StepFigures& one : figures_) {
      all.read += one.read;
      all.written += one.written;
      all.rejected += one.rejected;
      all.batches += one.batches;
      all.retries += one.retries;
      all.memory_bytes = std::max(all.memory_bytes, one.memory_bytes);
    }
    const RunInfo& info = report_.info;
    const auto& summary = info.summary;
    const std::int64_t end = info.ended_microseconds > 0 ? info.ended_microseconds : now_;
    const double seconds =
        summary ? summary->seconds : seconds_between(info.started_microseconds, end);
    if (summary) all.memory_bytes = std::max(all.memory_bytes, summary->peak_memory_bytes);
    std::string out = "<dl class=\"facts\">\n";
    const auto fact = [&](std::string_view name, std::string_view value,
                          std::string_view css_class = {}) {
      out += fmt::format("<div><dt>{}</dt><dd{}>{}</dd></div>\n", name,
                         css_class.empty() ? "" : fmt::format(" class=\"{}\"", css_class),
                         html(value));
    };
    fact("State", info.state,
         info.state == "completed" ? "good"
         : info.state == "failed"  ? "bad"
                                   : "warn");
    fact("Time", format_seconds(seconds));
    fact("Records read", format_count(all.read));
    fact("Written", format_count(all.written));
    fact("Rejected", format_count(all.rejected), all.rejected > 0 ? "warn" : "");
    fact("Batches", format_count(all.batches));
    fact("Retries", format_count(all.retries), all.retries > 0 ? "warn" : "");
    if (all.memory_bytes > 0) fact("Peak memory", format_size(all.memory_bytes));
    out += "</dl>\n<dl class=\"details\">\n";
    fact("Run", info.run);
    fact("Started", utc_minutes(info.started_microseconds));
    fact("Ended", utc_minutes(info.ended_microseconds));
    for (const auto& [name, value] : info.parameters) fact(html(name), value);
    if (!info.rejects_of.empty()) fact("Rejects of", info.rejects_of);
    out += "</dl>\n";
    if (!info.error.empty()) out += fmt::format("<p class=\"error\">{}</p>\n", html(info.error));
    return out;
  }

  const StepSummary* summary_of(const std::string& step) const {
    if (!report_.info.summary) return nullptr;
    for (const StepSummary& one : report_.info.summary->steps)
      if (one.name == step) return &one;
    return nullptr;
  }

  std::string steps() const {
    TextCells table("steps", "Steps", true,
                    {{"step"},
                     {"state"},
                     {"read", true},
                     {"written", true},
                     {"rejected", true},
                     {"batches", true},
                     {"retries", true},
                     {"time", true},
                     {"workers"}});
    for (std::size_t i = 0; i < report_.steps.size(); ++i) {
      const ReportedStep& step = report_.steps[i];
      const StepSummary* const summary = summary_of(step.name);
      const std::int64_t end = step.ended_microseconds > 0 ? step.ended_microseconds : now_;
      const StepFigures& figures = figures_[i];
      table.cell(step.name).cell(step.state);
      table.count(figures.read).count(figures.written).count(figures.rejected);
      table.count(figures.batches);
      table.count(
          std::max<std::uint64_t>(figures.retries, summary != nullptr ? summary->retries : 0));
      table.seconds(summary != nullptr && summary->seconds > 0
                        ? summary->seconds
                        : seconds_between(step.started_microseconds, end));
      std::string workers;
      if (summary != nullptr && summary->worker_count > 0) {
        workers = fmt::format("{} {}", summary->worker_count, summary->worker_kind);
        if (!summary->worker_why.empty()) workers += ": " + summary->worker_why;
      }
      table.cell(workers);
    }
    return table.text();
  }

  static std::string course(const ReportedStep& step, std::size_t number) {
    const RunTime time(step);
    std::string out = draw_workers(step, time);
    if (out.empty())
      out = "<p>The ledger has not kept who worked on these batches, and when.</p>\n";
    out += "<div class=\"curves\">" + draw_throughput(step, time) + draw_memory(step, time) +
           "</div>\n";
    return out + slowest(step, time, number);
  }

  static std::string slowest(const ReportedStep& step, const RunTime& time, std::size_t number) {
    const auto batches = slowest_batches(step, slowest_shown);
    if (batches.empty()) return {};
    TextCells table(fmt::format("slowest-{}", number), "Slowest batches", false,
                    {{"batch", true},
                     {"group", true},
                     {"worker", true},
                     {"began after", true},
                     {"took", true},
                     {"group's records", true},
                     {"attempts", true}});
    for (const BatchWork* const work : batches) {
      const auto group = std::find_if(step.groups.begin(), step.groups.end(), [&](const auto& one) {
        const auto& all = one.work.batches;
        return !all.empty() && work >= all.data() && work < all.data() + all.size();
      });
      table.count(work->batch).count(group->group).count(work->worker + 1);
      table.seconds(time.seconds_until(work->began_microseconds));
      table.seconds(static_cast<double>(work->busy_microseconds) / 1e6);
      table.count(group->read).count(group->work.attempts);
    }
    return table.text();
  }

  std::string reasons() const {
    TextCells table("reasons", "Rejects by reason", true,
                    {{"step"}, {"rejects", true}, {"phase"}, {"reason"}, {"for instance"}});
    bool is_empty = true;
    for (const ReportedStep& step : report_.steps) {
      for (const ReportedReason& reason : step.reasons) {
        is_empty = false;
        table.cell(step.name).count(reason.count).cell(reason.phase).cell(reason.reason);
        table.cell(reason.example == reason.reason ? std::string() : excerpt(reason.example, 300));
      }
    }
    return is_empty ? "<p>No record was rejected.</p>\n" : table.text();
  }

  std::string failures() const {
    TextCells table("failures", "Retries and failures", true,
                    {{"step"}, {"group", true}, {"attempts", true}, {"what happened"}, {"then"}});
    bool is_empty = true;
    for (const ReportedStep& step : report_.steps) {
      for (const ReportedGroup& group : step.groups) {
        if (group.work.attempts < 2) continue;
        is_empty = false;
        table.cell(step.name).count(group.group).count(group.work.attempts);
        table.cell(group.work.last_failure).cell("committed");
      }
      for (const ReportedFailure& failure : step.failures) {
        is_empty = false;
        table.cell(step.name).count(failure.group).count(failure.attempt);
        table.cell(excerpt(failure.error, 600)).cell("the step failed");
      }
    }
    return is_empty ? "<p>Nothing had to be tried again.</p>\n" : table.text();
  }

  std::string warnings() const {
    std::string out = "<ul>\n";
    for (const std::string& warning : report_.warnings)
      out += fmt::format("<li>{}</li>\n", html(warning));
    return out + "</ul>\n";
  }

  const RunReport& report_;
  std::int64_t now_;
  std::vector<StepFigures> figures_;
  std::vector<std::string> titles_;
  std::string sections_;
};

}  // namespace

std::string render_run_page(const RunReport& report, std::int64_t now_microseconds) {
  return RunPage(report, now_microseconds).text();
}

}  // namespace tranche
