#include "render/metrics.h"

#include <fmt/format.h>

namespace tranche {
namespace {

constexpr double microseconds_a_second = 1e6;

using Labels = std::vector<std::pair<std::string_view, std::string>>;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? "\\n" : std::string(1, c);
  }
  return out;
}

// The samples of one metric stand together, whichever job they are of.
class Gauge {
 public:
  Gauge(std::string name, std::string unit, std::string help)
      : head_(fmt::format("# TYPE {0} gauge\n{1}# HELP {0} {2}\n", name,
                          unit.empty() ? "" : fmt::format("# UNIT {} {}\n", name, unit), help)),
        name_(std::move(name)) {}

  void add(const Labels& labels, double value) {
    std::string list;
    for (const auto& [name, text] : labels)
      list += fmt::format("{}{}=\"{}\"", list.empty() ? "" : ",", name, escaped(text));
    samples_ += fmt::format("{}{{{}}} {}\n", name_, list, value);
  }
  std::string text() const { return samples_.empty() ? "" : head_ + samples_; }

 private:
  std::string head_;
  std::string name_;
  std::string samples_;
};

struct Gauges {
  Gauge started{"tranche_last_run_start_timestamp_seconds", "seconds",
                "When the latest run of the job began, since 1970."};
  Gauge ended{"tranche_last_run_end_timestamp_seconds", "seconds",
              "When it ended; absent while it goes on."};
  Gauge completed{"tranche_last_run_completed", "", "1: it has completed, 0: it has not."};
  Gauge seconds{"tranche_last_run_seconds", "seconds", "How long it took."};
  Gauge memory{"tranche_last_run_peak_memory_bytes", "bytes", "The most memory that it held."};
  Gauge records{"tranche_last_run_records", "",
                "Records of a step by what became of them: read, written, filtered, rejected."};
  Gauge bytes{"tranche_last_run_read_bytes", "bytes", "Bytes that a step has read."};
  Gauge batches{"tranche_last_run_batches", "", "Batches of a step."};
  Gauge retries{"tranche_last_run_retries", "", "Attempts of a step that were repeated."};
  Gauge windows{"tranche_windows", "", "Windows of a job with a schedule by their state."};
  Gauge failures{"tranche_schedule_failures", "", "Failures of a scheduled job in a row."};

  std::string text() const {
    std::string out;
    for (const Gauge* gauge : {&started, &ended, &completed, &seconds, &memory, &records, &bytes,
                               &batches, &retries, &windows, &failures})
      out += gauge->text();
    return out;
  }
};

void add_step(Gauges& gauges, const std::string& job, const StepSummary& step) {
  const Labels labels{{"job", job}, {"step", step.name}};
  const auto records = [&](const char* kind, std::uint64_t count) {
    Labels of_kind = labels;
    of_kind.emplace_back("kind", kind);
    gauges.records.add(of_kind, static_cast<double>(count));
  };
  records("read", step.counts.read);
  records("written", step.counts.written);
  records("filtered", step.filtered);
  records("rejected", step.counts.rejected());
  gauges.bytes.add(labels, static_cast<double>(step.counts.bytes_read));
  gauges.batches.add(labels, static_cast<double>(step.batches));
  gauges.retries.add(labels, step.retries);
}

void add_run(Gauges& gauges, const std::string& job, const RunInfo& run) {
  const Labels labels{{"job", job}};
  const auto seconds_of = [](std::int64_t microseconds) {
    return static_cast<double>(microseconds) / microseconds_a_second;
  };
  gauges.started.add(labels, seconds_of(run.started_microseconds));
  gauges.completed.add(labels, run.state == "completed" ? 1 : 0);
  if (run.ended_microseconds != 0) gauges.ended.add(labels, seconds_of(run.ended_microseconds));
  if (!run.summary) return;
  gauges.seconds.add(labels, run.summary->seconds);
  gauges.memory.add(labels, static_cast<double>(run.summary->peak_memory_bytes));
  for (const StepSummary& step : run.summary->steps) add_step(gauges, job, step);
}

}  // namespace

std::string render_metrics(std::span<const MeasuredJob> jobs) {
  Gauges gauges;
  for (const MeasuredJob& job : jobs) {
    if (job.run) add_run(gauges, job.job, *job.run);
    for (const auto& [state, count] : job.windows)
      gauges.windows.add({{"job", job.job}, {"state", state}}, static_cast<double>(count));
    if (job.failures) gauges.failures.add({{"job", job.job}}, static_cast<double>(*job.failures));
  }
  return gauges.text() + "# EOF\n";
}

}  // namespace tranche
