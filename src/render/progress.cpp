#include "render/progress.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace tranche {
namespace {

constexpr double rate_seconds = 5;
constexpr double line_seconds = 5;  // between plain lines in the first minute
constexpr double line_seconds_later = 30;
constexpr std::size_t name_width_max = 20;
constexpr std::size_t bar_width = 48;
constexpr std::size_t bar_width_min = 8;

std::string bar(const Look& look, double share, std::size_t width) {
  const double filled = std::clamp(share, 0.0, 1.0) * static_cast<double>(width);
  auto full = static_cast<std::size_t>(filled);
  std::string done;
  std::string left;
  for (std::size_t i = 0; i < full; ++i) done += look.has_unicode ? "━" : "=";
  if (full < width && filled - static_cast<double>(full) >= 0.5) {
    done += look.has_unicode ? "╸" : "-";
    ++full;
  }
  for (std::size_t i = full; i < width; ++i)
    left += look.has_unicode ? (look.has_colour ? "━" : "─") : ".";
  return paint(look, Colour::green, done) + paint(look, Colour::dim, left);
}

std::string batches_text(const Progress& progress) {
  if (progress.batches_planned == 0) return {};
  return fmt::format("{}/{}{} batches", format_count(progress.batches_committed),
                     format_count(progress.batches_planned), progress.plan_complete ? "" : "+");
}

// A rate moves all the time: three digits are what an eye can read.
std::string rate_text(double rate) {
  if (rate >= 1e9) return fmt::format("{:.3g}G rows/s", rate / 1e9);
  if (rate >= 1e6) return fmt::format("{:.2f}M rows/s", rate / 1e6);
  if (rate >= 1e4) return fmt::format("{:.0f}k rows/s", rate / 1e3);
  return fmt::format("{} rows/s", format_count(static_cast<std::uint64_t>(rate)));
}

// A figure of the second line; the smallest rank goes first when there is no room.
struct Figure {
  int rank;
  std::string text;
  Colour colour = Colour::none;
};

std::vector<Figure> figures(const Pace& pace) {
  const Progress& now = pace.progress();
  std::vector<Figure> made{{9, format_number_of(now.records, "row", "rows")}};
  const double rate = pace.rows_per_second();
  if (rate > 0) made.push_back({7, rate_text(rate)});
  if (std::string batches = batches_text(now); !batches.empty())
    made.push_back({6, std::move(batches)});
  if (now.workers > 0)
    made.push_back({3, format_number_of(now.workers, "worker", "workers"), Colour::dim});
  if (now.memory_bytes > 0) made.push_back({4, format_size(now.memory_bytes), Colour::dim});
  if (now.rejects > 0)
    made.push_back({8, format_number_of(now.rejects, "reject", "rejects"), Colour::yellow});
  if (now.retries > 0)
    made.push_back({5, format_number_of(now.retries, "retry", "retries"), Colour::yellow});
  return made;
}

std::string figures_line(const Look& look, const Pace& pace, std::size_t indent) {
  std::vector<Figure> shown = figures(pace);
  const std::string_view gap = look.has_unicode ? " · " : ", ";
  const auto width = [&] {
    std::size_t sum = indent;
    for (const Figure& figure : shown) sum += display_width(figure.text) + display_width(gap);
    return sum - display_width(gap);
  };
  while (shown.size() > 1 && width() >= look.columns)
    shown.erase(std::min_element(shown.begin(), shown.end(),
                                 [](const auto& a, const auto& b) { return a.rank < b.rank; }));
  std::string out(indent, ' ');
  if (shown.size() == 1 && width() >= look.columns)  // a very narrow window
    return fit(look, out + shown[0].text, look.columns - 1);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (i > 0) out += paint(look, Colour::dim, gap);
    out += paint(look, shown[i].colour, shown[i].text);
  }
  return out;
}

std::string percent_text(double share) {
  // 100 % is what is sealed, not what is rounded.
  return fmt::format("{:3}%", std::min(99, static_cast<int>(share * 100)));
}

std::string bar_line(const Look& look, const std::string& name, const Pace& pace,
                     std::string_view note) {
  std::string tail;
  if (!note.empty())
    tail = note;
  else if (pace.share() < 0)
    tail = format_left(pace.progress().seconds);
  else if (pace.seconds_left() >= 0)
    tail = percent_text(pace.share()) + "  " + format_left(pace.seconds_left()) + " left";
  else
    tail = percent_text(pace.share());
  const std::size_t fixed = 2 + display_width(name) + 2 + 2 + display_width(tail) + 1;
  const std::string head = "  " + paint(look, Colour::bold, name) + "  ";
  if (fixed + bar_width_min > look.columns)
    return fit(look, "  " + name + "  " + tail, look.columns - 1);
  const std::size_t width = std::min(bar_width, look.columns - fixed);
  return head + bar(look, pace.share(), width) + "  " + tail;
}

std::string plain_line(const Pace& pace) {
  std::string out;
  if (pace.share() >= 0) out += std::string(trim(percent_text(pace.share())));
  for (const Figure& figure : figures(pace)) out += (out.empty() ? "" : ", ") + figure.text;
  if (pace.seconds_left() >= 0) out += ", " + format_left(pace.seconds_left()) + " left";
  return out;
}

std::string completed_text(const Pace& pace) {
  const Progress& end = pace.progress();
  std::string out = format_number_of(end.records_committed, "row", "rows");
  if (end.rejects > 0) out += ", " + format_number_of(end.rejects, "reject", "rejects");
  if (end.seconds > 0) out += ", " + format_seconds(end.seconds);
  return out;
}

class LiveView : public Observer {
 public:
  LiveView(TextWriter write, std::function<Look()> look)
      : write_(std::move(write)), look_(std::move(look)) {}
  ~LiveView() override {
    if (lines_drawn_ > 0) write_(erased());
  }
  LiveView(const LiveView&) = delete;
  LiveView& operator=(const LiveView&) = delete;

  void on_event(const Event& event) override {
    const Look look = look_();
    switch (event.kind) {
      case Event::Kind::run_started:
        if (event.message == "resumed")
          keep(look, Colour::dim, fmt::format("run {} goes on", event.run.substr(0, 8)));
        return;
      case Event::Kind::step_started:
        bar_of(event.step) = Bar{event.step, {}, {}};
        if (!event.message.empty()) keep(look, Colour::dim, event.step + ": " + event.message);
        return draw(look);
      case Event::Kind::step_skipped:
        return keep(look, Colour::dim,
                    event.message.empty() ? event.step + ": completed earlier"
                                          : event.step + ": " + event.message);
      case Event::Kind::progress:
      case Event::Kind::group_committed:
        bar_of(event.step).pace.update(event.progress);
        return draw(look);
      case Event::Kind::retry:
        return keep(look, Colour::yellow, event.message);
      case Event::Kind::warning:
        return keep(look, Colour::yellow, event.message);
      case Event::Kind::step_failed:
        end(event.step);
        return keep(look, Colour::yellow, event.step + ": failed: " + event.message);
      case Event::Kind::note:
        return keep(look, Colour::dim,
                    event.step.empty() ? event.message : event.step + ": " + event.message);
      case Event::Kind::sealing:
        bar_of(event.step).note = look.has_unicode ? "sealing…" : "sealing...";
        return draw(look);
      case Event::Kind::step_completed:
        bar_of(event.step).pace.update(event.progress);
        return finish(look, event.step);
      case Event::Kind::run_ended:
        write_(erased());
        bars_.clear();
        return;
    }
  }

 private:
  // Of a step that runs.
  struct Bar {
    std::string step;
    std::string note;
    Pace pace;
  };

  Bar& bar_of(const std::string& step) {
    const auto found =
        std::find_if(bars_.begin(), bars_.end(), [&](const Bar& bar) { return bar.step == step; });
    if (found != bars_.end()) return *found;
    return bars_.emplace_back(Bar{step, {}, {}});
  }
  void end(const std::string& step) {
    std::erase_if(bars_, [&](const Bar& bar) { return bar.step == step; });
  }
  // Takes the bars away.
  std::string erased() {
    const std::size_t lines = std::exchange(lines_drawn_, 0);
    return lines == 0 ? std::string() : fmt::format("\r\x1b[{}A\x1b[J", lines - 1);
  }
  void draw(const Look& look) {
    std::string out = erased();
    for (const Bar& bar : bars_) {
      const std::string name = fit(look, bar.step, name_width_max);
      if (lines_drawn_ > 0) out += "\n";
      out += bar_line(look, name, bar.pace, bar.note) + "\n";
      out += figures_line(look, bar.pace, 4 + display_width(name));
      lines_drawn_ += 2;
    }
    if (!out.empty()) write_(out);
  }
  // Writes a line above the bars, where it stays.
  void keep(const Look& look, Colour colour, const std::string& text) {
    write_(erased() + "  " + paint(look, colour, wrap(text, look.columns - 1, 2)) + "\n");
    draw(look);
  }
  void finish(const Look& look, const std::string& step) {
    std::string out = erased();
    out += "  " + paint(look, Colour::green, look.has_unicode ? "✓ " : "done: ");
    out += paint(look, Colour::bold, step) + "  " + completed_text(bar_of(step).pace) + "\n";
    write_(out);
    end(step);
    draw(look);
  }

  TextWriter write_;
  std::function<Look()> look_;
  std::vector<Bar> bars_;  // in the order in which their steps began
  std::size_t lines_drawn_ = 0;
};

class PlainView : public Observer {
 public:
  explicit PlainView(TextWriter write) : write_(std::move(write)) {}

  void on_event(const Event& event) override {
    switch (event.kind) {
      case Event::Kind::run_started:
        return write_(fmt::format("run {} {}\n", event.run.substr(0, 8),
                                  event.message == "resumed" ? "goes on" : "begins"));
      case Event::Kind::step_started:
        steps_[event.step] = Step();
        return line(event.step, event.message.empty() ? "started" : event.message);
      case Event::Kind::step_skipped:
        return line(event.step, event.message.empty() ? "completed earlier" : event.message);
      case Event::Kind::progress:
      case Event::Kind::group_committed:
        return go_on(event, steps_[event.step]);
      case Event::Kind::retry:
      case Event::Kind::note:
        return line(event.step, event.message);
      case Event::Kind::warning:
        return line("warning", event.message);
      case Event::Kind::step_failed:
        return line(event.step, "failed: " + event.message);
      case Event::Kind::sealing:
        return line(event.step, "sealing");
      case Event::Kind::step_completed:
        steps_[event.step].pace.update(event.progress);
        return line(event.step, "completed: " + completed_text(steps_[event.step].pace));
      case Event::Kind::run_ended:
        return;
    }
  }

 private:
  struct Step {
    Pace pace;
    double next_line_seconds = line_seconds;
  };

  void line(const std::string& subject, const std::string& text) {
    write_(subject.empty() ? text + "\n" : fmt::format("{}: {}\n", subject, text));
  }
  void go_on(const Event& event, Step& step) {
    step.pace.update(event.progress);
    const double seconds = step.pace.progress().seconds;
    if (seconds < step.next_line_seconds) return;
    step.next_line_seconds = seconds + (seconds < 60 ? line_seconds : line_seconds_later);
    line(event.step, plain_line(step.pace));
  }

  TextWriter write_;
  std::map<std::string, Step> steps_;
};

}  // namespace

void Pace::update(const Progress& now) {
  // Events that carry no figures of their own leave the last ones.
  if (now.seconds == 0 && now.records == 0 && now.batches_committed == 0 && now.bytes_total == 0)
    return;
  last_ = now;
  samples_.emplace_back(now.seconds, now.records);
  while (samples_.size() > 2 && samples_.front().first < now.seconds - rate_seconds)
    samples_.pop_front();
  double share = -1;
  if (now.bytes_total > 0) {
    double bytes = static_cast<double>(now.bytes);
    if (now.records_committed > 0 && now.records > now.records_committed)
      bytes *= static_cast<double>(now.records) / static_cast<double>(now.records_committed);
    share = std::min(1.0, bytes / static_cast<double>(now.bytes_total));
  } else if (now.plan_complete && now.batches_planned > 0) {
    share = static_cast<double>(now.batches_committed) / static_cast<double>(now.batches_planned);
  }
  if (share >= 0) share_ = std::max(share_, share);
}

double Pace::rows_per_second() const {
  if (samples_.empty()) return 0;
  const auto [from_seconds, from_records] = samples_.front();
  const auto [to_seconds, to_records] = samples_.back();
  if (samples_.size() > 1 && to_seconds - from_seconds >= 1 && to_records > from_records)
    return static_cast<double>(to_records - from_records) / (to_seconds - from_seconds);
  if (last_.seconds <= 0 || last_.records <= last_.records_resumed) return 0;
  return static_cast<double>(last_.records - last_.records_resumed) / last_.seconds;
}

double Pace::seconds_left() const {
  if (share_ < 0 || last_.seconds < 0.5) return -1;
  const double total = static_cast<double>(last_.bytes_total);
  const double before =
      last_.bytes_total > 0 ? static_cast<double>(last_.bytes_resumed) / total : 0.0;
  const double gained = share_ - before;
  if (gained <= 0.001) return -1;
  return last_.seconds * (1 - share_) / gained;
}

std::unique_ptr<Observer> make_progress_view(TextWriter write, std::function<Look()> look) {
  if (look().is_terminal) return std::make_unique<LiveView>(std::move(write), std::move(look));
  return std::make_unique<PlainView>(std::move(write));
}

}  // namespace tranche
