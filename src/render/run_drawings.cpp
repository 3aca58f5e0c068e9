#include "render/run_drawings.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "render/look.h"
#include "report/html_text.h"

namespace tranche {
namespace {

constexpr double lane_height = 10;
constexpr double curve_height = 100;
constexpr std::size_t curve_points_max = 160;
constexpr std::size_t slow_batches_marked = 10;
constexpr double box_width_min = 0.4;   // of what is drawn at all
constexpr double slow_width_min = 2.5;  // of what is to be seen
constexpr double joined_gap = 0.2;      // what is nearer together is drawn as one

// A number of a path, as short as it can be said.
void append_number(std::string& out, double number) {
  std::string text = fmt::format("{:.1f}", number);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  out += text;
}

struct Span {
  double begin = 0;
  double end = 0;
};

// Boxes in the order of their begin; those that can't be told apart are one.
std::string boxes(std::vector<Span> spans, double least_width) {
  std::sort(spans.begin(), spans.end(),
            [](const Span& a, const Span& b) { return a.begin < b.begin; });
  std::vector<Span> drawn;
  for (Span span : spans) {
    if (span.end - span.begin > 1) span.end -= joined_gap;  // so that neighbours are told apart
    span.end = std::max(span.end, span.begin + least_width);
    const bool is_near = !drawn.empty() && span.begin - drawn.back().end < joined_gap / 2;
    const bool is_small = span.end - span.begin < 1;
    if (is_near && is_small)
      drawn.back().end = std::max(drawn.back().end, span.end);
    else
      drawn.push_back(span);
  }
  std::string path;
  for (const Span& span : drawn) {
    path += 'M';
    append_number(path, span.begin);
    path += " 0h";
    append_number(path, span.end - span.begin);
    path += "v10H";
    append_number(path, span.begin);
    path += 'z';
  }
  return path;
}

std::string begin_drawing(std::string_view css_class, const std::string& summary) {
  return fmt::format("<figure class=\"run {}\">\n", css_class) +
         fmt::format("<div role=\"img\" aria-label=\"{}\">\n", reporting::html(summary));
}

std::string time_axis(const RunTime& time) {
  const double seconds = time.seconds();
  std::string out = "<div class=\"axis\"><span>0 s</span>";
  for (const double share : {0.25, 0.5, 0.75, 1.0})
    out += fmt::format("<span>{}</span>", format_seconds(seconds * share));
  return out + "</div>\n";
}

struct Lane {
  std::vector<Span> spans;
  std::vector<Span> slow;
  std::int64_t busy_microseconds = 0;
  std::uint64_t batches = 0;
};

// A tenth of them, and not too many.
std::size_t slow_batches(const ReportedStep& step) {
  std::size_t all = 0;
  for (const ReportedGroup& group : step.groups) all += group.work.batches.size();
  return std::min(all / 10, slow_batches_marked);
}

std::map<std::uint32_t, Lane> lanes_of(const ReportedStep& step, const RunTime& time) {
  const auto slow = slowest_batches(step, slow_batches(step));
  std::map<std::uint32_t, Lane> lanes;
  for (const ReportedGroup& group : step.groups) {
    for (const BatchWork& work : group.work.batches) {
      Lane& lane = lanes[work.worker];
      const Span span{time.place(work.began_microseconds), time.place(work.ended_microseconds)};
      lane.busy_microseconds += work.busy_microseconds;
      ++lane.batches;
      const bool is_slow = std::find(slow.begin(), slow.end(), &work) != slow.end();
      (is_slow ? lane.slow : lane.spans).push_back(span);
    }
  }
  return lanes;
}

// A step for each of equal stretches of the time.
std::string curve(const std::vector<double>& values, double most) {
  std::string path = fmt::format("M0 {}", curve_height);
  const double width = RunTime::width / static_cast<double>(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    path += 'V';
    append_number(path, curve_height - (most > 0 ? values[i] / most : 0) * (curve_height - 4));
    path += 'H';
    append_number(path, width * static_cast<double>(i + 1));
  }
  return path + fmt::format("V{}z", curve_height);
}

std::string draw_curve(const std::vector<double>& values, const std::string& summary,
                       const std::string& label, const RunTime& time) {
  const double most = *std::max_element(values.begin(), values.end());
  return begin_drawing("curve", summary) +
         fmt::format(
             "<p>{}</p>\n<svg viewBox=\"0 0 {} {}\" preserveAspectRatio=\"none\"><path "
             "d=\"{}\"/></svg>\n",
             reporting::html(label), RunTime::width, curve_height, curve(values, most)) +
         time_axis(time) + "</div>\n</figure>\n";
}

std::size_t stretches_of(const ReportedStep& step) {
  return std::clamp<std::size_t>(step.groups.size(), 2, curve_points_max);
}

std::size_t stretch_of(const RunTime& time, std::int64_t moment, std::size_t stretches) {
  const auto at = static_cast<std::size_t>(time.place(moment) / RunTime::width *
                                           static_cast<double>(stretches));
  return std::min(at, stretches - 1);
}

}  // namespace

std::vector<const BatchWork*> slowest_batches(const ReportedStep& step, std::size_t count) {
  std::vector<const BatchWork*> all;
  for (const ReportedGroup& group : step.groups)
    for (const BatchWork& work : group.work.batches) all.push_back(&work);
  const auto longer = [](const BatchWork* a, const BatchWork* b) {
    return a->busy_microseconds != b->busy_microseconds
               ? a->busy_microseconds > b->busy_microseconds
               : a->batch < b->batch;
  };
  const auto kept = static_cast<std::ptrdiff_t>(std::min(count, all.size()));
  std::partial_sort(all.begin(), all.begin() + kept, all.end(), longer);
  all.resize(static_cast<std::size_t>(kept));
  return all;
}

std::string draw_workers(const ReportedStep& step, const RunTime& time) {
  const auto lanes = lanes_of(step, time);
  if (lanes.empty() || time.seconds() <= 0) return {};
  std::uint64_t batches = 0;
  std::string rows;
  for (const auto& [worker, lane] : lanes) {
    batches += lane.batches;
    const double busy =
        static_cast<double>(lane.busy_microseconds) / 1e4 / time.seconds();  // in percent
    rows += fmt::format(
        "<div class=\"lane\"><span>Worker {}</span><svg viewBox=\"0 0 {} {}\" "
        "preserveAspectRatio=\"none\"><path d=\"{}\"/>",
        worker + 1, RunTime::width, lane_height, boxes(lane.spans, box_width_min));
    if (!lane.slow.empty())
      rows += fmt::format("<path class=\"slow\" d=\"{}\"/>", boxes(lane.slow, slow_width_min));
    rows += fmt::format(
        "</svg><span class=\"busy\">{} % busy</span></div>\n",
        busy < 10 ? fmt::format("{:.1f}", busy) : fmt::format("{:.0f}", std::min(busy, 100.0)));
  }
  const std::string summary = fmt::format(
      "Timeline of {} of {} over {}", format_number_of(batches, "batch", "batches"),
      format_number_of(lanes.size(), "worker", "workers"), format_seconds(time.seconds()));
  std::string out = begin_drawing("timeline", summary) + rows + time_axis(time) + "</div>\n";
  std::string note = "Each box is a batch";
  const std::size_t slow = slow_batches(step);
  if (slow == 1) note += "; the one that took longest stands out";
  if (slow > 1) note += fmt::format("; the {} that took longest stand out", slow);
  note += '.';
  if (time.pauses() > 0) {
    note += fmt::format(" {} of {} in all {} left out, in which nobody worked.",
                        format_number_of(time.pauses(), "pause", "pauses"),
                        format_seconds(static_cast<double>(time.pauses_microseconds()) / 1e6),
                        time.pauses() == 1 ? "is" : "are");
  }
  return out + fmt::format("<figcaption>{}</figcaption>\n</figure>\n", note);
}

std::string draw_throughput(const ReportedStep& step, const RunTime& time) {
  if (time.seconds() <= 0) return {};
  const std::size_t stretches = stretches_of(step);
  std::vector<double> rates(stretches, 0);
  double records = 0;
  for (const ReportedGroup& group : step.groups) {
    const auto read = static_cast<double>(group.read);
    rates[stretch_of(time, group.committed_microseconds, stretches)] += read;
    records += read;
  }
  const double length = time.seconds() / static_cast<double>(stretches);
  for (double& rate : rates) rate /= length;
  const auto count = [](double rate) {
    return format_count(static_cast<std::uint64_t>(std::llround(rate)));
  };
  const std::string label = fmt::format("Records committed a second: {} on average, {} at most",
                                        count(records / time.seconds()),
                                        count(*std::max_element(rates.begin(), rates.end())));
  return draw_curve(rates, label, label, time);
}

std::string draw_memory(const ReportedStep& step, const RunTime& time) {
  const std::size_t stretches = stretches_of(step);
  std::vector<double> sizes(stretches, 0);
  for (const ReportedGroup& group : step.groups) {
    double& size = sizes[stretch_of(time, group.committed_microseconds, stretches)];
    size = std::max(size, static_cast<double>(group.work.memory_bytes));
  }
  // Where nothing was committed it was what it was before, at the beginning what it was then.
  for (std::size_t i = 1; i < stretches; ++i)
    if (sizes[i] == 0) sizes[i] = sizes[i - 1];
  for (std::size_t i = stretches - 1; i > 0; --i)
    if (sizes[i - 1] == 0) sizes[i - 1] = sizes[i];
  const double most = *std::max_element(sizes.begin(), sizes.end());
  if (most <= 0 || time.seconds() <= 0) return {};
  const std::string label = fmt::format("Memory of the run's processes: {} at most",
                                        format_size(static_cast<std::uint64_t>(most)));
  return draw_curve(sizes, label, label, time);
}

}  // namespace tranche
